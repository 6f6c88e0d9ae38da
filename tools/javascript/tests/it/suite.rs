//! QuickJS's own tests, from the package that the engine is built from: how many of its files pass through the tool.
//!
//! `cargo test -p javascript -- --nocapture suite` prints the counts. What does not pass is listed here with the reason, so that a new
//! failure is one.

use std::path::PathBuf;
use std::process::Command;
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
    ("test_builtin.js", NEEDS_STD),
    ("test_std.js", NEEDS_STD),
];

/// The folder of the package's tests.
fn folder() -> PathBuf {
    let output = Command::new(env!("CARGO")).args(["metadata", "--format-version", "1", "--offline"]).output().unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "rquickjs-sys").unwrap();
    PathBuf::from(package["manifest_path"].as_str().unwrap()).parent().unwrap().join("quickjs/tests")
}

/// As `qjs` runs it: as a module if it looks like one, with two globals of that program.
fn program(name: &str, text: &str) -> String {
    let globals = "globalThis.print = console.log; globalThis.gc = () => {};";
    let is_module = text.lines().any(|line| {
        let line = line.trim_start();
        ["import ", "import{", "export "].iter().any(|start| line.starts_with(start))
            || line.contains("flags: [module]")
    });
    if is_module { format!("{globals} await import('./{name}'); 0") } else { format!("{globals} {text}\n;0") }
}

#[test]
fn quickjs_passes_its_own_tests() {
    let folder = folder();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".js") && !NO_TESTS.iter().any(|start| name.starts_with(start)))
        .collect();
    names.sort();
    let (mut passed, mut failed, mut surprises) = (0, 0, Vec::new());
    for name in &names {
        let text = String::from_utf8_lossy(&std::fs::read(folder.join(name)).unwrap()).into_owned();
        let request =
            Request { code: program(name, &text), timeout: Some(Duration::from_secs(60)), ..Request::default() };
        let result = Session::new(Box::new(World::default()), folder.to_str().unwrap()).unwrap().run(&request);
        let known = KNOWN.iter().find(|(known, _)| known == name);
        match (&result, known) {
            (Ok(_), _) => passed += 1,
            (Err(_), Some((_, reason))) => {
                failed += 1;
                println!("{name}: {reason}");
            }
            (Err(error), None) => {
                failed += 1;
                surprises.push(format!("{name}: {}", error.lines().next().unwrap_or_default()));
            }
        }
    }
    println!("{} files: {passed} pass, {failed} do not", names.len());
    assert!(surprises.is_empty(), "{surprises:#?}");
    assert!(passed >= 60, "{passed}");
}
