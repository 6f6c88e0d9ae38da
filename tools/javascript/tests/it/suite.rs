//! QuickJS's own tests, from the package that the engine is built from: how many pass through the tool, by feature.
//!
//! `cargo test -p javascript -- --nocapture suite` prints the counts. A test is a function that a file `test_FEATURE.js` calls at its end, or else
//! a whole file. What does not pass is listed here with the reason, so that a new failure is one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use javascript::{Request, Session};

use crate::support::World;

/// Files that are no tests by themselves, or take minutes.
const NO_TESTS: [&str; 4] = ["assert.js", "fixture", "test_worker", "microbench.js"];

const NEEDS_STD: &str = "needs the modules of the `qjs` program, qjs:std or qjs:os";
/// What does not pass, and why.
const KNOWN: [(&str, &str); 19] = [
    ("atomics-store-leak.js", "there is no SharedArrayBuffer"),
    ("bug1301.js", "there is no SharedArrayBuffer"),
    ("bug1302.js", "there is no SharedArrayBuffer"),
    ("bug1318.js", NEEDS_STD),
    ("bug1354.js", "is a text that is meant to have a syntax error"),
    ("bug1562.js", NEEDS_STD),
    ("bug1661.js", "leaves a rejection unhandled, which is an error here"),
    ("bug648.js", "is meant to end with an uncaught error"),
    ("bug775.js", "recurses deeper than the stack of the sandbox allows"),
    ("bug776.js", "recurses deeper than the stack of the sandbox allows"),
    ("function_source.js", "declares a global that is declared in another way"),
    ("import-attributes-identity.js", "expects a text and a JSON module of one file to differ"),
    ("suspended-coroutine-closure-gc.js", NEEDS_STD),
    ("suspended-coroutine-mapped-arguments-gc.js", NEEDS_STD),
    ("suspended-generator-closure-gc.js", NEEDS_STD),
    ("test_array_to_gc.js", NEEDS_STD),
    ("test_bjson.js", NEEDS_STD),
    ("test_builtin.js: test_string", "looks at how the engine keeps a string, by a global of the `qjs` program"),
    ("test_std.js", NEEDS_STD),
];

/// The folder of the package's tests, in the sources that Cargo unpacked to build it: `cargo metadata` would want those of all others too.
fn folder() -> PathBuf {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    let package = lock.split_once("name = \"rquickjs-sys\"\nversion = \"").unwrap().1;
    let version = package.split_once('"').unwrap().0;
    let home =
        std::env::var_os("CARGO_HOME").map_or_else(|| std::env::home_dir().unwrap().join(".cargo"), PathBuf::from);
    let registries = std::fs::read_dir(home.join("registry/src")).unwrap();
    let places =
        registries.map(|registry| registry.unwrap().path().join(format!("rquickjs-sys-{version}/quickjs/tests")));
    places.into_iter().find(|place| place.is_dir()).unwrap()
}

/// As `qjs` runs it: as a module if it looks like one, with two globals of that program. The value is a list of what failed and of what
/// did not, by name; empty for a file that is one test.
fn program(name: &str, text: &str) -> String {
    let before = "globalThis.print = console.log; globalThis.gc = () => {}; globalThis.$all = []; globalThis.$test = (name, done, thrown) => \
        $all.push((async () => { try { await done; return { name, error: thrown } } catch (error) { return { name, error: String(error) } } })());";
    let is_module = text.lines().any(|line| {
        let line = line.trim_start();
        ["import ", "import{", "export "].iter().any(|start| line.starts_with(start))
            || line.contains("flags: [module]")
    });
    let run = if is_module { format!("await import('./{name}')") } else { format!("{text}\n") };
    format!("{before} {run}; await Promise.all($all)")
}

/// The text with each call of a test in a line of its own told to `$test`, and without the one module that can be done without.
fn instrumented(text: &str) -> String {
    let line = |line: &str| {
        let call = line.trim_end();
        let name = call.split('(').next().unwrap_or_default();
        let is_name = name.starts_with("test") && name.chars().all(|char| char.is_alphanumeric() || char == '_');
        match call.strip_suffix(';') {
            Some(call) if is_name && call.ends_with(')') => {
                format!("try {{ $test('{name}', {call}) }} catch (error) {{ $test('{name}', 0, String(error)) }}")
            }
            _ => line.to_owned(),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Copies the tests, each ready to be run, and gives their names.
fn prepare(from: &Path, to: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name().into_string().unwrap())).unwrap();
        if path.is_dir() {
            std::fs::create_dir(to.join(&name)).unwrap();
            prepare(&path, &to.join(&name));
            continue;
        }
        let mut text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        if name == "test_builtin.js" {
            text = text.replace("import * as os from \"qjs:os\";", "const os = { platform: 'linux' };");
        }
        std::fs::write(to.join(&name), if name.starts_with("test_") { instrumented(&text) } else { text }).unwrap();
        if name.ends_with(".js") && !NO_TESTS.iter().any(|start| name.starts_with(start)) {
            names.push(name);
        }
    }
    names.sort();
    names
}

/// What a file's tests came to: the name of each, and the error of those that failed.
fn results(folder: &Path, name: &str) -> Vec<(String, Option<String>)> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let request = Request { code: program(name, &text), timeout: Some(Duration::from_secs(60)), ..Request::default() };
    let result = Session::new(Box::new(World::default()), folder.to_str().unwrap()).unwrap().run(&request);
    let value = match result {
        Ok(output) => serde_json::from_str::<serde_json::Value>(&output.value).unwrap(),
        Err(error) => return vec![(name.to_owned(), Some(error.lines().next().unwrap_or_default().to_owned()))],
    };
    let tests = value.as_array().unwrap().iter();
    let tests: Vec<_> = tests
        .map(|test| (format!("{name}: {}", test["name"].as_str().unwrap()), test["error"].as_str().map(str::to_owned)))
        .collect();
    if tests.is_empty() { vec![(name.to_owned(), None)] } else { tests }
}

#[test]
fn quickjs_passes_its_own_tests() {
    let copy = tempfile::tempdir().unwrap();
    let (mut counts, mut surprises) = (BTreeMap::<String, (u32, u32)>::new(), Vec::new());
    for file in prepare(&folder(), copy.path()) {
        let feature = file.strip_prefix("test_").map_or("regressions", |rest| rest.trim_end_matches(".js")).to_owned();
        for (name, error) in results(copy.path(), &file) {
            let (passed, failed) = counts.entry(feature.clone()).or_default();
            match (error, KNOWN.iter().find(|(known, _)| *known == name)) {
                (None, _) => *passed += 1,
                (Some(_), Some((_, reason))) => {
                    *failed += 1;
                    println!("{name} {reason}");
                }
                (Some(error), None) => surprises.push(format!("{name}: {error}")),
            }
        }
    }
    for (feature, (passed, failed)) in &counts {
        println!("{feature}: {passed} pass, {failed} do not");
    }
    let passed: u32 = counts.values().map(|(passed, _)| passed).sum();
    println!("in all: {passed} pass, {} do not", counts.values().map(|(_, failed)| failed).sum::<u32>());
    assert!(surprises.is_empty(), "{surprises:#?}");
    assert!(passed >= 150, "{passed}");
}
