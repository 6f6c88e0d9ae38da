// fetch, with bodies that are whole: a response is there when all of it is.
($) => {
  const { URL, URLSearchParams } = $.use("url");
  const { TextEncoder, TextDecoder } = $.use("text");
  const encoder = new TextEncoder();
  const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
  const name = (text) => {
    text = `${text}`;
    if (!TOKEN.test(text)) throw new TypeError(`'${text}' is no name of a header`);
    return text.toLowerCase();
  };
  const value = (text) => {
    text = `${text}`.trim();
    if (/[\0\r\n]/.test(text)) throw new TypeError("a header's value has no line breaks");
    return text;
  };
  class Headers {
    #map = new Map();
    constructor(init) {
      if (init === undefined || init === null) return;
      const pairs = typeof init[Symbol.iterator] === "function" ? init : Object.entries(init);
      for (const [key, text] of pairs) this.append(key, text);
    }
    append(key, text) {
      key = name(key);
      const before = this.#map.get(key);
      this.#map.set(key, before === undefined ? value(text) : `${before}, ${value(text)}`);
    }
    set(key, text) { this.#map.set(name(key), value(text)); }
    get(key) { return this.#map.get(name(key)) ?? null; }
    has(key) { return this.#map.has(name(key)); }
    delete(key) { this.#map.delete(name(key)); }
    getSetCookie() { return this.has("set-cookie") ? [this.get("set-cookie")] : []; }
    forEach(callback, self) { for (const [key, text] of this) callback.call(self, text, key, this); }
    *entries() { yield* [...this.#map].sort(([a], [b]) => (a < b ? -1 : 1)); }
    *keys() { for (const [key] of this) yield key; }
    *values() { for (const [, text] of this) yield text; }
    [Symbol.iterator]() { return this.entries(); }
    toJSON() { return Object.fromEntries(this); }
    get [Symbol.toStringTag]() { return "Headers"; }
  }
  // The bytes of a body, and the type that goes with it.
  const bytesOf = (body) => {
    if (body === undefined || body === null) return [null, null];
    if (body instanceof URLSearchParams) return [encoder.encode(body.toString()), "application/x-www-form-urlencoded;charset=UTF-8"];
    if (body instanceof ArrayBuffer) return [new Uint8Array(body.slice(0)), null];
    if (ArrayBuffer.isView(body)) return [new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice(), null];
    return [encoder.encode(`${body}`), "text/plain;charset=UTF-8"];
  };
  class Body {
    #bytes; #used = false;
    constructor(bytes) { this.#bytes = bytes; }
    static bytes(body) { return body.#bytes; }
    get bodyUsed() { return this.#used; }
    async #take() {
      if (this.#used) throw new TypeError("the body has been read already");
      this.#used = true;
      return this.#bytes ?? new Uint8Array(0);
    }
    async bytes() { return (await this.#take()).slice(); }
    async arrayBuffer() { return (await this.bytes()).buffer; }
    async text() { return new TextDecoder().decode(await this.#take()); }
    async json() { return JSON.parse(await this.text()); }
  }
  const { bytes: kept } = Body;
  delete Body.bytes;
  const METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
  class Request extends Body {
    constructor(input, init = {}) {
      const from = input instanceof Request ? input : null;
      const [own, type] = bytesOf(init.body);
      super(init.body === undefined && from ? kept(from) : own);
      this.url = from ? from.url : new URL(`${input}`).href;
      const method = `${init.method ?? from?.method ?? "GET"}`;
      if (!TOKEN.test(method)) throw new TypeError(`'${method}' is no method`);
      this.method = METHODS.includes(method.toUpperCase()) ? method.toUpperCase() : method;
      this.headers = new Headers(init.headers ?? from?.headers);
      if (type && !this.headers.has("content-type")) this.headers.set("content-type", type);
      this.redirect = init.redirect ?? from?.redirect ?? "follow";
      this.signal = init.signal ?? from?.signal ?? null;
      if (kept(this) !== null && (this.method === "GET" || this.method === "HEAD")) {
        throw new TypeError(`a ${this.method} request has no body`);
      }
    }
    clone() { return new Request(this); }
  }
  class Response extends Body {
    constructor(body, init = {}) {
      const [bytes, type] = bytesOf(body);
      super(bytes);
      this.status = init.status ?? 200;
      this.statusText = init.statusText ?? "";
      this.headers = new Headers(init.headers);
      if (type && !this.headers.has("content-type")) this.headers.set("content-type", type);
      this.url = init.url ?? "";
      this.redirected = init.redirected ?? false;
      this.type = "default";
    }
    get ok() { return this.status >= 200 && this.status < 300; }
    clone() { return new Response(kept(this), this); }
    static json(data, init = {}) {
      const headers = new Headers(init.headers);
      if (!headers.has("content-type")) headers.set("content-type", "application/json");
      return new Response(JSON.stringify(data), { ...init, headers });
    }
    static error() { return new Response(null, { status: 0 }); }
  }
  const send = async (request) => {
    const { signal } = request;
    signal?.throwIfAborted();
    const [number, response] = $.send({
      url: request.url,
      method: request.method,
      headers: [...request.headers],
      body: kept(request),
      redirect: request.redirect,
    });
    let stop;
    const stopped = signal && new Promise((_, reject) => {
      stop = () => { $.cancel(number); reject(signal.reason); };
      signal.addEventListener("abort", stop, { once: true });
    });
    try {
      const [status, headers, body, url, redirected] = await (signal ? Promise.race([response, stopped]) : response);
      return new Response(body, { status, headers, url, redirected });
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  };
  return {
    Headers, Request, Response,
    async fetch(input, init) { return send(new Request(input, init)); },
  };
}
