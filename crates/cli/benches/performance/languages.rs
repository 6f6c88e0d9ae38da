//! The built-in tools that run code: a shell, JavaScript and Python, beside what people run today.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use caplet::{Granted, Source};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::figures::{Bound, Report, Samples, in_turn};
use crate::ours;

/// Short calls, and long ones.
const CALLS: usize = 300;
const LONG_CALLS: usize = 7;

/// What both engines of JavaScript do.
const WORK: &str = "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\n\
    const words = []; for (let i = 0; i < 60000; i++) words.push('w' + (i * 7919) % 60000);\n\
    words.sort(); const text = JSON.stringify(words); let sum = fib(24);\n\
    for (const word of JSON.parse(text)) sum += word.length;\n";

/// Five stages over a text, in words that a shell anywhere knows.
const PIPELINE: &str = "cat text | tr a-z A-Z | grep -v 7 | sort | uniq -c";

struct Bench {
    runtime: Runtime,
    folder: tempfile::TempDir,
}

impl Bench {
    /// One of them, ready to be called, after its size and the time that it takes to compile are told.
    fn tool(&self, report: &mut Report, name: &str) -> Granted {
        let source = Source::parse(name).unwrap();
        report.count(&format!("{name}: its component"), source.read(u64::MAX).unwrap().len() as f64 / 1e6, "MB");
        let started = Instant::now();
        let granted = self.granted(&source);
        self.runtime.block_on(granted.warm()).unwrap();
        report.count(&format!("{name}: first compile"), started.elapsed().as_secs_f64(), "s");
        granted
    }

    fn granted(&self, source: &Source) -> Granted {
        let folder = self.folder.path().canonicalize().unwrap();
        let rules = [format!("write:{}/**", folder.display()), "clock:1ms".to_owned(), "random".to_owned()];
        ours::granted(&ours::caplet(), source, &folder, &rules)
    }

    fn call(&self, tool: &Granted, arguments: &Value) -> Value {
        self.runtime.block_on(ours::call(tool, arguments.clone()))
    }

    /// Times of one call, fresh each, after the ones that compile and load.
    fn calls(&self, tool: &Granted, arguments: &Value) -> Samples {
        let mut samples = Samples::default();
        for number in 0..CALLS + 20 {
            let started = Instant::now();
            self.call(tool, arguments);
            if number >= 20 {
                samples.add(started.elapsed());
            }
        }
        samples
    }
}

/// The three of them.
pub(crate) fn languages(report: &mut Report) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bench = Bench { runtime, folder: tempfile::tempdir().unwrap() };
    shell(report, &bench);
    javascript(report, &bench);
    python(report, &bench);
}

fn shell(report: &mut Report, bench: &Bench) {
    let tool = bench.tool(report, "shell");
    let hello = json!({"command": "echo hi"});
    bench.call(&tool, &hello);
    let bash = ["--unshare-all", "--ro-bind", "/", "/", "bash", "-c", "echo hi"];
    let boxed = || native("bwrap", &bash, bench.folder.path());
    let echo = if boxed() {
        let (ours, theirs) = in_turn(CALLS / 5, || drop(bench.call(&tool, &hello)), || assert!(boxed()));
        report.time("bwrap --unshare-all bash -c 'echo hi'", &theirs);
        report.figure("shell: echo hi over bwrap and bash", ours.p50() / theirs.p50(), Bound::AtMost(1.0));
        ours
    } else {
        report.note("bwrap", "not measured: it does not run here");
        bench.calls(&tool, &hello)
    };
    report.time("shell: echo hi, fresh instance each", &echo);
    report.figure("shell: echo hi, in ms", echo.p50() / 1e3, Bound::AtMost(3.0));

    let lines: String = (0..400_000_u32).map(|n| format!("line {:>8} of the text\n", (n * 7919) % 100_003)).collect();
    std::fs::write(bench.folder.path().join("text"), &lines).unwrap();
    let ours = || drop(bench.call(&tool, &json!({"command": format!("{PIPELINE} | wc -l")})));
    let theirs = || assert!(native("bash", &["-c", &format!("{PIPELINE} | wc -l")], bench.folder.path()));
    let (ours, theirs) = in_turn(LONG_CALLS, ours, theirs);
    report.time("shell: six stages over 10 MB of text", &ours);
    report.time("bash and coreutils: the same", &theirs);
    report.figure("shell: a pipeline over native coreutils", ours.p50() / theirs.p50(), Bound::AtMost(4.0));
}

fn javascript(report: &mut Report, bench: &Bench) {
    let tool = bench.tool(report, "javascript");
    let samples = bench.calls(&tool, &json!({"code": "1+1"}));
    report.time("javascript: 1+1, fresh instance each", &samples);
    report.figure("javascript: 1+1, in ms", samples.p50() / 1e3, Bound::AtMost(1.0));

    std::fs::write(bench.folder.path().join("work.js"), WORK).unwrap();
    let Some(engine) = std::env::var_os("CAPLET_BENCH_QUICKJS") else {
        report.note("native QuickJS", "not measured: `cargo xtask bench` builds it");
        return;
    };
    let engine = engine.to_str().unwrap();
    let ours = || drop(bench.call(&tool, &json!({"code": format!("{WORK}; sum")})));
    let theirs = || assert!(native(engine, &["work.js"], bench.folder.path()));
    let (ours, theirs) = in_turn(LONG_CALLS, ours, theirs);
    report.time("javascript: calls, strings, JSON and a sort", &ours);
    report.time("native QuickJS-ng: the same", &theirs);
    report.figure("javascript: work over native QuickJS-ng", ours.p50() / theirs.p50(), Bound::AtMost(2.5));
}

fn python(report: &mut Report, bench: &Bench) {
    let tool = bench.tool(report, "python");
    let samples = bench.calls(&tool, &json!({"code": "1+1"}));
    report.time("python: 1+1, fresh instance each", &samples);
    report.figure("python: 1+1, in ms", samples.p50() / 1e3, Bound::AtMost(5.0));
}

fn native(program: &str, arguments: &[&str], folder: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
