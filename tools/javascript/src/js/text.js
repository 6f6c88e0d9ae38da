// Text and bytes as in browsers.
($) => {
  const names = new Map([
    ["utf-8", "utf-8"], ["utf8", "utf-8"], ["unicode-1-1-utf-8", "utf-8"],
    ["utf-16le", "utf-16le"], ["utf-16", "utf-16le"], ["ucs-2", "utf-16le"], ["utf-16be", "utf-16be"],
    ["latin1", "latin1"], ["iso-8859-1", "latin1"], ["ascii", "latin1"], ["us-ascii", "latin1"], ["windows-1252", "latin1"],
  ]);
  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return $.encode(`${text}`); }
    encodeInto(text, target) {
      let read = 0, written = 0;
      for (const letter of `${text}`) {
        const bytes = $.encode(letter);
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        written += bytes.length;
        read += letter.length;
      }
      return { read, written };
    }
  }
  class TextDecoder {
    #encoding; #fatal; #ignoreBOM; #rest = new Uint8Array(0); #begun = false;
    constructor(label = "utf-8", options = {}) {
      this.#encoding = names.get(`${label}`.trim().toLowerCase());
      if (!this.#encoding) throw new RangeError(`the encoding '${label}' is not there: utf-8, utf-16le, utf-16be and latin1 are`);
      this.#fatal = !!options.fatal;
      this.#ignoreBOM = !!options.ignoreBOM;
    }
    get encoding() { return this.#encoding === "latin1" ? "windows-1252" : this.#encoding; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }
    decode(data = new Uint8Array(0), options = {}) {
      let bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
      if (this.#rest.length) {
        const joined = new Uint8Array(this.#rest.length + bytes.length);
        joined.set(this.#rest);
        joined.set(bytes, this.#rest.length);
        bytes = joined;
      }
      const cut = options.stream ? this.#whole(bytes) : bytes.length;
      this.#rest = bytes.slice(cut);
      const text = $.decode(bytes.subarray(0, cut), this.#encoding, this.#fatal, this.#ignoreBOM || this.#begun);
      this.#begun = !!options.stream && (this.#begun || cut > 0);
      if (text === null) throw new TypeError(`the bytes are not ${this.#encoding}`);
      return text;
    }
    // How many bytes end with a whole character.
    #whole(bytes) {
      const length = bytes.length;
      if (this.#encoding === "latin1") return length;
      if (this.#encoding !== "utf-8") {
        const even = length - (length % 2);
        const unit = this.#encoding === "utf-16le" ? bytes[even - 1] : bytes[even - 2];
        return even >= 2 && (unit & 0xfc) === 0xd8 ? even - 2 : even;
      }
      for (let back = 1; back <= Math.min(3, length); back++) {
        const byte = bytes[length - back];
        if ((byte & 0xc0) === 0x80) continue;
        const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        return needs > back ? length - back : length;
      }
      return length;
    }
  }
  const invalid = (message) => new DOMException(message, "InvalidCharacterError");
  return {
    TextEncoder, TextDecoder,
    atob(text) {
      const bytes = $.fromBase64(`${text}`.replace(/[\t\n\f\r ]/g, ""));
      if (bytes === null) throw invalid("the text is not base64");
      return $.decode(bytes, "latin1", false, true);
    },
    btoa(text) {
      text = `${text}`;
      const bytes = new Uint8Array(text.length);
      for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (code > 255) throw invalid("btoa takes characters up to U+00FF only");
        bytes[at] = code;
      }
      return $.toBase64(bytes);
    },
  };
}
