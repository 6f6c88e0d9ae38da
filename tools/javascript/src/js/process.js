// process, os, and require.
($) => {
  const hr = (before) => {
    const now = BigInt(Math.round(performance.now() * 1e6));
    const then = before ? BigInt(before[0]) * 1000000000n + BigInt(before[1]) : 0n;
    return [Number((now - then) / 1000000000n), Number((now - then) % 1000000000n)];
  };
  hr.bigint = () => BigInt(Math.round(performance.now() * 1e6));
  const text = (value) => (ArrayBuffer.isView(value) ? $.use("text").TextDecoder.prototype.decode.call(new ($.use("text").TextDecoder)(), value) : `${value}`);
  const process = {
    argv: ["javascript", "script.js"],
    env: $.env,
    platform: "wasi",
    arch: "wasm32",
    version: "v22.0.0",
    versions: { node: "22.0.0" },
    pid: 1,
    exitCode: undefined,
    cwd: () => $.cwd,
    exit(code) { $.exit(code === undefined ? +(process.exitCode ?? 0) : +code); },
    hrtime: hr,
    uptime: () => performance.now() / 1000,
    nextTick(callback, ...values) { $.use("timers").queueMicrotask(() => callback(...values)); },
    stdout: { write(value) { $.stdout(text(value).toWellFormed()); return true; }, isTTY: false, columns: 80 },
    stderr: { write(value) { $.stderr(text(value).toWellFormed()); return true; }, isTTY: false, columns: 80 },
    memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0 }),
    on() { return process; },
    once() { return process; },
    off() { return process; },
    emitWarning(warning) { $.stderr(`Warning: ${warning}\n`); },
  };
  const os = {
    EOL: "\n",
    platform: () => "wasi",
    type: () => "WASI",
    arch: () => "wasm32",
    tmpdir: () => "/tmp",
    homedir: () => "/",
    hostname: () => "sandbox",
    cpus: () => [{}],
    endianness: () => "LE",
  };
  const loaded = new Map();
  const requireFrom = (folder) => {
    const require = (name) => {
      name = `${name}`;
      const known = $.builtin(name);
      if (known !== undefined) return known;
      if (!/^(\/|\.\.?\/)/.test(name)) {
        const error = new Error(`Cannot find module '${name}': the sandbox has no packages; built-in modules and files by their path are there.`);
        error.code = "MODULE_NOT_FOUND";
        throw error;
      }
      const { existsSync, readFileSync } = $.use("fs").fs;
      const path = $.resolve(folder, name);
      const file = [path, `${path}.js`, `${path}.cjs`, `${path}.json`, `${path}/index.js`].find((one) => /\.\w+$/.test(one) && existsSync(one)) ?? path;
      if (loaded.has(file)) return loaded.get(file).exports;
      const source = readFileSync(file, "utf8");
      const module = { exports: {}, id: file, filename: file };
      loaded.set(file, module);
      try {
        if (file.endsWith(".json")) module.exports = JSON.parse(source);
        else {
          const parent = file.slice(0, file.lastIndexOf("/")) || "/";
          // On one line with the source, so that its lines keep their numbers.
          const run = (0, eval)(`(function (module, exports, require, __filename, __dirname) {${source}\n})\n//# sourceURL=${file}`);
          run.call(module.exports, module, module.exports, requireFrom(parent), file, parent);
        }
      } catch (error) {
        loaded.delete(file);
        throw error;
      }
      return module.exports;
    };
    return require;
  };
  return { process, os, require: requireFrom($.cwd), global: globalThis, self: globalThis };
}
