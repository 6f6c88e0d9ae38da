//! A server of the Model Context Protocol, spoken to over its standard input and output: how long a tool call takes there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::figures::{Report, Samples};

/// How often the tool is called.
const CALLS: usize = 200;

/// The revision of the protocol that is spoken. A server that knows only others answers with one of them.
pub(crate) const REVISION: &str = "2025-06-18";

/// Measures the servers that `CAPLET_BENCH_MCP` names, one a line: a tool, a JSON object of arguments without spaces, and the command.
pub(crate) fn servers(report: &mut Report) {
    for line in std::env::var("CAPLET_BENCH_MCP").unwrap_or_default().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [tool, arguments, program, rest @ ..] = words.as_slice() else { continue };
        let Ok(arguments) = serde_json::from_str(arguments) else {
            report.note(line, "not measured: the arguments are no JSON");
            continue;
        };
        match measure(tool, &arguments, program, rest) {
            Some((cold, calls)) => {
                report.note(&format!("MCP: start and first call of {tool} by {program}"), &format!("{cold:.0} µs"));
                report.time(&format!("MCP: {tool} by {program}, already running"), &calls);
                if let Some(ours) = report.median("trivial tool, Caplet: policy, JSON, decisions, record") {
                    let ratio = format!("{:.0}", calls.p50() / ours);
                    report.note(&format!("MCP: {tool} by {program} over a fresh call in process"), &ratio);
                }
            }
            None => report.note(line, "not measured: it did not answer as a server does"),
        }
    }
}

fn measure(tool: &str, arguments: &Value, program: &str, rest: &[&str]) -> Option<(f64, Samples)> {
    let started = Instant::now();
    let mut command = Command::new(program);
    command.args(rest);
    let mut server = Server::start(command)?;
    let client = json!({"name": "caplet-bench", "version": "0"});
    server.ask("initialize", &json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client}))?;
    server.tell("notifications/initialized")?;
    let call = json!({"name": tool, "arguments": arguments});
    let succeeded = |answer: Value| (answer["isError"] != json!(true)).then_some(());
    succeeded(server.ask("tools/call", &call)?)?;
    let cold = started.elapsed().as_secs_f64() * 1e6;
    let mut samples = Samples::default();
    for _ in 0..CALLS {
        let started = Instant::now();
        succeeded(server.ask("tools/call", &call)?)?;
        samples.add(started.elapsed());
    }
    Some((cold, samples))
}

/// A server that runs. It is killed when it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: u64,
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Option<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().ok()?;
        let (input, output) = (process.stdin.take()?, process.stdout.take()?);
        Some(Self { process, input, output: BufReader::new(output), asked: 0 })
    }

    fn send(&mut self, message: &Value) -> Option<()> {
        writeln!(self.input, "{message}").ok()?;
        self.input.flush().ok()
    }

    pub(crate) fn tell(&mut self, method: &str) -> Option<()> {
        self.send(&json!({"jsonrpc": "2.0", "method": method}))
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next thing that it says.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        if self.output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        serde_json::from_str(&line).ok()
    }

    pub(crate) fn ask(&mut self, method: &str, parameters: &Value) -> Option<Value> {
        self.asked += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": parameters}))?;
        loop {
            let answer = self.next()?;
            // Notifications come in between.
            if answer["id"] == json!(self.asked) {
                return answer.get("result").cloned();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
