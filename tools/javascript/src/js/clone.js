// structuredClone.
($) => {
  const fail = (what) => { throw new DOMException(`${what} could not be cloned.`, "DataCloneError"); };
  const clone = (value, seen) => {
    if (typeof value === "function" || typeof value === "symbol") fail(String(value));
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => { seen.set(value, copy); return copy; };
    const inner = (part) => clone(part, seen);
    if (Array.isArray(value)) {
      const copy = keep(new Array(value.length));
      for (const key of Object.keys(value)) copy[key] = inner(value[key]);
      return copy;
    }
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [key, part] of [...value]) copy.set(inner(key), inner(part));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const part of [...value]) copy.add(inner(part));
      return copy;
    }
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (value instanceof DataView) return keep(new DataView(inner(value.buffer), value.byteOffset, value.byteLength));
    if (ArrayBuffer.isView(value)) {
      const Class = globalThis[value[Symbol.toStringTag]];
      return keep(new Class(inner(value.buffer), value.byteOffset, value.length));
    }
    if (value instanceof Error) {
      const Class = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }[value.name] ?? Error;
      const made = keep(new Class(value.message));
      if ("cause" in value) made.cause = inner(value.cause);
      made.stack = value.stack;
      return made;
    }
    if (value instanceof Boolean || value instanceof Number || value instanceof String) return keep(Object(value.valueOf()));
    for (const Class of [Promise, WeakMap, WeakSet, WeakRef]) if (value instanceof Class) fail(`#<${Class.name}>`);
    const copy = keep({});
    for (const key of Object.keys(value)) copy[key] = inner(value[key]);
    return copy;
  };
  return { structuredClone: (value) => clone(value, new Map()) };
}
