//! HTTP/1.1 as bytes.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Far longer than anything takes here: what is not there by then does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The JSON that it is, or the last message of the stream that it is.
    pub(crate) fn json(&self) -> Value {
        let text = match self.header("content-type") {
            Some("text/event-stream") => self.body.lines().rev().find_map(|line| line.strip_prefix("data: ")),
            _ => Some(self.body.as_str()),
        };
        serde_json::from_str(text.unwrap_or_default()).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The code of the JSON-RPC error that it is.
    pub(crate) fn code(&self) -> Option<i64> {
        self.json()["error"]["code"].as_i64()
    }

    /// The text that the tool gave.
    pub(crate) fn text(&self) -> String {
        self.json()["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

/// A request to be written: everything that matters can be wrong.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Ask {
    pub(crate) fn new(line: &str) -> Self {
        Self { line: format!("{line} HTTP/1.1"), headers: Vec::new(), body: String::new() }
    }

    /// A message of MCP.
    pub(crate) fn post(body: impl ToString) -> Self {
        let accept = "application/json, text/event-stream";
        Self { body: body.to_string(), ..Self::new("POST /mcp") }
            .with("accept", accept)
            .with("content-type", "application/json")
    }

    /// With a header more, in place of one of the same name.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With a header more, also if there is one of the same name.
    pub(crate) fn also(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.line);
        let has = |name: &str| self.headers.iter().any(|(found, _)| found == name);
        if !has("host") && !has("no-host") {
            text.push_str(&format!("host: {address}\r\n"));
        }
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "no-host") {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() && !has("content-length") && !has("transfer-encoding") {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

/// The answer to `bytes`, which say that the connection is to be closed, or make the server close it.
pub(crate) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Reply {
    // A server that refuses may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut read = Vec::new();
    timeout(PATIENCE, async {
        let mut some = [0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut some).await {
            read.extend_from_slice(&some[..count]);
            if is_whole(&read) {
                break;
            }
        }
    })
    .await
    .expect("an answer");
    parse(&read)
}

pub(crate) async fn ask(address: SocketAddr, ask: &Ask) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    exchange(&mut stream, &ask.bytes(address)).await
}

/// Reads until `wanted` was seen, and gives all that was read.
pub(crate) async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut read = Vec::new();
    let mut some = [0; 4096];
    loop {
        let count = timeout(PATIENCE, stream.read(&mut some)).await.expect("more to come").unwrap();
        read.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        if text.contains(wanted) {
            return text;
        }
        assert_ne!(count, 0, "the stream ended without {wanted:?}: {text}");
    }
}

fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let is_empty = head.starts_with("http/1.1 202") || head.starts_with("http/1.1 204");
    match length {
        Some(length) => body.len() >= length,
        None if head.contains("transfer-encoding: chunked") => body.ends_with("0\r\n\r\n"),
        None => is_empty,
    }
}

fn parse(read: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(read).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).unwrap())
        .collect();
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked { unchunked(body) } else { body.to_owned() };
    Reply { status, headers, body }
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 || after.len() < size {
            break;
        }
        body.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    body
}
