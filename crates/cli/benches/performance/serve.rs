//! `caplet serve` over its pipes: what a client waits for.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::figures::{Bound, Report, Samples};
use crate::guests;
use crate::mcp::{REVISION, Server};

/// Calls one after another, and calls that are under way together.
const CALLS: usize = 3_000;
const PIPELINED: u64 = 20_000;
/// How many a client leaves unanswered; a server takes that many at least.
const WINDOW: u64 = 128;
/// How often a server is started, and how often a list is asked for.
const STARTS: usize = 20;
const LISTS: usize = 50;

/// A toolbox of `tools` trivial tools, and the program that serves it.
pub(crate) struct Bench {
    program: PathBuf,
    home: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new(program: &Path, tools: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("add.wat"), guests::ADD).unwrap();
        let tool = |number| format!("[tools.add{number}]\nsource = \"./add.wat\"\n");
        std::fs::write(home.path().join("caplet.toml"), (0..tools).map(tool).collect::<String>()).unwrap();
        let bench = Self { program: program.to_owned(), home };
        // Only what is in the lock is offered.
        let approved = bench.command(&["approve", "--all", "--yes"]).output().unwrap();
        assert!(approved.status.success(), "{approved:?}");
        bench
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let folder = self.home.path();
        let mut command = Command::new(&self.program);
        command.args(words).args(["--config", "./caplet.toml"]).current_dir(folder).env_clear().env("HOME", folder);
        command
    }

    /// A server that is initialised.
    fn start(&self) -> Server {
        let mut server = Server::start(self.command(&["serve"])).unwrap();
        let client = json!({"name": "caplet-bench", "version": "0"});
        let hello = json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client});
        server.ask("initialize", &hello).unwrap();
        server.tell("notifications/initialized").unwrap();
        server
    }
}

pub(crate) fn call() -> Value {
    json!({"name": "add0", "arguments": {"a": 2, "b": 40}})
}

/// The program that `cargo xtask bench` built.
pub(crate) fn serve(report: &mut Report) {
    let Some(program) = std::env::var_os("CAPLET_BENCH_PROGRAM").map(PathBuf::from) else {
        report.note("caplet serve", "not measured: run `cargo xtask bench`, which builds the program");
        return;
    };
    let one = Bench::new(&program, 1);
    let mut server = one.start();
    idle(report, &server);
    sequential(report, &mut server);
    pipelined(report, &mut server);
    drop(server);
    lists(report, &Bench::new(&program, 200));
    starts(report, &Bench::new(&program, 50));
}

fn idle(report: &mut Report, server: &Server) {
    // Until the threads of the start have come to rest.
    std::thread::sleep(Duration::from_secs(1));
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: f64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    report.figure("caplet serve: idle memory in MiB", kib / 1024.0, Bound::AtMost(40.0));
}

fn sequential(report: &mut Report, server: &mut Server) {
    let mut samples = Samples::default();
    for number in 0..CALLS + 100 {
        let started = Instant::now();
        let answer = server.ask("tools/call", &call()).unwrap();
        // The first ones compile and load.
        if number >= 100 {
            samples.add(started.elapsed());
        }
        assert_eq!(answer["structuredContent"], json!({"result": 42}));
    }
    report.time("caplet serve: trivial tool over pipes, fresh instance each", &samples);
    report.figure("caplet serve: median of a trivial call, in µs", samples.p50(), Bound::AtMost(290.0));
}

fn pipelined(report: &mut Report, server: &mut Server) {
    let started = Instant::now();
    let mut answered = 0;
    for asked in 0..PIPELINED {
        let id = format!("p{asked}");
        writeln!(server.input, "{}", json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call()}))
            .unwrap();
        if asked - answered >= WINDOW {
            server.next().unwrap();
            answered += 1;
        }
    }
    for _ in answered..PIPELINED {
        server.next().unwrap();
    }
    let rate = PIPELINED as f64 / started.elapsed().as_secs_f64();
    report.figure("caplet serve: pipelined calls a second", rate, Bound::AtLeast(10_000.0));
}

fn lists(report: &mut Report, bench: &Bench) {
    let mut server = bench.start();
    let mut samples = Samples::default();
    for _ in 0..LISTS {
        let started = Instant::now();
        let answer = server.ask("tools/list", &json!({})).unwrap();
        samples.add(started.elapsed());
        // Those of the toolbox and the server's own.
        assert_eq!(answer["tools"].as_array().unwrap().len(), 201);
    }
    report.time("caplet serve: tools/list of 200 tools", &samples);
    report.figure("caplet serve: tools/list of 200 tools, in ms", samples.p50() / 1e3, Bound::AtMost(20.0));
}

fn starts(report: &mut Report, bench: &Bench) {
    // Facts are not remembered of a file that was written just now.
    std::thread::sleep(Duration::from_secs(3));
    drop(bench.start());
    let mut samples = Samples::default();
    for _ in 0..STARTS {
        let started = Instant::now();
        let server = bench.start();
        samples.add(started.elapsed());
        drop(server);
    }
    report.time("caplet serve: start to initialised, 50 tools", &samples);
    report.figure("caplet serve: start to initialised, 50 tools, in ms", samples.p50() / 1e3, Bound::AtMost(50.0));
}
