// What the tool does, in plain JavaScript: `npm test` tries it without a sandbox.

/** The most words that an answer names, so that it stays short. */
const MOST = 100;

/**
 * Counts the lines and words of `text`, and names its `top` most frequent words.
 *
 * What is thrown here reaches the caller as the tool's error: it says what to do next.
 */
export function summarize(text, top = 5) {
  if (top > MOST) {
    throw new RangeError(
      `top is ${top}, and at most ${MOST} words are named: ask for fewer`,
    );
  }
  // The engine has no tables of Unicode's letters: what is beyond ASCII counts as one.
  const words = text.toLowerCase().match(/[a-z0-9\u0080-\uffff]+/g) ?? [];
  const counts = new Map();
  for (const word of words) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const frequent = [...counts]
    .map(([word, count]) => ({ word, count }))
    .sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1))
    .slice(0, top);
  const lines = text === "" ? 0 : text.replace(/\n$/, "").split("\n").length;
  return { lines, words: words.length, frequent };
}
