// The part of Node.js's util that programs without streams use.
($) => {
  const { isDeepStrictEqual } = $.use("assert");
  const util = {
    inspect: (value, options) => $.inspect(value, options?.depth === null ? 20 : (options?.depth ?? 2)),
    format: (...values) => $.format(...values),
    promisify: (call) => (...values) => new Promise((resolve, reject) => {
      call(...values, (error, value) => (error ? reject(error) : resolve(value)));
    }),
    callbackify: (call) => (...values) => {
      const callback = values.pop();
      call(...values).then((value) => callback(null, value), (error) => callback(error));
    },
    isDeepStrictEqual,
    inherits(derived, base) { Object.setPrototypeOf(derived.prototype, base.prototype); },
    deprecate: (call) => call,
    stripVTControlCharacters: (text) => `${text}`.replace(/\x1b\[[0-9;]*[A-Za-z]/g, ""),
    types: {
      isPromise: (value) => value instanceof Promise,
      isDate: (value) => value instanceof Date,
      isRegExp: (value) => value instanceof RegExp,
      isMap: (value) => value instanceof Map,
      isSet: (value) => value instanceof Set,
      isNativeError: (value) => value instanceof Error,
      isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView),
      isUint8Array: (value) => value instanceof Uint8Array,
    },
    TextEncoder: $.use("text").TextEncoder,
    TextDecoder: $.use("text").TextDecoder,
  };
  return { util };
}
