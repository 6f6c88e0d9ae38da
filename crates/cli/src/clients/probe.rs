//! Starts a server as a client would, and asks it what every client asks first. It is stopped again, whatever it answers.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The revision that is asked for. A server answers with the one that it speaks.
const REVISION: &str = "2025-11-25";

/// Bytes of one line of an answer, and of what is kept of its messages to people.
const LONGEST_LINE: u64 = 16 << 20;
const LONGEST_MESSAGE: u64 = 4 << 10;

/// Pages of a list of tools. A server that has more says so forever.
const PAGES: u32 = 1000;

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The revision of the protocol that it speaks.
    pub(crate) revision: String,
    /// How many tools it offers.
    pub(crate) tools: usize,
}

/// A server that was started. It is stopped when this goes.
struct Server {
    child: Child,
    input: ChildStdin,
    lines: Receiver<io::Result<String>>,
    messages: Option<JoinHandle<String>>,
    until: Instant,
}

/// Starts `command` and asks it within `time`. An error is what to tell a person.
pub(crate) fn probe(command: Command, time: Duration) -> Result<Answer, String> {
    let mut server = Server::start(command, time).map_err(|error| format!("it cannot be started: {error}"))?;
    let client = json!({ "name": "caplet doctor", "version": env!("CARGO_PKG_VERSION") });
    let opening = json!({ "protocolVersion": REVISION, "capabilities": {}, "clientInfo": client });
    let opened = server.ask(1, "initialize", &opening)?;
    let revision = opened["protocolVersion"].as_str().ok_or("its answer to initialize names no protocolVersion")?;
    server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
    let mut tools = 0;
    let mut page = json!({});
    for id in 2..PAGES {
        let listed = server.ask(id, "tools/list", &page)?;
        tools += listed["tools"].as_array().ok_or("its answer to tools/list has no tools")?.len();
        match &listed["nextCursor"] {
            Value::Null => return Ok(Answer { revision: revision.to_owned(), tools }),
            cursor => page = json!({ "cursor": cursor }),
        }
    }
    Err("its list of tools has no end".to_owned())
}

impl Server {
    fn start(mut command: Command, time: Duration) -> io::Result<Self> {
        let until = Instant::now() + time;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (Some(input), Some(output), Some(messages)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("it has no streams"));
        };
        let (sender, lines) = channel();
        // It ends with the server, whose end of the pipe it reads.
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let line = line(&mut output);
                let is_last = !matches!(&line, Ok(line) if !line.is_empty());
                if sender.send(line).is_err() || is_last {
                    return;
                }
            }
        });
        let messages = Some(thread::spawn(move || first_of(messages)));
        Ok(Self { child, input, lines, messages, until })
    }

    fn send(&mut self, message: &Value) -> Result<(), String> {
        let sent = writeln!(self.input, "{message}").and_then(|()| self.input.flush());
        sent.map_err(|_| self.ended())
    }

    /// Asks, and waits for the answer with this id. All else that a server may say meanwhile is passed over.
    fn ask(&mut self, id: u32, method: &str, params: &Value) -> Result<Value, String> {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        loop {
            let line = match self.lines.recv_timeout(self.until.saturating_duration_since(Instant::now())) {
                Ok(Ok(line)) if !line.is_empty() => line,
                Ok(Err(error)) => return Err(format!("its answer to {method} cannot be read: {error}")),
                Ok(Ok(_)) | Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
                Err(RecvTimeoutError::Timeout) => return Err(format!("it did not answer {method} in time")),
            };
            let Ok(mut message) = serde_json::from_str::<Value>(&line) else {
                return Err(format!("it printed something that is not the protocol before it answered {method}"));
            };
            if message["id"] != json!(id) || message.get("method").is_some() {
                continue;
            }
            return match message["error"]["message"].as_str() {
                Some(error) => Err(format!("it answered {method} with an error: {error}")),
                None => Ok(message["result"].take()),
            };
        }
    }

    /// That it ended, with what it said about that.
    fn ended(&mut self) -> String {
        let status = self.child.kill().and_then(|()| self.child.wait());
        let how = status.map(|status| status.to_string()).unwrap_or_default();
        let messages = self.messages.take().and_then(|messages| messages.join().ok()).unwrap_or_default();
        match messages.lines().find(|line| !line.trim().is_empty()) {
            Some(line) => format!("it ended ({how}) and said: {}", line.trim()),
            None => format!("it ended ({how}) and said nothing"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next line; nothing at the end.
fn line(output: &mut impl io::BufRead) -> io::Result<String> {
    let mut line = String::new();
    let read = output.by_ref().take(LONGEST_LINE).read_line(&mut line)?;
    if read as u64 == LONGEST_LINE { Err(io::Error::other("a line is too long")) } else { Ok(line) }
}

/// The start of what a server tells people. The rest is read as well, so that it does not wait for a reader.
fn first_of(mut messages: ChildStderr) -> String {
    let mut first = Vec::new();
    let _ = messages.by_ref().take(LONGEST_MESSAGE).read_to_end(&mut first);
    let _ = io::copy(&mut messages, &mut io::sink());
    String::from_utf8_lossy(&first).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{}}}"#;

    /// A server that answers what it reads with these lines, one each; nothing for an empty one.
    fn server(lines: &[&str], then: &str) -> Command {
        let mut script = String::new();
        for line in lines {
            script += "read -r asked\n";
            if !line.is_empty() {
                script += &format!("printf '%s\\n' '{line}'\n");
            }
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{script}{then}")]);
        command
    }

    fn asked(lines: &[&str], then: &str, time: Duration) -> Result<Answer, String> {
        probe(server(lines, then), time)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_server_that_answers_is_told_with_its_tools() {
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;
        let request = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
        let first = r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"a"},{"name":"b"}],"nextCursor":"n"}}"#;
        let second = r#"{"jsonrpc":"2.0","id":3,"result":{"tools":[{"name":"c"}]}}"#;
        let first = format!("{log}\n{request}\n{first}");
        // It would wait for more, and is stopped.
        let answer = asked(&[OPENED, "", &first, second], "exec sleep 1000", LONG);
        assert_eq!(answer, Ok(Answer { revision: "2025-06-18".to_owned(), tools: 3 }));
    }

    #[test]
    fn a_server_that_does_not_is_told_with_why() {
        let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no such revision"}}"#;
        let nothing = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        let endless = r#"while read -r asked; do id=$((${id:-1}+1)); printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[],"nextCursor":"n"}}\n' $id; done"#;
        for (lines, then, told) in [
            (&[][..], "echo 'error: no such verb' >&2; exit 2", "exit status: 2) and said: error: no such verb"),
            (&[], "exit 0", "said nothing"),
            (&[OPENED], "read -r x; exit 3", "exit status: 3"),
            (&[refused], "cat", "with an error: no such revision"),
            (&[nothing], "cat", "names no protocolVersion"),
            (&["hello"], "cat", "not the protocol"),
            (&[OPENED, ""], endless, "has no end"),
        ] {
            let answer = asked(lines, then, LONG);
            assert!(answer.as_ref().is_err_and(|why| why.contains(told)), "{told}: {answer:?}");
        }
        let slow = asked(&[OPENED, ""], "exec sleep 1000", Duration::from_millis(300));
        assert_eq!(slow, Err("it did not answer tools/list in time".to_owned()));
        let gone = probe(Command::new("/nowhere/caplet"), LONG);
        assert!(gone.is_err_and(|why| why.contains("cannot be started")));
    }

    #[test]
    fn a_server_that_floods_is_stopped() {
        // It keeps its input, or the question could find no reader.
        let flood = asked(&[], "exec 3<&0; exec tr '\\0' x < /dev/zero", LONG);
        assert!(flood.as_ref().is_err_and(|why| why.contains("too long")), "{flood:?}");
        let noise = asked(&[], "tr '\\0' x < /dev/zero >&2", Duration::from_millis(300));
        assert!(noise.as_ref().is_err_and(|why| why.contains("in time")), "{noise:?}");
    }
}
