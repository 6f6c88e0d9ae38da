//! Programs, their values and their errors.

use crate::support::{check, error, request, run, session, value};
use javascript::Request;

#[test]
fn the_value_is_that_of_the_last_expression() {
    check(&[
        ("1+1", "2"),
        ("const a = 2; a * 3", "6"),
        ("'x\\n\"'", r#""x\n\"""#),
        ("({a: [1, {b: null}], c: undefined})", r#"{"a":[1,{"b":null}]}"#),
        ("await Promise.resolve(7)", "7"),
        ("new Promise(done => setTimeout(() => done('late'), 50))", r#""late""#),
        ("for (let i = 0; i < 3; i++) i", "2"),
        ("", "null"),
        ("1e21", "1e+21"),
        ("-0", "0"),
        ("0.1", "0.1"),
        ("[1,,3]", "[1,null,3]"),
        ("({then(done) { done(5) }})", "5"),
        ("with ({a: 1}) { a }", "1"),
    ]);
}

#[test]
fn main_and_exports_give_the_value_where_there_is_no_last_expression() {
    check(&[
        ("function main() { return 1 }", "1"),
        ("async function main(input) { return await 2 }", "2"),
        ("const main = async () => 3", "3"),
        ("let calls = 0; function main() { calls++; return 4 }\nmain();\ncalls", "1"),
        ("let n = 0; async function main() { n++ }\nawait main(); n", "1"),
        ("export default 5", "5"),
        ("export default async function () { return 6 }", "6"),
        ("export function main(input) { return input === undefined }", "true"),
        ("export default class A { static b = 1 }", r#""[class A]""#),
        ("export const a = 1", "null"),
        ("import path from 'path'; path.join('a', '..', 'b')", r#""b""#),
        ("import { join as j, default as p } from 'node:path'\nj('a', 'b') + p.sep", r#""a/b/""#),
        ("import * as p from 'path'; typeof p.join", r#""function""#),
        ("import path from 'path'; export default path.basename('/a/b.c')", r#""b.c""#),
    ]);
    assert!(error("import { nothing } from 'path'; 1").contains("does not export `nothing`"));
}

#[test]
fn input_is_a_global_and_the_argument_of_main() {
    let mut session = session();
    let given = |code: &str, input: &str| Request { input: Some(input.to_owned()), ..request(code) };
    assert_eq!(session.run(&given("input.a + 1", r#"{"a":1}"#)).unwrap().value, "2");
    assert_eq!(session.run(&given("function main({a}) { return a }", r#"{"a":"b"}"#)).unwrap().value, r#""b""#);
    assert_eq!(session.run(&request("typeof input")).unwrap().value, r#""undefined""#);
    assert!(session.run(&given("1", "{")).unwrap_err().contains("`input` is not JSON"));
}

#[test]
fn what_json_cannot_say_is_described() {
    for (code, expected, note) in [
        ("undefined", "null", "undefined"),
        ("10n ** 20n", r#""100000000000000000000""#, "BigInt"),
        ("new Map([['a', 1]])", r#"{"a":1}"#, "Map"),
        ("new Map([[1, 2]])", "[[1,2]]", "array of [key, value]"),
        ("new Set([1, 2])", "[1,2]", "Set"),
        ("(function f() {})", r#""[Function: f]""#, "function"),
        ("Symbol('s')", r#""Symbol(s)""#, "symbol"),
        ("NaN", "null", "NaN"),
        ("const a = {}; a.a = a; a", r#"{"a":"[Circular]"}"#, "contains itself"),
        ("new Uint8Array([1, 2])", "[1,2]", "typed array"),
        ("new TypeError('no')", r#""TypeError: no""#, "Error"),
        ("({get a() { throw new Error('x') }})", r#"{"a":"[Throws: Error: x"#, "threw"),
        ("({p: Promise.resolve(1)})", r#"{"p":"Promise { 1 }"}"#, "not awaited"),
    ] {
        let output = run(code).unwrap();
        assert!(output.value.starts_with(expected), "{code}: {}", output.value);
        assert!(output.notes.iter().any(|known| known.contains(note)), "{code}: {:?}", output.notes);
    }
    check(&[
        ("new Date(0)", r#""1970-01-01T00:00:00.000Z""#),
        ("/a/g", r#""/a/g""#),
        ("({toJSON() { return 1 }})", "1"),
    ]);
}

#[test]
fn errors_have_the_lines_of_the_program() {
    let text = error("function f() {\n  null.x\n}\n\nf()");
    assert!(text.starts_with("TypeError: cannot read property 'x' of null"), "{text}");
    assert!(text.contains("at f (script.js:2:") && text.contains("script.js:5:"), "{text}");
    let text = error("const a = 1;\nconst b = = 2;");
    assert!(
        text.starts_with("SyntaxError") && text.contains("script.js:2:") && text.contains("\n\nconst b = = 2;"),
        "{text}"
    );
    let text = error("import fs from 'fs'\n\nexport const a = ;");
    assert!(text.contains("script.js:3:"), "{text}");
    let text = error("import fs from 'fs';\nimport {\n join } from 'path';\nthrow new Error('here')");
    assert!(text.contains("script.js:4:"), "{text}");
    let text = error("throw new Error('outer', { cause: new RangeError('inner') })");
    assert!(text.contains("Error: outer") && text.contains("Caused by: RangeError: inner"), "{text}");
    assert!(error("throw 'text'").contains("'text'"));
    let text = error("console.log('before'); console.error('too'); undefined.x");
    assert!(text.contains("stdout until then:\nbefore") && text.contains("stderr until then:\ntoo"), "{text}");
    assert!(!text.contains("caplet:"), "{text}");
}

#[test]
fn a_rejection_that_nothing_handles_is_an_error() {
    assert!(error("Promise.reject(new Error('lost')); 1").contains("Unhandled rejection: Error: lost"));
    assert!(error("setTimeout(() => { throw new Error('in a timer') }, 5); 1").contains("in a timer"));
    assert_eq!(value("const p = Promise.reject(1); p.catch(() => {}); 2"), "2");
    assert_eq!(value("try { await Promise.reject(new Error('x')) } catch (e) { e.message }"), r#""x""#);
    assert!(error("await Promise.any([Promise.reject(new Error('first'))])").contains("first"));
    assert!(error("await new Promise(() => {})").contains("nothing can settle"));
}

#[test]
fn a_session_keeps_its_globals() {
    let mut session = session();
    session.run(&request("globalThis.n = 1; function f() { return n + 1 }")).unwrap();
    assert_eq!(session.run(&request("n = f()")).unwrap().value, "2");
    session.run(&request("import fs from 'fs'")).unwrap();
    assert_eq!(session.run(&request("import fs from 'fs'; typeof fs.readFileSync")).unwrap().value, r#""function""#);
    assert!(session.run(&request("setInterval(() => {}, 10); throw new Error('x')")).is_err());
    assert_eq!(session.run(&request("f()")).unwrap().value, "3");
}

#[test]
fn exit_ends_the_program() {
    let output = run("console.log('a'); process.exit(0); console.log('b')").unwrap();
    assert_eq!((output.value.as_str(), output.stdout.as_str()), ("null", "a\n"));
    assert!(error("process.exit(3)").contains("process.exit(3)"));
    assert!(error("setTimeout(() => process.exit(4), 1); await new Promise(() => {})").contains("process.exit(4)"));
}
