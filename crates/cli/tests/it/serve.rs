//! `caplet serve` as clients start it: the binary, with its pipes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bin::World;
use crate::guests;

/// A server that runs, and its client.
struct Server {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    asked: i64,
}

/// A world with a toolbox of `tools`.
fn world(tools: &str) -> World {
    let world = World::new();
    world.write("add.wat", guests::ADDS);
    world.write("spin.wat", guests::does("(loop $l (br $l))"));
    world.write("print.wat", guests::prints(1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"));
    world.write("caplet.toml", tools);
    world.approve();
    world
}

const TOOLS: &str = "[tools.add]\nsource = \"./add.wat\"\n[tools.spin]\nsource = \"./spin.wat\"\n[tools.print]\nsource = \"./print.wat\"\n";

impl Server {
    fn start(world: &World) -> Self {
        let mut command = world.command(&["serve", "--config", "./caplet.toml"]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        let mut server = Self { process, input, output, asked: 0 };
        let client = json!({"name": "test", "version": "0"});
        server.ask("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}));
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        server
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn request(&mut self, method: &str, params: Value) -> i64 {
        self.asked += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}));
        self.asked
    }

    /// The next line, which must be a message.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        loop {
            let said = self.next();
            if said["id"] == json!(id) {
                return said["result"].clone();
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Begins a call that lasts, and returns when it runs.
    fn begin(&mut self, tool: &str) {
        self.request("tools/call", json!({"name": tool, "arguments": {}, "_meta": {"progressToken": 1}}));
        assert_eq!(self.next()["method"], "notifications/progress");
    }

    /// Waits for the end; gives the exit code, and what was said to people.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        let mut rest = String::new();
        while self.output.read_line(&mut rest).unwrap() > 0 {}
        let output = self.process.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn tools_are_listed_and_called_over_pipes_and_nothing_else_is_printed() {
    let world = world(TOOLS);
    world.write("caplet.toml", format!("{TOOLS}[tools.gone]\nsource = \"./gone.wasm\"\n"));
    let mut server = Server::start(&world);
    let listed = server.ask("tools/list", json!({}));
    let names: Vec<&str> =
        listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["add", "caplet_limits", "print", "spin"]);
    assert_eq!(server.call("add", json!({"a": 2, "b": 40}))["structuredContent"], json!({"result": 42}));
    let printed = server.call("print", json!({}));
    assert!(printed["content"][0]["text"].as_str().unwrap().contains("jsonrpc"), "{printed}");
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("3 tools") && said.contains("gone is hidden: cannot read"), "{said}");
    assert_eq!(world.records().len(), 2);
}

#[test]
fn two_hundred_calls_at_once_over_one_pipe() {
    let world = world(TOOLS);
    let mut server = Server::start(&world);
    let asked: Vec<i64> = (0..200)
        .map(|number| server.request("tools/call", json!({"name": "add", "arguments": {"a": number, "b": 1}})))
        .collect();
    let mut answered: Vec<i64> = (0..200).map(|_| server.next()["id"].as_i64().unwrap()).collect();
    answered.sort_unstable();
    assert_eq!(answered, asked);
    assert_eq!(server.end().0, Some(0));
    assert_eq!(world.records().len(), 200);
}

#[test]
fn a_client_that_is_gone_takes_its_guests_along_within_a_second() {
    let world = world(TOOLS);
    let mut server = Server::start(&world);
    server.begin("spin");
    let gone = Instant::now();
    // As when its process is killed: both ends close at once.
    drop(server.input.take());
    drop(std::mem::replace(&mut server.output, BufReader::new(silent())));
    let status = server.process.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(gone.elapsed() < Duration::from_secs(2), "{:?}", gone.elapsed());
    let record = world.records().remove(0);
    assert_eq!((&record["tool"], &record["error"]["kind"]), (&json!("spin"), &json!("cancelled")));
    // Its guest ran from before the first progress to its end.
    let ran = Duration::from_micros(record["usage"]["wall_us"].as_u64().unwrap_or_default());
    assert!(ran < Duration::from_secs(5), "{ran:?}");
}

/// The output of a process that has none.
fn silent() -> ChildStdout {
    let mut process = std::process::Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    let output = process.stdout.take().unwrap();
    process.wait().unwrap();
    output
}

#[test]
fn a_client_that_hears_nothing_any_more_is_gone() {
    let world = world(TOOLS);
    let mut server = Server::start(&world);
    server.begin("spin");
    drop(std::mem::replace(&mut server.output, BufReader::new(silent())));
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    assert_eq!(world.records().remove(0)["error"]["kind"], "cancelled");
}

#[test]
fn a_client_that_hears_nothing_takes_a_silent_call_along_within_a_second() {
    let world = world(TOOLS);
    for keeps_talking in [true, false] {
        let mut server = Server::start(&world);
        // Without progress, nothing is ever written that could fail.
        server.request("tools/call", json!({"name": "spin", "arguments": {}}));
        assert!(server.ask("ping", json!({})).is_object());
        if !keeps_talking {
            drop(server.input.take());
        }
        let gone = Instant::now();
        drop(std::mem::replace(&mut server.output, BufReader::new(silent())));
        assert_eq!(server.process.wait().unwrap().code(), Some(0));
        assert!(gone.elapsed() < Duration::from_secs(2), "{:?}", gone.elapsed());
    }
}

#[test]
fn a_signal_ends_it_in_order() {
    let world = world(TOOLS);
    let mut server = Server::start(&world);
    server.begin("spin");
    let process = rustix::process::Pid::from_child(&server.process);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    let status = server.process.wait().unwrap();
    assert_eq!(status.code(), Some(143));
    assert_eq!(world.records().remove(0)["error"]["kind"], "cancelled");
}

#[test]
fn without_a_pipe_it_is_served_all_the_same() {
    let world = world(TOOLS);
    let client = json!({"name": "test", "version": "0"});
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello});
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}}});
    let said = world.write("said", format!("{hello}\n{call}\n"));
    let input = std::fs::File::open(world.path(&said)).unwrap();
    let heard = std::fs::File::create(world.path("heard")).unwrap();
    let mut command = world.command(&["serve", "--config", "./caplet.toml"]);
    let status = command.stdin(input).stdout(heard).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let heard = std::fs::read_to_string(world.path("heard")).unwrap();
    let answers: Vec<Value> = heard.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[0]["result"]["protocolVersion"], "2025-11-25", "{heard}");
    assert_eq!(answers[1]["result"]["structuredContent"], json!({"result": 3}), "{heard}");
    assert_eq!(answers.len(), 2, "{heard}");
}

#[test]
fn a_client_that_has_said_everything_and_still_reads_is_answered() {
    let world = world(&format!("{TOOLS}[tools.slow]\nsource = \"./spin.wat\"\nlimits = {{ timeout = \"1s\" }}\n"));
    let mut server = Server::start(&world);
    let slow = server.request("tools/call", json!({"name": "slow", "arguments": {}}));
    let quick = server.request("tools/call", json!({"name": "add", "arguments": {"a": 1, "b": 2}}));
    drop(server.input.take());
    let mut answered = std::collections::BTreeMap::new();
    while answered.len() < 2 {
        let said = server.next();
        answered.extend(said["id"].as_i64().map(|id| (id, said["result"].clone())));
    }
    assert_eq!(answered[&quick]["structuredContent"], json!({"result": 3}));
    assert_eq!(answered[&slow]["isError"], json!(true));
    assert!(answered[&slow].to_string().contains("timeout"), "it ended by its own limit: {answered:?}");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn over_sockets_as_some_clients_have_it() {
    let world = world(TOOLS);
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = world.command(&["serve", "--config", "./caplet.toml"]);
    let far = std::os::fd::OwnedFd::from(far);
    let mut process = command.stdin(far.try_clone().unwrap()).stdout(far).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    let mut output = BufReader::new(near.try_clone().unwrap());
    writeln!(&near, "{}", json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).unwrap();
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    near.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn without_a_toolbox_there_is_nothing_to_serve() {
    let world = World::new();
    world.run(&["serve"]).assert(2, &["there is no tool to serve", "--config"]);
    world.run(&["serve", "--config", "./none.toml"]).assert(2, &["none.toml"]);
}

#[test]
fn a_tool_that_was_replaced_is_gone_until_it_is_approved() {
    let world = world(TOOLS);
    let mut server = Server::start(&world);
    let names = |server: &mut Server| {
        let listed = server.ask("tools/list", json!({}));
        let names = listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let changed = |server: &mut Server| assert_eq!(server.next()["method"], "notifications/tools/list_changed");
    assert_eq!(names(&mut server), ["add", "caplet_limits", "print", "spin"]);

    world.write("add.wat", guests::ADDS.replace("i32.add", "i32.sub"));
    changed(&mut server);
    assert_eq!(names(&mut server), ["caplet_limits", "print", "spin"]);
    let id = server.request("tools/call", json!({"name": "add", "arguments": {"a": 2, "b": 40}}));
    let refused = server.next();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(id), &json!(-32602)), "{refused}");

    let shown = world.run(&["approve", "add", "--yes", "--config", "./caplet.toml"]);
    shown.assert(0, &["approved: add"]);
    assert!(shown.stdout.contains("its code is another"), "{shown:?}");
    changed(&mut server);
    assert_eq!(names(&mut server), ["add", "caplet_limits", "print", "spin"]);
    assert_eq!(server.call("add", json!({"a": 40, "b": 2}))["structuredContent"], json!({"result": 38}));
    let (_, said) = server.end();
    assert!(
        said.contains("add is hidden: it is not what was approved") && said.contains("caplet approve add"),
        "{said}"
    );
}
