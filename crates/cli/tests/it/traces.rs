//! Traces of `caplet serve`, over pipes and over HTTP: what arrives at a collector on loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::json;

use crate::bin::World;
use crate::guests;
use crate::http::Server;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The id of the trace as it is sent.
const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

/// Takes batches, and hands on their bytes.
fn collector() -> (String, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, batches) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            for line in stream.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = text.parse().unwrap();
                }
            }
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).unwrap();
            // The test may be over.
            let _ = (stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), sender.send(bytes));
        }
    });
    (url, batches)
}

fn world() -> World {
    let world = World::new();
    world.write("add.wat", guests::ADDS);
    world.write("caplet.toml", "[tools.add]\nsource = \"./add.wat\"\n");
    world.approve();
    world
}

fn serve(world: &World, options: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = world.command(&[&["serve", "--config", "./caplet.toml"], options].concat());
    command.envs(variables.iter().copied());
    command
}

fn holds(batch: &[u8], wanted: &[u8]) -> bool {
    batch.windows(wanted.len()).any(|bytes| bytes == wanted)
}

/// What a client on pipes sends that calls once, and is told: on standard output and on standard error.
fn over_pipes(mut command: Command) -> (String, String) {
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let client = json!({"name": "test", "version": "0"});
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    let params = json!({"name": "add", "arguments": {"a": 2, "b": 3}, "_meta": {"traceparent": PARENT}});
    let mut input = process.stdin.take().unwrap();
    for message in [
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}),
    ] {
        writeln!(input, "{message}").unwrap();
    }
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut told = String::new();
    while !told.contains("\"id\":1,") {
        assert_ne!(output.read_line(&mut told).unwrap(), 0, "{told}");
    }
    drop(input);
    let said = process.wait_with_output().unwrap();
    (told, String::from_utf8(said.stderr).unwrap())
}

#[test]
fn a_call_over_pipes_belongs_to_the_trace_that_its_client_says() {
    let ((url, batches), world) = (collector(), world());
    let (told, said) = over_pipes(serve(&world, &[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]));
    assert!(told.contains("\"5\"") && !said.contains("warning"), "{told} {said}");
    let batch = batches.recv_timeout(Duration::from_secs(20)).expect("the last spans are sent at the end");
    for wanted in [&b"tools/call add"[..], &TRACE.to_be_bytes(), b"service.name", b"mcp.method.name"] {
        assert!(holds(&batch, wanted), "{}", String::from_utf8_lossy(&batch));
    }
    assert_eq!(world.records()[0]["trace"], PARENT);
}

#[test]
fn a_call_over_http_belongs_to_its_request() {
    let ((url, batches), world) = (collector(), world());
    let variables = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url.as_str()), ("OTEL_SERVICE_NAME", "my-tools")];
    let server = Server::launch(serve(&world, &["--http", "0"], &variables));
    let opened = server.initialize("");
    let session = opened.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
    let headers = format!("mcp-session-id: {session}\r\n");
    server.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), &headers);
    let params = json!({ "name": "add", "arguments": { "a": 2, "b": 3 } });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    server.post(&call, &format!("{headers}traceparent: {PARENT}\r\n"));
    assert_eq!(server.end(), Some(143));
    let mut all = batches.recv_timeout(Duration::from_secs(20)).expect("the last spans are sent at the end");
    all.extend(batches.try_iter().flatten());
    for wanted in [&b"tools/call add"[..], b"POST /mcp", &TRACE.to_be_bytes(), b"my-tools"] {
        assert!(holds(&all, wanted), "{}", String::from_utf8_lossy(&all));
    }
    let recorded = world.records()[0]["trace"].as_str().unwrap().to_owned();
    assert!(recorded.starts_with(&PARENT[..36]) && recorded != PARENT, "the request is between: {recorded}");
}

#[test]
fn without_a_collector_that_can_be_had_it_serves_all_the_same() {
    let world = world();
    let gone = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let cases = [
        (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "only http/protobuf is spoken"),
        (("OTEL_SERVICE_NAME", "x"), "traces do not reach the collector"),
    ];
    for (variable, warning) in cases {
        let (told, said) = over_pipes(serve(&world, &[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &gone), variable]));
        assert!(told.contains("\"5\"") && said.contains(warning), "{told} {said}");
    }
}
