// The part of Node.js's Buffer that text and files need.
($) => {
  const encodings = {
    utf8: "utf-8", "utf-8": "utf-8", ascii: "latin1", latin1: "latin1", binary: "latin1",
    hex: "hex", base64: "base64", base64url: "base64url", utf16le: "utf-16le", "utf-16le": "utf-16le", ucs2: "utf-16le", "ucs-2": "utf-16le",
  };
  const known = (encoding = "utf8") => encodings[`${encoding}`.toLowerCase()] ?? (() => {
    throw new TypeError(`Unknown encoding: ${encoding}`);
  })();
  const encode = (text, encoding) => {
    switch (known(encoding)) {
      case "utf-8": return $.encode(text);
      case "latin1": return Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 0xff);
      case "utf-16le": {
        const bytes = new Uint8Array(text.length * 2);
        for (let at = 0; at < text.length; at++) {
          bytes[at * 2] = text.charCodeAt(at) & 0xff;
          bytes[at * 2 + 1] = text.charCodeAt(at) >> 8;
        }
        return bytes;
      }
      case "hex": {
        const digits = /^(?:[0-9a-f]{2})*/i.exec(text)[0];
        const bytes = new Uint8Array(digits.length / 2);
        for (let at = 0; at < bytes.length; at++) bytes[at] = parseInt(digits.slice(at * 2, at * 2 + 2), 16);
        return bytes;
      }
      default: return $.fromBase64(text.replace(/-/g, "+").replace(/_/g, "/").replace(/[^A-Za-z0-9+/]/g, "")) ?? new Uint8Array(0);
    }
  };
  class Buffer extends Uint8Array {
    static from(value, encoding, length) {
      if (typeof value === "string") return Buffer.over(encode(value, encoding));
      if (value instanceof ArrayBuffer) return new Buffer(value, encoding, length);
      if (ArrayBuffer.isView(value)) return Buffer.over(new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice());
      if (value?.type === "Buffer" && Array.isArray(value.data)) value = value.data;
      if (Array.isArray(value)) return Buffer.over(Uint8Array.from(value, (byte) => byte & 0xff));
      throw new TypeError("Buffer.from takes a string, an array of bytes, an ArrayBuffer or a view of one");
    }
    static over(bytes) { return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength); }
    static alloc(size, fill = 0, encoding) { return new Buffer(size).fill(fill, encoding); }
    static allocUnsafe(size) { return new Buffer(size); }
    static isBuffer(value) { return value instanceof Buffer; }
    static isEncoding(name) { return `${name}`.toLowerCase() in encodings; }
    static byteLength(value, encoding) { return typeof value === "string" ? encode(value, encoding).length : value.byteLength; }
    static compare(a, b) { return Buffer.prototype.compare.call(a, b); }
    static concat(list, total = list.reduce((sum, part) => sum + part.length, 0)) {
      const all = Buffer.alloc(total);
      let at = 0;
      for (const part of list) {
        if (at >= total) break;
        all.set(part.subarray(0, total - at), at);
        at += part.length;
      }
      return all;
    }
    toString(encoding, start = 0, end = this.length) {
      const bytes = this.subarray(start, end);
      switch (known(encoding)) {
        case "hex": return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
        case "base64": return $.toBase64(bytes);
        case "base64url": return $.toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
        default: return $.decode(bytes, known(encoding), false, true);
      }
    }
    toJSON() { return { type: "Buffer", data: Array.from(this) }; }
    fill(value, encoding) { return super.fill(typeof value === "string" ? (encode(value, encoding)[0] ?? 0) : value); }
    equals(other) { return this.compare(other) === 0; }
    compare(other) {
      for (let at = 0; at < Math.min(this.length, other.length); at++) if (this[at] !== other[at]) return this[at] < other[at] ? -1 : 1;
      return Math.sign(this.length - other.length);
    }
    slice(start, end) { return this.subarray(start, end); }
    copy(target, at = 0, start = 0, end = this.length) {
      const part = this.subarray(start, Math.min(end, start + target.length - at));
      target.set(part, at);
      return part.length;
    }
    write(text, at = 0, length = this.length - at, encoding = "utf8") {
      const bytes = encode(`${text}`, encoding).subarray(0, Math.max(0, Math.min(length, this.length - at)));
      this.set(bytes, at);
      return bytes.length;
    }
    indexOf(value, from = 0) {
      if (typeof value === "number") return super.indexOf(value, from);
      const wanted = typeof value === "string" ? encode(value) : value;
      for (let at = Math.max(0, from); at + wanted.length <= this.length; at++) {
        let same = 0;
        while (same < wanted.length && this[at + same] === wanted[same]) same++;
        if (same === wanted.length) return at;
      }
      return -1;
    }
    includes(value, from) { return this.indexOf(value, from) >= 0; }
  }
  const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const widths = { UInt8: 1, Int8: 1, UInt16: 2, Int16: 2, UInt32: 4, Int32: 4, Float: 4, Double: 8, BigInt64: 8, BigUInt64: 8 };
  const access = { UInt8: "Uint8", UInt16: "Uint16", UInt32: "Uint32", Float: "Float32", Double: "Float64", BigUInt64: "BigUint64" };
  for (const [kind, width] of Object.entries(widths)) {
    for (const end of width === 1 ? [""] : ["LE", "BE"]) {
      const method = access[kind] ?? kind;
      const define = (name, value) => Object.defineProperty(Buffer.prototype, name, { value, writable: true, configurable: true });
      define(`read${kind}${end}`, function (at = 0) { return view(this)[`get${method}`](at, end === "LE"); });
      define(`write${kind}${end}`, function (value, at = 0) { view(this)[`set${method}`](at, value, end === "LE"); return at + width; });
    }
  }
  return { Buffer };
}
