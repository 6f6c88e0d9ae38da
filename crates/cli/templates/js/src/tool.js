// The component's side: what wit/world.wit declares, by the functions of words.js.

import { summarize } from "./words.js";

export const words = {
  summarize(text, top) {
    try {
      return summarize(text, top);
    } catch (error) {
      // The error of the function's result is a string, so a string is thrown.
      throw error.message;
    }
  },
};
