//! `caplet serve --http` and `caplet token`, as people use them: the binary, its files, and a client on a socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::bin::World;
use crate::guests;

pub(crate) struct Server {
    process: Child,
    address: String,
    _stderr: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(world: &World, options: &[&str]) -> Self {
        Self::start_with(world, "[tools.add]\nsource = \"./add.wat\"\n", options)
    }

    fn start_with(world: &World, tools: &str, options: &[&str]) -> Self {
        world.write("add.wat", guests::ADDS);
        world.write("caplet.toml", tools);
        world.approve();
        let command = world.command(&[&["serve", "--config", "./caplet.toml", "--http", "0"], options].concat());
        Self::launch(command)
    }

    /// The server that `command` is.
    pub(crate) fn launch(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            said.clear();
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "the server ended");
            if let Some((_, rest)) = said.split_once("serving http://") {
                break rest.trim_end().trim_end_matches("/mcp").to_owned();
            }
        };
        Self { process, address, _stderr: stderr }
    }

    /// The whole answer to a message, with `headers` more.
    pub(crate) fn post(&self, message: &Value, headers: &str) -> String {
        let body = message.to_string();
        self.send(&format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        ))
    }

    fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn initialize(&self, headers: &str) -> String {
        let client = json!({ "name": "test", "version": "0" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        self.post(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }), headers)
    }

    /// Asks for the end, and gives the exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        let mut said = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "nothing goes to standard output");
        self.process.wait().unwrap().code()
    }
}

#[test]
fn a_client_with_a_token_calls_a_tool() {
    let world = World::new();
    let made = world.run(&["token", "new", "laptop", "--file", "tokens.toml", "--metrics"]);
    made.assert(0, &["only time"]);
    let bearer = format!("authorization: Bearer {}\r\n", made.stdout.trim_end());
    let server = Server::start(&world, &["--tokens", "tokens.toml"]);
    assert!(server.initialize("").starts_with("HTTP/1.1 401 "));
    let opened = server.initialize(&bearer);
    let session = opened.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
    let headers = format!("{bearer}mcp-session-id: {session}\r\n");
    let initialized = server.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), &headers);
    assert!(initialized.starts_with("HTTP/1.1 202 "), "{initialized}");
    let params = json!({ "name": "add", "arguments": { "a": 2, "b": 3 } });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = server.post(&call, &headers);
    assert!(answer.contains("\"id\":1") && answer.contains("\"5\""), "{answer}");
    let get = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{bearer}\r\n", server.address);
    let metrics = server.send(&get);
    assert!(metrics.contains("caplet_calls_total{tool=\"add\",outcome=\"ok\"} 1"), "{metrics}");
    assert_eq!(server.end(), Some(143));
}

#[test]
fn without_tokens_it_serves_its_own_machine_only() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    assert!(server.initialize("").starts_with("HTTP/1.1 200 "));
    assert!(server.initialize("origin: https://evil.example\r\n").starts_with("HTTP/1.1 403 "));
    assert_eq!(server.end(), Some(143));
    let serve = |options: &[&str]| world.run(&[&["serve", "--config", "./caplet.toml"], options].concat());
    serve(&["--http", "0.0.0.0:0"]).assert(2, &["without authentication", "caplet token new"]);
    serve(&["--http", "[::]:0", "--tokens", "nowhere.toml"]).assert(2, &["the tokens", "nowhere.toml"]);
    serve(&["--http", "nonsense"]).assert(2, &["a port, or an IP address and a port"]);
    serve(&["--http", "0", "--tls-cert", "cert.pem"]).assert(2, &["--tls-key"]);
    serve(&["--allow-host", "tools.example"]).assert(2, &["--http"]);
    serve(&["--http", "0", "--allow-host", "http://tools.example"])
        .assert(2, &["it is not a host, or a host and a port"]);
    serve(&["--http", "0", "--allow-origin", "null"]).assert(2, &["SCHEME://HOST"]);
}

/// A request that stands alone is answered with the question, and another one goes on with the call: nothing else connects the two.
#[test]
fn a_client_without_a_session_comes_back_with_an_answer() {
    let world = World::new();
    world.write("docs/a.txt", "hello");
    let tools = "[tools.asks]\nsource = \"file-read\"\nask = [\"read:docs/**\"]\n";
    let call = |more: Value| {
        let mut params = json!({ "name": "asks", "arguments": { "path": "docs/a.txt" }, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
        } });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
    };
    let headers = "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: asks\r\n";
    let state = |answer: &str| {
        let (_, rest) = answer.split_once("\"requestState\":\"").unwrap_or_else(|| panic!("{answer}"));
        rest.split_once('"').unwrap().0.to_owned()
    };
    let back = |state: &str, answer: &str| {
        let said = json!({ "permission-1": { "action": "accept", "content": { "answer": answer } } });
        call(json!({ "requestState": state, "inputResponses": said }))
    };
    let server = Server::start_with(&world, tools, &[]);
    for (answer, is_read) in [("once", true), ("no", false), ("session", false), ("always", false)] {
        let asked = server.post(&call(json!({})), headers);
        assert!(asked.contains("input_required") && !asked.contains("until this session ends"), "{asked}");
        let state = state(&asked);
        let answered = server.post(&back(&state, answer), headers);
        assert_eq!(answered.contains("hello"), is_read, "{answer}: {answered}");
        let again = server.post(&back(&state, "once"), headers);
        assert!(again.contains("-32602") && !again.contains("hello"), "{again}");
    }
    // A call that waits ends with the server, and leaves its record.
    state(&server.post(&call(json!({})), headers));
    assert_eq!(server.end(), Some(143));
    let records = world.records();
    assert_eq!((records.len(), &records[4]["error"]["kind"]), (5, &json!("cancelled")), "{records:?}");

    // Who comes with a token is somebody else than the operator.
    let bearer = world.run(&["token", "new", "t", "--file", "tokens.toml"]).stdout.trim_end().to_owned();
    let server = Server::start_with(&world, tools, &["--tokens", "tokens.toml"]);
    let headers = format!("{headers}authorization: Bearer {bearer}\r\n");
    // `caplet approvals` could answer; here nobody does.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let body = call(json!({})).to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         content-length: {}\r\n{headers}\r\n",
        server.address,
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let waits = || world.run(&["approvals"]).stdout;
    let soon = std::time::Instant::now() + Duration::from_secs(60);
    while !waits().contains("docs/a.txt") {
        assert!(std::time::Instant::now() < soon, "the question is not on the socket");
    }
    assert_eq!(server.end(), Some(143));
}

#[test]
fn no_tool_writes_who_comes_in() {
    let world = World::new();
    let bearer = format!("Bearer {}", world.run(&["token", "new", "t", "--file", "tokens.toml"]).stdout.trim_end());
    let tools = "[tools.add]\nsource = \"./add.wat\"\nallow = [\"write:/w/**\"]\nmounts = { \"/w\" = \".\" }\n";
    let server = Server::start_with(&world, tools, &["--tokens", "tokens.toml"]);
    let opened = server.initialize(&format!("authorization: {bearer}\r\n"));
    let session = opened.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
    let params = json!({ "name": "add", "arguments": { "a": 2, "b": 3 } });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = server.post(&call, &format!("authorization: {bearer}\r\nmcp-session-id: {session}\r\n"));
    assert!(answer.contains("operator's audit log") && answer.contains("\"isError\":true"), "{answer}");
    let path = world.path("").display().to_string();
    assert!(!answer.contains(path.trim_end_matches('/')), "an agent hears nothing of the host's places: {answer}");
    let records = world.records();
    assert!(records[0]["error"]["message"].as_str().unwrap().contains("which no tool may reach"), "{records:?}");
    assert_eq!(server.end(), Some(143));
}

#[test]
fn tokens_are_made_listed_and_removed() {
    let world = World::new();
    world.run(&["token", "list"]).assert(0, &["there are no tokens"]);
    let made = world.run(&["token", "new", "laptop", "--expires", "30d", "--profile", "read-only"]);
    made.assert(0, &["only time", "serve --http"]);
    assert!(made.stdout.starts_with("caplet_") && made.stdout.lines().count() == 1, "{}", made.stdout);
    world.run(&["token", "new", "ci", "--metrics"]).assert(0, &[]);
    world.run(&["token", "new", "ci"]).assert(2, &["already"]);
    world.run(&["token", "new", "a b"]).assert(2, &["letters, digits"]);
    let listed = world.run(&["token", "list"]);
    listed.assert(0, &[]);
    assert!(listed.stdout.contains("profile read-only, until ") && listed.stdout.contains("may read metrics"));
    let json: Value = serde_json::from_str(&world.run(&["token", "list", "--json"]).stdout).unwrap();
    assert_eq!(json["tokens"][1]["name"], "ci");
    assert_eq!(json["tokens"][0]["expired"], false);
    assert!(!json.to_string().contains(&made.stdout.trim_end()[7..]));
    world.run(&["token", "rm", "laptop"]).assert(0, &["laptop is removed"]);
    world.run(&["token", "rm", "laptop"]).assert(2, &["no token called", "token list"]);
}
