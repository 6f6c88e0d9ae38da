// fs of Node.js over the mounts. Each operation is one of the host's, so the asynchronous forms are the synchronous ones in a promise.
($) => {
  const named = (path) => {
    if (typeof path === "string") return path;
    if (path instanceof URL) return $.use("url").fileURLToPath(path);
    if (ArrayBuffer.isView(path)) return new ($.use("text").TextDecoder)().decode(path);
    throw new TypeError(`a path is a string or a file: URL, not ${typeof path}`);
  };
  const encodingOf = (options) => (typeof options === "string" ? options : options?.encoding) ?? null;
  const isUtf8 = (encoding) => encoding !== null && /^utf-?8$/i.test(encoding);
  class Kind {
    #kind;
    constructor(kind) { this.#kind = kind; }
    isFile() { return this.#kind === "file"; }
    isDirectory() { return this.#kind === "directory"; }
    isSymbolicLink() { return this.#kind === "link"; }
    isFIFO() { return false; }
    isSocket() { return false; }
    isBlockDevice() { return false; }
    isCharacterDevice() { return false; }
  }
  class Dirent extends Kind {
    constructor(parent, name, kind) {
      super(kind);
      Object.assign(this, { name, parentPath: parent, path: parent });
    }
  }
  class Stats extends Kind {
    constructor([kind, size, modified, accessed, created]) {
      super(kind);
      Object.assign(this, { size, mtimeMs: modified, atimeMs: accessed, birthtimeMs: created, ctimeMs: modified });
      for (const name of ["mtime", "atime", "birthtime", "ctime"]) this[name] = new Date(this[`${name}Ms`]);
    }
  }
  const stat = (path, options, follow) => {
    try {
      return new Stats($.stat(named(path), follow));
    } catch (error) {
      if (options?.throwIfNoEntry === false && error.code === "ENOENT") return undefined;
      throw error;
    }
  };
  const data = (value) => {
    if (typeof value === "string" || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value;
    if (typeof value === "object" || typeof value === "function" || value === undefined) {
      throw new TypeError("the data is a string or bytes; make a string of an object with JSON.stringify");
    }
    return `${value}`;
  };
  const write = (path, value, options, flag) => {
    const encoding = encodingOf(options);
    const bytes = typeof value === "string" && encoding !== null && !isUtf8(encoding) ? $.use("buffer").Buffer.from(value, encoding) : data(value);
    $.write(named(path), bytes, options?.flag ?? flag);
  };
  const walk = (folder, options, prefix = "") => {
    const found = [];
    for (const [name, kind] of $.list(folder)) {
      found.push(options.withFileTypes ? new Dirent(folder, name, kind) : `${prefix}${name}`);
      if (options.recursive && kind === "directory") found.push(...walk(`${folder}/${name}`, options, `${prefix}${name}/`));
    }
    return found;
  };
  const sync = {
    readFile(path, options) {
      const encoding = encodingOf(options);
      if (isUtf8(encoding)) return $.read(named(path), true);
      const { Buffer } = $.use("buffer");
      const bytes = Buffer.over($.read(named(path), false));
      return encoding === null || encoding === "buffer" ? bytes : bytes.toString(encoding);
    },
    writeFile: (path, value, options) => write(path, value, options, "w"),
    appendFile: (path, value, options) => write(path, value, options, "a"),
    readdir: (path, options) => walk(named(path), typeof options === "object" && options !== null ? options : {}),
    stat: (path, options) => stat(path, options, true),
    lstat: (path, options) => stat(path, options, false),
    mkdir(path, options) { $.mkdir(named(path), !!options?.recursive); },
    rm(path, options = {}) { $.remove(named(path), options.recursive ? "tree" : "file", !!options.force); },
    rmdir(path, options = {}) { $.remove(named(path), options.recursive ? "tree" : "directory"); },
    unlink(path) { $.remove(named(path), "file"); },
    rename(from, to) { $.rename(named(from), named(to)); },
    copyFile(from, to, mode) { $.copy(named(from), named(to), false, mode === 1); },
    cp(from, to, options = {}) { $.copy(named(from), named(to), !!options.recursive, !!options.errorOnExist); },
    access(path) { $.stat(named(path), true); },
    realpath: (path) => { $.stat(named(path), true); return $.resolve(named(path)); },
    truncate(path, length = 0) {
      const bytes = $.read(named(path), false);
      const cut = new Uint8Array(length);
      cut.set(bytes.subarray(0, length));
      $.write(named(path), cut, "w");
    },
    mkdtemp(prefix) {
      const path = `${named(prefix)}${Math.random().toString(36).slice(2, 8).padEnd(6, "x")}`;
      $.mkdir(path, false);
      return path;
    },
  };
  const exists = (path) => $.exists(named(path));
  const constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, COPYFILE_EXCL: 1 };
  const promises = { constants }, fs = { constants, promises, existsSync: exists, Dirent, Stats };
  for (const [name, run] of Object.entries(sync)) {
    fs[`${name}Sync`] = run;
    promises[name] = async (...values) => run(...values);
    // With a callback at the end as in Node.js; without one, a promise.
    fs[name] = (...values) => {
      const callback = values.at(-1);
      if (typeof callback !== "function") return promises[name](...values);
      promises[name](...values.slice(0, -1)).then((value) => callback(null, value), callback);
    };
  }
  promises.exists = async (path) => exists(path);
  fs.exists = (path, callback) => (callback ? void promises.exists(path).then(callback) : promises.exists(path));
  return { fs, promises };
}
