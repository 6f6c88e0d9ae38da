//! What it costs a call to be deterministic, beside the same call as it usually is.

use caplet::{Grant, Granted, Source};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::figures::{Bound, Report, in_turn};
use crate::{guests, ours};

/// What JavaScript does: calls, strings, floating point and a sort.
const WORK: &str = "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\n\
    const words = []; for (let i = 0; i < 20000; i++) words.push('w' + Math.sqrt(i * 7919) % 2000);\n\
    words.sort(); fib(22) + words.length";

/// A trivial call, one that computes, and one that reads a file.
pub(crate) fn deterministic(report: &mut Report) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "0123456789abcde\n".repeat(256)).unwrap();
    let add = Source::Bytes { name: "add".to_owned(), bytes: guests::ADD.as_bytes().to_vec() };
    let tools = [
        ("trivial tool", add, json!({"a": 2, "b": 40}), 5_000, 8.0),
        ("file-read of 4 KiB", Source::parse("file-read").unwrap(), json!({"path": "text"}), 1_000, 3.0),
        ("javascript: calls, strings, numbers", Source::parse("javascript").unwrap(), json!({"code": WORK}), 15, 2.0),
    ];
    for (name, source, arguments, rounds, bound) in tools {
        let usual = granted(&source, folder.path(), None);
        let deterministic = granted(&source, folder.path(), Some(0));
        for tool in [&usual, &deterministic] {
            runtime.block_on(tool.warm()).unwrap();
        }
        let call = |tool: &Granted| run(&runtime, tool, &arguments);
        assert_eq!(call(&usual), call(&deterministic));
        let (theirs, ours) = in_turn(rounds, || drop(call(&usual)), || drop(call(&deterministic)));
        report.time(&format!("{name}, as usual"), &theirs);
        report.time(&format!("{name}, deterministic"), &ours);
        report.figure(&format!("deterministic over usual: {name}"), ours.p50() / theirs.p50(), Bound::AtMost(bound));
    }
}

fn granted(source: &Source, folder: &std::path::Path, seed: Option<u64>) -> Granted {
    let caplet = ours::caplet_without_records();
    let folder = folder.canonicalize().unwrap();
    let mut grant = Grant::new(&folder).unwrap();
    grant.allow(&format!("read:{}/**", folder.display())).unwrap();
    if let Some(seed) = seed {
        grant.deterministic(seed);
    }
    caplet.grant(&caplet.load(source).unwrap(), grant).unwrap()
}

fn run(runtime: &Runtime, tool: &Granted, arguments: &Value) -> Value {
    runtime.block_on(ours::call(tool, arguments.clone()))
}
