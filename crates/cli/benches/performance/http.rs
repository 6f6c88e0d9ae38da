//! `caplet serve --http` over connections that are kept: what a client waits for.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::figures::{Bound, Report, Samples};
use crate::mcp::REVISION;
use crate::serve::{Bench, call};

/// Calls one after another, on one connection.
const CALLS: u64 = 3_000;
/// Calls at one time in one session, each on a connection of its own, and how often.
const PARALLEL: u64 = 200;
const ROUNDS: u64 = 20;
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program that `cargo xtask bench` built.
pub(crate) fn http(report: &mut Report) {
    let Some(program) = std::env::var_os("CAPLET_BENCH_PROGRAM").map(PathBuf::from) else {
        report.note("caplet serve --http", "not measured: run `cargo xtask bench`, which builds the program");
        return;
    };
    let bench = Bench::new(&program, 1);
    let server = Server::start(&bench);
    let (mut connection, session) = server.session();
    let samples = sequential(&mut connection, &session);
    report.time("caplet serve --http: trivial tool, fresh instance each, connection kept", &samples);
    report.figure("caplet serve --http: median of a trivial call, in ms", samples.p50() / 1e3, Bound::AtMost(1.0));
    let rate = parallel(&server, &session);
    report.count("caplet serve --http: 200 calls at a time in one session", rate, "calls/s");
    let one_by_one = 1e6 / samples.p50();
    let what = "caplet serve --http: rate of 200 calls at a time over one at a time";
    report.figure(what, rate / one_by_one, Bound::AtLeast(1.0));
}

fn sequential(connection: &mut Connection, session: &str) -> Samples {
    let mut samples = Samples::default();
    for number in 0..CALLS + 100 {
        let started = Instant::now();
        connection.ask(Some(session), &message(number));
        let answer = connection.answer();
        // The first ones compile and load.
        if number >= 100 {
            samples.add(started.elapsed());
        }
        assert_sum(&answer);
    }
    samples
}

/// Calls a second.
fn parallel(server: &Server, session: &str) -> f64 {
    let mut connections: Vec<Connection> = (0..PARALLEL).map(|_| server.connect()).collect();
    let mut took = Duration::ZERO;
    // The first round opens what the server keeps for each connection.
    for round in 0..=ROUNDS {
        let started = Instant::now();
        for (number, connection) in (round * PARALLEL..).zip(&mut connections) {
            connection.ask(Some(session), &message(CALLS * 2 + number));
        }
        let answers: Vec<Value> = connections.iter_mut().map(Connection::answer).collect();
        if round > 0 {
            took += started.elapsed();
        }
        answers.iter().for_each(assert_sum);
    }
    (ROUNDS * PARALLEL) as f64 / took.as_secs_f64()
}

fn message(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call()})
}

fn assert_sum(answer: &Value) {
    assert_eq!(answer["result"]["structuredContent"], json!({"result": 42}), "{answer}");
}

/// A server that runs. It is killed when it is dropped.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(bench: &Bench) -> Self {
        let mut command = bench.command(&["serve", "--http", "127.0.0.1:0"]);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(process.stderr.take().unwrap());
        let address = told.lines().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("serving http://")?;
            rest.split('/').next()?.parse().ok()
        });
        Self { process, address: address.unwrap() }
    }

    fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { stream: BufReader::new(stream), address: self.address }
    }

    /// A connection, and a session that is initialised.
    fn session(&self) -> (Connection, String) {
        let mut connection = self.connect();
        let client = json!({"name": "caplet-bench", "version": "0"});
        let hello = json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client});
        connection.ask(None, &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}));
        let (head, _) = connection.reply();
        let session = header(&head, "mcp-session-id").unwrap().to_owned();
        connection.ask(Some(&session), &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        connection.reply();
        (connection, session)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection that is kept.
struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Connection {
    fn ask(&mut self, session: Option<&str>, message: &Value) {
        let (body, address) = (message.to_string(), self.address);
        let session = session.map(|id| format!("mcp-session-id: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: {address}\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n{session}\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// The message that answers what was asked: as JSON, or the last of a stream.
    fn answer(&mut self) -> Value {
        let (_, body) = self.reply();
        let told = body.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&body);
        serde_json::from_str(told).unwrap()
    }

    /// The head and the body of the next reply.
    fn reply(&mut self) -> (String, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.stream.read_line(&mut head).unwrap(), 0, "the server closed the connection: {head}");
        }
        assert!(head.starts_with("HTTP/1.1 2"), "{head}");
        let mut body = Vec::new();
        if header(&head, "transfer-encoding").is_some() {
            while self.chunk(&mut body) {}
        } else {
            let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
            self.stream.by_ref().take(length).read_to_end(&mut body).unwrap();
        }
        (head, String::from_utf8(body).unwrap())
    }

    /// Reads one chunk; the last one is empty.
    fn chunk(&mut self, body: &mut Vec<u8>) -> bool {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let size = u64::from_str_radix(line.trim(), 16).unwrap();
        self.stream.by_ref().take(size).read_to_end(body).unwrap();
        self.stream.read_line(&mut line).unwrap();
        size > 0
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)))?.1.into()
}
