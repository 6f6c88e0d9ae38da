// URL and URLSearchParams as in browsers.
($) => {
  const PARTS = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];
  const AT = Object.fromEntries(PARTS.map((part, at) => [part, at]));
  const well = (value) => `${value}`.toWellFormed();
  class URLSearchParams {
    #list = []; #changed;
    constructor(init = "") {
      if (typeof init === "object" && init !== null) {
        if (typeof init[Symbol.iterator] === "function") {
          for (const pair of init) {
            const [name, value, ...more] = pair;
            if (value === undefined || more.length) throw new TypeError("each pair needs a name and a value");
            this.#list.push([well(name), well(value)]);
          }
        } else {
          for (const name of Object.keys(init)) this.#list.push([well(name), well(init[name])]);
        }
      } else {
        this.#list = $.query(well(init).replace(/^\?/, ""));
      }
    }
    static bind(params, changed) { params.#changed = changed; return params; }
    static replace(params, query) { params.#list = $.query(query.replace(/^\?/, "")); }
    #tell() { this.#changed?.(this.toString()); }
    get size() { return this.#list.length; }
    append(name, value) { this.#list.push([well(name), well(value)]); this.#tell(); }
    delete(name, value) {
      this.#list = this.#list.filter((pair) => pair[0] !== `${name}` || (value !== undefined && pair[1] !== `${value}`));
      this.#tell();
    }
    get(name) { return this.#list.find((pair) => pair[0] === `${name}`)?.[1] ?? null; }
    getAll(name) { return this.#list.filter((pair) => pair[0] === `${name}`).map((pair) => pair[1]); }
    has(name, value) { return this.#list.some((pair) => pair[0] === `${name}` && (value === undefined || pair[1] === `${value}`)); }
    set(name, value) {
      const at = this.#list.findIndex((pair) => pair[0] === `${name}`);
      if (at < 0) return this.append(name, value);
      this.#list[at] = [this.#list[at][0], well(value)];
      this.#list = this.#list.filter((pair, index) => index <= at || pair[0] !== `${name}`);
      this.#tell();
    }
    sort() { this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)); this.#tell(); }
    forEach(callback, self) { for (const [name, value] of this.#list) callback.call(self, value, name, this); }
    *entries() { for (const [name, value] of this.#list) yield [name, value]; }
    *keys() { for (const [name] of this.#list) yield name; }
    *values() { for (const [, value] of this.#list) yield value; }
    [Symbol.iterator]() { return this.entries(); }
    toString() { return $.toQuery(this.#list); }
    get [Symbol.toStringTag]() { return "URLSearchParams"; }
  }
  class URL {
    #parts; #params;
    constructor(text, base) {
      this.#parts = $.parse(well(text), base === undefined ? undefined : well(base));
      if (!this.#parts) {
        const error = new TypeError(`Invalid URL: '${text}'${base === undefined ? "" : ` with the base '${base}'`}`);
        error.code = "ERR_INVALID_URL";
        throw error;
      }
    }
    static canParse(text, base) { return !!$.parse(well(text), base === undefined ? undefined : well(base)); }
    static parse(text, base) { return URL.canParse(text, base) ? new URL(text, base) : null; }
    static part(url, part) { return url.#parts[AT[part]]; }
    static change(url, part, value) {
      const parts = part === "href" ? $.parse(well(value), undefined) : $.set(url.#parts[0], part, well(value));
      if (!parts) throw new TypeError(`Invalid URL: '${value}'`);
      url.#parts = parts;
      if (url.#params && (part === "search" || part === "href")) URLSearchParams.replace(url.#params, parts[AT.search]);
    }
    get searchParams() {
      this.#params ??= URLSearchParams.bind(new URLSearchParams(this.search), (query) => {
        this.#parts = $.set(this.#parts[0], "search", query) ?? this.#parts;
      });
      return this.#params;
    }
    toString() { return this.href; }
    toJSON() { return this.href; }
    get [Symbol.toStringTag]() { return "URL"; }
  }
  const { part: read, change } = URL;
  delete URL.part;
  delete URL.change;
  for (const part of PARTS) {
    Object.defineProperty(URL.prototype, part, {
      configurable: true,
      enumerable: true,
      get() { return read(this, part); },
      set: part === "origin" ? undefined : function (value) { change(this, part, value); },
    });
  }
  return {
    URL, URLSearchParams,
    fileURLToPath(url) {
      const { protocol, pathname } = new URL(url);
      if (protocol !== "file:") throw new TypeError("the URL is not a file: URL");
      return decodeURIComponent(pathname);
    },
    pathToFileURL(path) { return new URL(`file://${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}`); },
  };
}
