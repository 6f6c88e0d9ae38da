// Timers, and what waits for them. What they do is kept here, on the engine's own heap, which has a limit.
($) => {
  const live = new Map();
  const get = live.get.bind(live), put = live.set.bind(live), drop = live.delete.bind(live);
  class Timeout {
    #number; #seconds; #nanos; #run; #delay; #repeats; #keeps = true;
    constructor(run, delay, repeats) {
      this.#run = run;
      this.#delay = +delay || 0;
      this.#repeats = repeats;
      this.#start();
    }
    #start() {
      const [number, seconds, nanos] = $.add(this.#delay, this.#keeps);
      this.#number = number;
      this.#seconds = seconds;
      this.#nanos = nanos;
      put(number, this);
    }
    #stop() {
      if (this.#number === undefined) return false;
      drop(this.#number);
      $.remove(this.#number, this.#seconds, this.#nanos);
      this.#number = undefined;
      return true;
    }
    #keep(keeps) {
      if (this.#keeps !== keeps) {
        this.#keeps = keeps;
        if (this.#stop()) this.#start();
      }
      return this;
    }
    ref() { return this.#keep(true); }
    unref() { return this.#keep(false); }
    hasRef() { return this.#keeps; }
    refresh() { this.#stop(); this.#start(); return this; }
    close() { this.#stop(); return this; }
    [Symbol.toPrimitive]() { return this.#number ?? 0; }
    static clear(handle) {
      const timer = handle instanceof Timeout ? handle : get(+handle);
      timer?.#stop();
    }
    static fire(number) {
      const timer = get(number);
      if (timer === undefined) return;
      drop(number);
      timer.#number = undefined;
      if (timer.#repeats) timer.#start();
      const run = timer.#run;
      run();
    }
  }
  $.onfire(Timeout.fire);
  const make = (repeats) => (callback, delay, ...values) => {
    if (typeof callback !== "function") throw new TypeError("the callback is not a function");
    return new Timeout(values.length ? () => callback(...values) : callback, delay, repeats);
  };
  const setTimeout = make(false), setInterval = make(true);
  const setImmediate = (callback, ...values) => setTimeout(callback, 0, ...values);
  const clearTimeout = (handle) => { if (handle !== undefined && handle !== null) Timeout.clear(handle); };
  const wait = (delay, value, options) => new Promise((resolve, reject) => {
    const signal = options?.signal;
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => resolve(value), delay);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
  return {
    setTimeout, setInterval, setImmediate,
    clearTimeout, clearInterval: clearTimeout, clearImmediate: clearTimeout,
    queueMicrotask(callback) {
      if (typeof callback !== "function") throw new TypeError("the callback is not a function");
      Promise.resolve().then(() => callback());
    },
    promises: { setTimeout: wait, setImmediate: (value) => wait(0, value), scheduler: { wait } },
    perf_hooks: { performance: globalThis.performance },
  };
}
