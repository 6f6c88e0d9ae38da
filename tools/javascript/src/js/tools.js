// The object `tools`: a function for each tool that may be called.
($) => {
  const json = JSON.stringify, parse = JSON.parse;
  const begin = (name) => async (args = {}) => {
    if (typeof args !== "object" || args === null || Array.isArray(args)) {
      throw new TypeError(`tools: ${name} takes one object of arguments`);
    }
    const output = await $.start(name, json(args));
    try {
      return parse(output);
    } catch {
      return output;
    }
  };
  const members = () => {
    const found = Object.create(null);
    for (const { name } of $.list()) {
      const at = name.indexOf(".");
      const call = begin(name);
      if (at < 0) {
        found[name] = found[$.identifier(name)] = call;
        continue;
      }
      const tool = name.slice(0, at), own = name.slice(at + 1);
      const group = (found[tool] ??= found[$.identifier(tool)] = Object.create(null));
      group[own] = group[$.identifier(own)] = call;
    }
    return found;
  };
  const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  // A tool that is not listed is asked for all the same: the host says why it is refused, and records it.
  const unknown = (name) => new Proxy(begin(name), {
    get: (call, own) => typeof own !== "string" || own === "then" || own in call ? call[own] : begin(`${name}.${kebab(own)}`),
  });
  let known;
  const own = {
    $list: () => $.list(),
    $types: () => $.types(),
    $call: (name, args) => begin(`${name}`)(args),
  };
  const tools = new Proxy(Object.create(null), {
    get(_, name) {
      if (typeof name !== "string" || name === "then" || name === "toJSON") return undefined;
      if (Object.hasOwn(own, name)) return own[name];
      known ??= members();
      return known[name] ?? unknown(kebab(name));
    },
    has: (_, name) => typeof name === "string" && (name in own || name in (known ??= members())),
    ownKeys: () => Object.keys((known ??= members())),
    getOwnPropertyDescriptor(_, name) {
      const value = (known ??= members())[name];
      return value && { value, enumerable: true, configurable: true, writable: false };
    },
    set() { throw new TypeError("tools cannot be changed"); },
  });
  return { tools };
}
