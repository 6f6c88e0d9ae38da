//! Programs that mean no good: each ends, in an error of the language or with a true value, and the engine goes on.

use std::time::Duration;

use javascript::{Request, Session};

use crate::support::{World, error, request, run, session, value};

fn limited(code: &str, millis: u64) -> Result<String, String> {
    let mut session = session();
    let request = Request { code: code.to_owned(), timeout: Some(Duration::from_millis(millis)), ..Request::default() };
    let result = session.run(&request).map(|output| output.value);
    // Whatever it did, the next program of the session runs.
    assert_eq!(session.run(&crate::support::request("6 * 7")).unwrap().value, "42", "{code}");
    result
}

#[test]
fn what_does_not_end_is_stopped() {
    for code in [
        "for (;;) {}",
        "while (true) { try { for (;;) {} } catch {} finally { continue } }",
        "(function f() { Promise.resolve().then(f) })()",
        "const f = async () => { for (;;) await null }; await f()",
        "/^(a+)+$/.test('a'.repeat(40) + 'b')",
        "setInterval(() => {}, 1)",
        "await new Promise(done => setTimeout(done, 1e9))",
        "export default function () { for (;;) {} }",
        "({ toJSON() { for (;;) {} } })",
        "console.log({ get a() { for (;;) {} } })",
        "new Proxy({}, { ownKeys() { for (;;) {} } })",
        "[3, 2, 1].sort(() => { for (;;) {} })",
        "setTimeout(() => { for (;;) {} }, 1); 1",
    ] {
        let text = limited(code, 200).expect_err(code);
        assert!(text.contains("`timeout_ms` of 200") || text.contains("out of memory"), "{code}: {text}");
    }
}

#[test]
fn what_was_stopped_half_way_does_not_go_on_in_the_next_run() {
    let mut session = session();
    // Two of them, so that one waits while the other is stopped, wherever that is.
    let chain = "globalThis.kept = 1; function next() { Promise.resolve().then(next) } next(); next()";
    let stopped = Request { code: chain.to_owned(), timeout: Some(Duration::from_millis(50)), ..Request::default() };
    session.run(&stopped).unwrap_err();
    let output = session.run(&request("typeof kept")).unwrap();
    assert_eq!(output.value, "\"undefined\"");
    assert!(output.notes.iter().any(|note| note.contains("is gone")), "{:?}", output.notes);
    // Stopped, but with nothing left to do: the globals stay.
    session.run(&Request { code: "globalThis.kept = 1; for (;;) {}".to_owned(), ..stopped }).unwrap_err();
    assert_eq!(session.run(&request("kept")).unwrap().value, "1");
}

#[test]
fn recursion_ends_in_a_range_error_that_can_be_caught() {
    for code in [
        "function f() { return f() + 1 } f()",
        "const o = { get a() { return this.a } }; o.a",
        "const a = {}; a.toString = () => `${a}`; `${a}`",
        "function f(x) { return [1].map(() => f(x)) } f()",
        "const p = new Proxy({}, { get(t, k, r) { return r[k] } }); p.x",
        "class A { constructor() { new A() } } new A()",
        "let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); f()",
        "JSON.parse('['.repeat(1e6))",
        "let o = []; for (let i = 0; i < 1e5; i++) o = [o]; JSON.stringify(o)",
        "eval('('.repeat(1e6))",
        "new RegExp('('.repeat(1e6))",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; a.flat(Infinity)",
        "function* g() { yield* g() } [...g()]",
        "const s = structuredClone; let a = {}; for (let i = 0; i < 1e5; i++) a = {a}; s(a)",
    ] {
        let caught =
            value(&format!("let kind; try {{ {code}; kind = 'ended' }} catch (error) {{ kind = error.name }} kind"));
        assert!(
            ["\"RangeError\"", "\"SyntaxError\"", "\"InternalError\"", "\"ended\""].contains(&caught.as_str()),
            "{code}: {caught}"
        );
    }
    assert!(error("function f() { f() } f()").contains("RangeError: Maximum call stack size exceeded"));
    assert_eq!(value("let o = null; for (let i = 0; i < 1e4; i++) o = [o]; o").matches('[').count(), 257);
}

#[test]
fn memory_ends_in_an_error_that_can_be_caught() {
    for code in [
        "const a = []; for (;;) a.push(new Array(1000).fill(1.5))",
        "let s = 'x'; for (;;) s += s",
        "new ArrayBuffer(1e9)",
        "'x'.repeat(2 ** 29)",
        "const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })",
        "Array(3e7).fill().map((_, i) => i).join()",
    ] {
        let caught = value(&format!("let kind = 'none'; try {{ {code} }} catch (error) {{ kind = error.name }} kind"));
        assert!(
            caught.contains("out of memory") || ["\"RangeError\"", "\"InternalError\""].contains(&caught.as_str()),
            "{code}: {caught}"
        );
    }
    assert!(error("const a = []; for (;;) a.push({})").contains("heap holds 112 MiB"));
}

#[test]
fn answers_are_cut_and_keep_both_ends() {
    let output = run("for (let i = 0; i < 100000; i++) console.log('line ' + i); 'x'.repeat(1e6)").unwrap();
    assert!(output.stdout.starts_with("line 0\n") && output.stdout.ends_with("line 99999\n"));
    assert!(output.stdout.contains("bytes of stdout left out]") && output.stdout.len() < 97 * 1024);
    assert!(
        output.value.len() < 140 * 1024 && output.value.starts_with("\"\\\"xxx") && output.value.ends_with("xxx\\\"\"")
    );
    assert!(output.notes.iter().any(|note| note.contains("1000002 bytes")), "{:?}", output.notes);
    let text = error("throw new Error('x'.repeat(1e6))");
    assert!(text.len() < 40 * 1024, "{}", text.len());
}

#[test]
fn many_timers_are_just_slow() {
    let code = "let n = 0; for (let i = 0; i < 2e4; i++) setTimeout(() => n++, i % 7); await new Promise(d => setTimeout(d, 100)); n";
    assert_eq!(value(code), "20000");
    let kept =
        "const t = []; for (let i = 0; i < 2e4; i++) t.push(setTimeout(() => {}, 1e6)); t.forEach(clearTimeout); 'all'";
    assert_eq!(value(kept), "\"all\"");
}

#[test]
fn games_with_prototypes_hurt_only_the_program() {
    for code in [
        "Object.prototype.toJSON = () => { throw 1 }; ({a: 1})",
        "Array.prototype.push = Array.prototype.map = Array.prototype[Symbol.iterator] = null; console.log([1], {a: [2]}); [1]",
        "Object.defineProperty(Object.prototype, 'then', { get() { throw new Error('then') } }); ({})",
        "Error.prototype.toString = Error.prototype.name = null; Error.prepareStackTrace = () => { throw 1 }; throw new Error('x')",
        "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { throw e } }); Object.defineProperty(e, 'message', { get() { throw e } }); throw e",
        "Promise.prototype.then = () => { throw 1 }; await 1; Promise.resolve(2)",
        "globalThis.Promise = null; globalThis.Map = null; globalThis.Error = null; console.log(1); fetch",
        "Symbol.prototype[Symbol.toPrimitive] = null; Symbol('x')",
        "delete globalThis.globalThis; delete globalThis.input; Object.freeze(globalThis); 1",
        "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = null; setTimeout(() => {}, 1); console.log(1)",
        "throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })",
        "throw new Proxy(new Error('p'), { get() { throw 1 } })",
        "console.log(new Proxy([], { get() { throw 1 } }), new Proxy(function () {}, {}), Object.create(Map.prototype), Object.create(Date.prototype))",
        "class Evil extends Array { get length() { throw 1 } } new Evil(3)",
        "class Evil extends Map { forEach() { throw 1 } get size() { return 1e9 } } new Evil([[1, 2]])",
        "({ [Symbol.toStringTag]: { toString() { throw 1 } }, constructor: { get name() { throw 2 } } })",
        "Object.defineProperty(globalThis, 'input', { get() { throw 1 }, set() { throw 2 }, configurable: false }); 1",
        "process.exit({ valueOf() { throw 1 } })",
        "Object.setPrototypeOf(globalThis, new Proxy({}, { get() { throw 1 }, has() { return true } })); console.log(1)",
        "new Uint8Array(new ArrayBuffer(8).transfer(16)); const a = new ArrayBuffer(8); const u = new Uint8Array(a); a.transfer(); console.log(u, a); u",
        "const u = new Uint8Array(4); Object.defineProperty(u, 'byteLength', { value: -1 }); Object.defineProperty(u, 'byteOffset', { value: 1e9 }); new TextDecoder().decode(u)",
        "await tools.toString(); tools[Symbol.iterator]; `${tools}`",
        "require('fs').readFileSync = null; fs.readFileSync",
        "Object.prototype.value = 'polluted'; Object.prototype.url = 1; Object.prototype.cause = Object.prototype; throw new Error('x')",
    ] {
        let mut session = Session::new(Box::new(World::default()), "/").unwrap();
        // Whether it is a value or an error does not matter; that there is an answer does.
        let answer = session.run(&request(code));
        assert!(
            answer.as_ref().map_or_else(|error| !error.is_empty(), |output| !output.value.is_empty()),
            "{code}: {answer:?}"
        );
        drop(session.run(&request("1")));
    }
}

#[test]
fn odd_texts_are_no_programs() {
    assert!(error("1;\n\0").contains("NUL character in line 2"));
    assert_eq!(value("'\u{feff}x\u{2028}'.length"), "3");
    assert!(error(&"{".repeat(100_000)).contains("SyntaxError") || error(&"{".repeat(100_000)).contains("RangeError"));
    assert_eq!(value(&format!("{}1", "1+".repeat(20_000))), "20001");
}
