// Web Crypto's digests and randomness, and the part of Node.js's crypto that they cover.
($) => {
  const named = (algorithm) => `${typeof algorithm === "object" && algorithm !== null ? algorithm.name : algorithm}`;
  const fill = (target) => {
    if (!ArrayBuffer.isView(target) || target instanceof Float32Array || target instanceof Float64Array) {
      throw new TypeError("the target is no array of integers");
    }
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set($.random(target.byteLength));
    return target;
  };
  const randomUUID = () => {
    const bytes = $.random(16);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  };
  const subtle = {
    async digest(algorithm, data) { return $.digest(named(algorithm), data).buffer; },
  };
  const crypto = { subtle, getRandomValues: fill, randomUUID };
  const lazily = () => $.use("buffer").Buffer;
  class Hash {
    #name; #parts = [];
    constructor(name) {
      this.#name = name;
      $.digest(name, new Uint8Array(0));
    }
    update(data, encoding) {
      this.#parts.push(typeof data === "string" ? lazily().from(data, encoding) : lazily().from(data));
      return this;
    }
    digest(encoding) {
      const bytes = lazily().from($.digest(this.#name, lazily().concat(this.#parts)).buffer);
      return encoding ? bytes.toString(encoding) : bytes;
    }
  }
  const node = {
    ...crypto,
    webcrypto: crypto,
    createHash: (name) => new Hash(`${name}`),
    randomBytes: (count) => lazily().from($.random(count).buffer),
    randomInt(low, high) {
      if (high === undefined) [low, high] = [0, low];
      const range = high - low;
      if (!(range > 0 && range <= 2 ** 48)) throw new RangeError("the range is empty or too large");
      const limit = 2 ** 48 - (2 ** 48 % range);
      for (;;) {
        const drawn = $.random(6).reduce((sum, byte) => sum * 256 + byte, 0);
        if (drawn < limit) return low + (drawn % range);
      }
    },
    getHashes: () => ["sha1", "sha256", "sha384", "sha512"],
  };
  return { crypto, node };
}
