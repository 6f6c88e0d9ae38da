// assert, as programs for Node.js use it.
($) => {
  class AssertionError extends Error {
    constructor({ message, actual, expected, operator }) {
      super(message);
      Object.assign(this, { code: "ERR_ASSERTION", actual, expected, operator });
    }
    get name() { return "AssertionError"; }
  }
  const show = (value) => $.use("util").util.inspect(value);
  const same = (a, b, strict, seen = new Map()) => {
    if (strict ? Object.is(a, b) : a == b || (a !== a && b !== b)) return true;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
    if (seen.get(a) === b) return true;
    seen.set(a, b);
    const part = (x, y) => same(x, y, strict, seen);
    if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
    if (a instanceof RegExp && b instanceof RegExp) return `${a}` === `${b}`;
    if (a instanceof Error && b instanceof Error && (a.message !== b.message || a.name !== b.name)) return false;
    if (a instanceof Map && b instanceof Map) return a.size === b.size && [...a].every(([key, value]) => b.has(key) && part(value, b.get(key)));
    if (a instanceof Set && b instanceof Set) return a.size === b.size && [...a].every((one) => b.has(one) || [...b].some((other) => part(one, other)));
    if (Array.isArray(a) !== Array.isArray(b) || a.length !== b.length) return false;
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && part(a[key], b[key]));
  };
  const fail = (operator, actual, expected, message, sentence) => {
    if (message instanceof Error) throw message;
    throw new AssertionError({ message: message ?? sentence, actual, expected, operator });
  };
  const assert = (value, message) => {
    if (!value) fail("ok", value, true, message, `The expression evaluated to a falsy value: ${show(value)}`);
  };
  const compare = (operator, test, words) => (actual, expected, message) => {
    if (!test(actual, expected)) fail(operator, actual, expected, message, `Expected ${show(actual)} ${words} ${show(expected)}`);
  };
  const matches = (error, expected) => {
    if (expected === undefined || typeof expected === "string") return true;
    if (expected instanceof RegExp) return expected.test(`${error}`);
    if (typeof expected === "function") return expected.prototype !== undefined && error instanceof expected ? true : expected(error) === true;
    return Object.keys(expected).every((key) => (expected[key] instanceof RegExp ? expected[key].test(error[key]) : same(error[key], expected[key], true)));
  };
  const threw = (error, expected) => {
    if (!matches(error, expected)) throw error;
  };
  Object.assign(assert, {
    AssertionError,
    ok: assert,
    equal: compare("==", (a, b) => a == b || (a !== a && b !== b), "to equal"),
    notEqual: compare("!=", (a, b) => a != b, "not to equal"),
    strictEqual: compare("strictEqual", Object.is, "to be"),
    notStrictEqual: compare("notStrictEqual", (a, b) => !Object.is(a, b), "not to be"),
    deepEqual: compare("deepEqual", (a, b) => same(a, b, false), "to have the same members as"),
    deepStrictEqual: compare("deepStrictEqual", (a, b) => same(a, b, true), "to have the same members as"),
    notDeepStrictEqual: compare("notDeepStrictEqual", (a, b) => !same(a, b, true), "to differ from"),
    match: compare("match", (text, pattern) => pattern.test(text), "to match"),
    doesNotMatch: compare("doesNotMatch", (text, pattern) => !pattern.test(text), "not to match"),
    fail(message = "Failed") { fail("fail", undefined, undefined, message); },
    throws(run, expected, message) {
      try { run(); } catch (error) { return threw(error, expected); }
      fail("throws", undefined, expected, message, "Missing expected exception.");
    },
    doesNotThrow(run) { run(); },
    async rejects(run, expected, message) {
      try { await (typeof run === "function" ? run() : run); } catch (error) { return threw(error, expected); }
      fail("rejects", undefined, expected, message, "Missing expected rejection.");
    },
    ifError(value) { if (value !== null && value !== undefined) throw value; },
  });
  assert.strict = assert;
  return { assert, isDeepStrictEqual: (a, b) => same(a, b, true) };
}
