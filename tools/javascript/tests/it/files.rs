//! Files, modules of files, and what the file system's errors become.

use std::path::Path;

use javascript::{Output, Session};

use crate::support::{World, request};

fn run_in(folder: &Path, code: &str) -> Result<Output, String> {
    Session::new(Box::new(World::default()), folder.to_str().unwrap()).unwrap().run(&request(code))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn files_are_read_and_written() {
    let folder = folder(&[("a.txt", "hëllo"), ("d/b.txt", "b"), ("d/e/c.txt", "c")]);
    for (code, expected) in [
        ("fs.readFileSync('a.txt', 'utf8')", r#""hëllo""#),
        ("(await fs.promises.readFile('a.txt')).toString('base64')", r#""aMOrbGxv""#),
        ("import { readFile } from 'fs/promises'; await readFile('a.txt', {encoding: 'utf-8'})", r#""hëllo""#),
        (
            "await new Promise((done, failed) => fs.readFile('a.txt', 'utf8', (error, text) => error ? failed(error) : done(text)))",
            r#""hëllo""#,
        ),
        (
            "fs.writeFileSync('n.txt', 'x'); fs.appendFileSync('n.txt', 'y'); fs.readFileSync('n.txt', 'utf8')",
            r#""xy""#,
        ),
        ("fs.writeFileSync('n.bin', new Uint8Array([0, 255, 254])); [...fs.readFileSync('n.bin')]", "[0,255,254]"),
        ("fs.readFileSync('n.bin', 'utf8')", "\"\\u0000\u{fffd}\u{fffd}\""),
        ("fs.readdirSync('d', {recursive: true})", r#"["b.txt","e","e/c.txt"]"#),
        ("fs.readdirSync('.', {withFileTypes: true}).filter(e => e.isDirectory()).map(e => e.name)", r#"["d"]"#),
        (
            "const s = await fs.promises.stat('a.txt'); [s.size, s.isFile(), s.isDirectory(), s.mtime instanceof Date]",
            "[6,true,false,true]",
        ),
        ("fs.existsSync('a.txt') && !fs.existsSync('zzz')", "true"),
        (
            "fs.mkdirSync('x/y/z', {recursive: true}); fs.renameSync('n.txt', 'x/y/n.txt'); fs.copyFileSync('x/y/n.txt', 'x/m.txt'); fs.readdirSync('x')",
            r#"["m.txt","y"]"#,
        ),
        ("fs.cpSync('d', 'copy', {recursive: true}); fs.readFileSync('copy/e/c.txt', 'utf8')", r#""c""#),
        (
            "fs.rmSync('x', {recursive: true}); fs.rmSync('gone', {force: true}); fs.unlinkSync('n.bin'); fs.existsSync('x')",
            "false",
        ),
        ("fs.statSync('zzz', {throwIfNoEntry: false}) === undefined", "true"),
    ] {
        assert_eq!(run_in(folder.path(), code).map(|output| output.value), Ok(expected.to_owned()), "{code}");
    }
}

#[test]
fn errors_have_the_codes_that_programs_look_at() {
    let folder = folder(&[("a.txt", "a"), ("d/b.txt", "b")]);
    for (call, code) in [
        ("readFileSync('zzz')", "ENOENT"),
        ("readFileSync('d')", "EISDIR"),
        ("readdirSync('a.txt')", "ENOTDIR"),
        ("mkdirSync('d')", "EEXIST"),
        ("rmdirSync('d')", "ENOTEMPTY"),
        ("writeFileSync('a.txt', '', {flag: 'wx'})", "EEXIST"),
        ("readFileSync('a\\0b')", "EINVAL"),
        ("readFileSync('')", "EINVAL"),
    ] {
        let program =
            format!("try {{ fs.{call}; 'no error' }} catch (error) {{ [error.code, error instanceof Error] }}");
        assert_eq!(run_in(folder.path(), &program).unwrap().value, format!(r#"["{code}",true]"#), "{call}");
    }
    let text = run_in(folder.path(), "fs.readFileSync('a.tx')").unwrap_err();
    assert!(text.contains("ENOENT") && text.contains("Did you mean") && text.contains("script.js:1:"), "{text}");
    let text = run_in(folder.path(), "fs.writeFileSync('o.json', {a: 1})").unwrap_err();
    assert!(text.contains("JSON.stringify"), "{text}");
}

#[test]
fn modules_are_found_by_their_paths() {
    let folder = folder(&[
        (
            "lib/sum.js",
            "import { one } from './one.mjs';\nexport const sum = (...n) => n.reduce((a, b) => a + b, one);\nexport default 'd';",
        ),
        ("lib/one.mjs", "export const one = 1; export let here = import.meta.filename;"),
        ("data.json", r#"{"k": [1, 2]}"#),
        (
            "old.cjs",
            "const p = require('path'); module.exports = { up: p.basename(__dirname), self: require('./data.json').k };",
        ),
        ("bad.js", "const a = 1;\nconst b = ;\n"),
        ("throws.js", "export const a = 1;\n\nthrow new Error('from a module');"),
        ("loop-a.js", "import { b } from './loop-b.js'; export const a = 'a'; export const both = () => a + b;"),
        ("loop-b.js", "import { a } from './loop-a.js'; export const b = 'b'; export const late = () => a;"),
        ("nul.js", "a\0b"),
    ]);
    for (code, expected) in [
        ("import d, { sum } from './lib/sum.js'; [d, sum(1, 2)]", r#"["d",4]"#),
        ("const { one } = await import('./lib/one.mjs'); one", "1"),
        ("import data from './data.json'; data.k", "[1,2]"),
        ("import data from './data.json' with { type: 'json' }; data.k[1]", "2"),
        ("require('./data.json').k.length", "2"),
        ("require('./old').self", "[1,2]"),
        ("import { both } from './loop-a.js'; both()", r#""ab""#),
        ("import { sum } from './lib/sum.js'; export default sum(4)", "5"),
        ("(await import('./lib/one.mjs')).here.endsWith('/lib/one.mjs')", "true"),
    ] {
        assert_eq!(run_in(folder.path(), code).map(|output| output.value), Ok(expected.to_owned()), "{code}");
    }
    for (code, expected) in [
        ("import './bad.js'", "bad.js:2:"),
        ("import './throws.js'", "throws.js:3:"),
        ("import './missing.js'", "ENOENT"),
        ("import { zzz } from './lib/one.mjs'; 1", "`zzz`"),
        ("import './nul.js'", "NUL character in line 1"),
    ] {
        let text = run_in(folder.path(), code).unwrap_err();
        assert!(text.contains(expected), "{code}: {text}");
    }
}
