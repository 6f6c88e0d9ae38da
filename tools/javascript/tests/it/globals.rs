//! What is there besides the language.

use crate::support::{check, error, run};

#[test]
fn console_prints_as_node_does() {
    for (code, expected) in [
        ("console.log('a', 1, true, null, undefined)", "a 1 true null undefined"),
        ("console.log({a: 1, b: 'x', c: [1, 2]})", "{ a: 1, b: 'x', c: [ 1, 2 ] }"),
        ("console.log([], {}, [[]])", "[] {} [ [] ]"),
        ("console.log({a: {b: {c: {d: 1}}}})", "{\n  a: {\n    b: { c: [Object] }\n  }\n}"),
        ("console.log(new Map([['k', {v: 1}]]), new Set([1]))", "Map(1) { 'k' => { v: 1 } } Set(1) { 1 }"),
        ("console.log('%s is %d %% %j', 'x', 4, {a: 1}, 'rest')", "x is 4 % {\"a\":1} rest"),
        ("class A { x = 1 }; console.log(new A, A, () => {})", "A { x: 1 } [class A] [Function (anonymous)]"),
        ("console.log(-0, 10n, Symbol('s'), [undefined, null])", "-0 10n Symbol(s) [ undefined, null ]"),
        ("console.log(Object.create(null))", "[Object: null prototype] {}"),
        ("console.log(new Uint8Array(2))", "Uint8Array(2) [ 0, 0 ]"),
        ("const a = []; a.push(a); console.log(a)", "[ [Circular] ]"),
        ("console.log([\"it's\"], ['a\\nb'])", "[ \"it's\" ] [ 'a\\nb' ]"),
        ("console.group('g'); console.log('in'); console.groupEnd(); console.log('out')", "g\n  in\nout"),
        (
            "console.table([{a: 1}, {a: 2, b: 'x'}])",
            "| (index) | a | b   |\n|---------|---|-----|\n| 0       | 1 |     |\n| 1       | 2 | 'x' |",
        ),
        ("console.log(Promise.resolve(1), new Date(0))", "Promise { 1 } 1970-01-01T00:00:00.000Z"),
        ("console.count(); console.count()", "default: 1\ndefault: 2"),
        ("console.log('100%')", "100%"),
    ] {
        let output = run(&format!("{code}; 0")).unwrap();
        // The exact breaking of long objects is not what is tested here.
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(flat(&output.stdout), flat(expected), "{code}");
    }
    let output = run("console.error('e'); console.warn('w'); console.assert(false, 'no')").unwrap();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", "e\nw\nAssertion failed: no\n"));
}

#[test]
fn timers_run_in_the_order_they_are_due() {
    check(&[
        (
            "const seen = []; setTimeout(() => seen.push('b'), 20); setTimeout(() => seen.push('a'), 10); queueMicrotask(() => \
             seen.push('m')); await new Promise(done => setTimeout(done, 30)); seen",
            r#"["m","a","b"]"#,
        ),
        (
            "let n = 0; await new Promise(done => { const i = setInterval(() => { if (++n === 3) { clearInterval(i); done() } }, 5) }); n",
            "3",
        ),
        (
            "const t = setTimeout(() => { throw 1 }, 5); clearTimeout(t); clearTimeout(undefined); clearTimeout(99); 1",
            "1",
        ),
        ("const { setTimeout: wait } = require('timers/promises'); await wait(10, 'v')", r#""v""#),
        ("setTimeout(() => {}, 100000).unref(); 1", "1"),
        ("await new Promise(done => setImmediate(done, 2))", "2"),
        ("const t = performance.now(); await new Promise(d => setTimeout(d, 1)); performance.now() >= t", "true"),
    ]);
    let output = run("setTimeout(() => console.log('after'), 10); 1").unwrap();
    assert_eq!((output.value.as_str(), output.stdout.as_str()), ("1", "after\n"));
}

#[test]
fn urls_and_text() {
    check(&[
        ("new URL('../b?x=1#h', 'https://u:p@e.org:8080/a/c').href", r##""https://u:p@e.org:8080/b?x=1#h""##),
        (
            "const u = new URL('http://e.org'); u.pathname = '/a b'; u.searchParams.set('q', 'ä&'); u.port = '81'; `${u}`",
            r#""http://e.org:81/a%20b?q=%C3%A4%26""#,
        ),
        ("[...new URLSearchParams('a=1&b=2&a=3').getAll('a')]", r#"["1","3"]"#),
        ("new URLSearchParams({x: 'a b', y: '+'}).toString()", r#""x=a+b&y=%2B""#),
        ("URL.canParse('nope')", "false"),
        ("new URL('http://xn--nxasmq6b.example/').hostname", r#""xn--nxasmq6b.example""#),
        ("new TextDecoder().decode(new TextEncoder().encode('äöü€😀'))", r#""äöü€😀""#),
        ("new TextDecoder('utf-16le').decode(new Uint8Array([0x61, 0, 0x3d, 0xd8, 0, 0xde]))", r#""a😀""#),
        (
            "const d = new TextDecoder(); d.decode(new Uint8Array([0xe2, 0x82]), {stream: true}) + d.decode(new Uint8Array([0xac]))",
            r#""€""#,
        ),
        ("new TextDecoder().decode(new Uint8Array([255]))", "\"\u{fffd}\""),
        ("btoa('hällo') + atob('aGk=')", r#""aORsbG8=hi""#),
        ("'\\ud800'", "\"\u{fffd}\""),
    ]);
    assert!(error("new URL('nope')").contains("Invalid URL"));
    assert!(error("new TextDecoder('utf-8', {fatal: true}).decode(new Uint8Array([255]))").contains("not utf-8"));
    assert!(error("atob('*')").contains("not base64"));
}

#[test]
fn bytes_digests_and_clones() {
    check(&[
        ("Buffer.from('héllo').toString('hex')", r#""68c3a96c6c6f""#),
        (
            "Buffer.from('aGk', 'base64').toString() + Buffer.from('6869', 'hex') + Buffer.concat([Buffer.from('a'), Buffer.from('b')])",
            r#""hihiab""#,
        ),
        (
            "const b = Buffer.alloc(8); b.writeUInt32BE(0xdeadbeef, 0); b.writeInt16LE(-2, 4); [b.readUInt32BE(0), b.readInt16LE(4), b.toString('base64')]",
            r#"[3735928559,-2,"3q2+7/7/AAA="]"#,
        ),
        (
            "Buffer.from('abc').equals(Buffer.from('abc')) && Buffer.isBuffer(Buffer.from('x').subarray(0)) && Buffer.byteLength('€') === 3",
            "true",
        ),
        (
            "Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'))).toString('hex')",
            r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
        ),
        (
            "require('crypto').createHash('sha1').update('abc').digest('hex')",
            r#""a9993e364706816aba3e25717850c26c9cd0d89d""#,
        ),
        ("require('crypto').createHash('sha512').update('').digest('base64').length", "88"),
        ("crypto.randomUUID()", r#""00010203-0405-4607-8809-0a0b0c0d0e0f""#),
        ("crypto.getRandomValues(new Uint8Array(3)).join()", r#""0,1,2""#),
        (
            "const a = {d: new Date(0), m: new Map([[1, {x: 1}]]), l: [1, [2]]}; a.me = a; const c = structuredClone(a); c !== a && c.me === c && c.d.getTime() === 0 && c.m.get(1).x === 1 && c.m.get(1) !== a.m.get(1)",
            "true",
        ),
        ("structuredClone(new Uint16Array([1, 500])).join()", r#""1,500""#),
        ("require('assert').deepStrictEqual({a: [1, new Map([[1, 2]])]}, {a: [1, new Map([[1, 2]])]}); 1", "1"),
        ("require('util').inspect({a: 'b'}) + require('util').format('%s', 'x')", r#""{ a: 'b' }x""#),
    ]);
    assert!(error("structuredClone(() => 1)").contains("could not be cloned"));
    assert!(error("await crypto.subtle.digest('MD5', new Uint8Array())").contains("SHA-256"));
    assert!(error("require('assert').strictEqual(1, 2)").contains("AssertionError: Expected 1 to be 2"));
}

#[test]
fn signals_and_events() {
    check(&[
        (
            "const c = new AbortController(); let seen = 0; c.signal.addEventListener('abort', () => seen++); c.abort(); c.abort(); [seen, c.signal.aborted, c.signal.reason.name]",
            r#"[1,true,"AbortError"]"#,
        ),
        (
            "const s = AbortSignal.timeout(10); await new Promise(d => setTimeout(d, 20)); s.reason.name",
            r#""TimeoutError""#,
        ),
        (
            "const E = require('events'); const e = new E(); let n = 0; e.once('x', v => n += v); e.emit('x', 2); e.emit('x', 2); n",
            "2",
        ),
    ]);
}

#[test]
fn globals_can_be_replaced() {
    check(&[
        ("globalThis.fetch = async () => 'mine'; await fetch('x')", r#""mine""#),
        ("const fs = 1; fs", "1"),
        ("var console = 2; console", "2"),
        ("function fetch() { return 3 }; fetch()", "3"),
        ("const { join } = require('node:path'); join('a', 'b')", r#""a/b""#),
        ("typeof window + typeof global + typeof self", r#""undefinedobjectobject""#),
    ]);
    assert!(error("require('lodash')").contains("no packages"));
    assert!(error("await import('lodash')").contains("no packages"));
}
