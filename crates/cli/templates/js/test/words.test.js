import assert from "node:assert/strict";
import test from "node:test";

import { summarize } from "../src/words.js";

test("it counts lines and words", () => {
  assert.deepEqual(summarize("To be,\nor not to be\n", 2), {
    lines: 2,
    words: 6,
    frequent: [
      { word: "be", count: 2 },
      { word: "to", count: 2 },
    ],
  });
});

test("it refuses what would make a long answer", () => {
  assert.throws(() => summarize("", 101), /ask for fewer/);
});
