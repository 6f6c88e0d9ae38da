// Events, and signals that end a request.
($) => {
  class Event {
    constructor(type, options = {}) {
      Object.assign(this, { type: `${type}`, cancelable: !!options.cancelable, defaultPrevented: false, target: null });
    }
    preventDefault() { if (this.cancelable) this.defaultPrevented = true; }
  }
  class EventTarget {
    #listeners = new Map();
    addEventListener(type, listener, options = {}) {
      const list = this.#listeners.get(type) ?? [];
      if (listener && !list.some((known) => known.listener === listener)) list.push({ listener, once: !!options.once });
      this.#listeners.set(type, list);
    }
    removeEventListener(type, listener) {
      this.#listeners.set(type, (this.#listeners.get(type) ?? []).filter((known) => known.listener !== listener));
    }
    dispatchEvent(event) {
      event.target = this;
      for (const { listener, once } of [...(this.#listeners.get(event.type) ?? [])]) {
        if (once) this.removeEventListener(event.type, listener);
        if (typeof listener === "function") listener.call(this, event);
        else listener.handleEvent(event);
      }
      this[`on${event.type}`]?.(event);
      return !event.defaultPrevented;
    }
  }
  const key = Symbol("signal");
  class AbortSignal extends EventTarget {
    #reason;
    constructor(given) {
      super();
      if (given !== key) throw new TypeError("a signal comes from an AbortController");
    }
    get aborted() { return this.#reason !== undefined; }
    get reason() { return this.#reason; }
    throwIfAborted() { if (this.aborted) throw this.#reason; }
    static fire(signal, reason) {
      if (signal.aborted) return;
      signal.#reason = reason ?? new DOMException("The operation was aborted", "AbortError");
      signal.dispatchEvent(new Event("abort"));
    }
    static abort(reason) {
      const signal = new AbortSignal(key);
      fire(signal, reason);
      return signal;
    }
    static timeout(delay) {
      const signal = new AbortSignal(key);
      const { setTimeout } = $.use("timers");
      setTimeout(() => fire(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError")), delay).unref();
      return signal;
    }
    static any(signals) {
      const joined = new AbortSignal(key);
      for (const signal of signals) {
        if (signal.aborted) fire(joined, signal.reason);
        else signal.addEventListener("abort", () => fire(joined, signal.reason), { once: true });
      }
      return joined;
    }
  }
  const { fire } = AbortSignal;
  delete AbortSignal.fire;
  class AbortController {
    #signal = new AbortSignal(key);
    get signal() { return this.#signal; }
    abort(reason) { fire(this.#signal, reason); }
  }
  // The emitter of Node.js, as far as programs without streams use it.
  class EventEmitter {
    #listeners = new Map();
    on(name, listener) {
      if (typeof listener !== "function") throw new TypeError("the listener is not a function");
      this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
      return this;
    }
    once(name, listener) {
      const once = (...values) => { this.off(name, once); listener.apply(this, values); };
      once.listener = listener;
      return this.on(name, once);
    }
    off(name, listener) {
      this.#listeners.set(name, (this.#listeners.get(name) ?? []).filter((known) => known !== listener && known.listener !== listener));
      return this;
    }
    emit(name, ...values) {
      const list = this.#listeners.get(name) ?? [];
      if (name === "error" && !list.length) throw values[0] instanceof Error ? values[0] : new Error(`unhandled error event: ${values[0]}`);
      for (const listener of list) listener.apply(this, values);
      return list.length > 0;
    }
    listenerCount(name) { return this.#listeners.get(name)?.length ?? 0; }
    removeAllListeners(name) {
      if (name === undefined) this.#listeners.clear();
      else this.#listeners.delete(name);
      return this;
    }
    addListener(name, listener) { return this.on(name, listener); }
    removeListener(name, listener) { return this.off(name, listener); }
  }
  EventEmitter.EventEmitter = EventEmitter;
  return { Event, EventTarget, AbortSignal, AbortController, EventEmitter };
}
