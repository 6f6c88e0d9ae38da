//! A request as it came, to the byte.

use std::io::Read;
use std::net::SocketAddr;

use super::super::server::Wire;
use super::Reading;

/// More of a request is not read, and it counts as broken off: an upload may have no end.
const MAX_REQUEST: usize = 64 * 1024 * 1024;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Every byte of it, as it was on the wire (below TLS, if there is any).
    pub raw: Vec<u8>,
    /// Whether it came to its end, as far as the server read.
    pub complete: bool,
    /// Which connection of the server it came on, from 0.
    pub connection: u64,
    /// Who sent it.
    pub peer: SocketAddr,
    /// The name that the TLS handshake asked for (SNI).
    pub server_name: Option<String>,
    /// The length of the head, with the empty line.
    head: usize,
    body: Vec<u8>,
}

impl Request {
    /// Reads one request from `wire`, whose first bytes may be in `ahead`; what follows it is left there.
    pub(super) fn read(wire: &mut Wire, ahead: &mut Vec<u8>, reading: Reading) -> Self {
        let mut source = Source { wire, bytes: std::mem::take(ahead), at: 0 };
        let mut head = 0;
        let body = match reading {
            Reading::Nothing => Some(Vec::new()),
            Reading::Head => source.head().map(|length| {
                head = length;
                Vec::new()
            }),
            Reading::All => source.head().and_then(|length| {
                head = length;
                source.body(length)
            }),
        };
        let rest = source.bytes.split_off(source.at.min(source.bytes.len()));
        let complete = body.is_some();
        let mut raw = source.bytes;
        if complete {
            *ahead = rest;
        } else {
            raw.extend(rest);
        }
        Self {
            raw,
            complete,
            connection: wire.number(),
            peer: wire.peer(),
            server_name: wire.server_name().map(str::to_owned),
            head,
            body: body.unwrap_or_default(),
        }
    }

    /// The first line, without its end.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        lines(self.head()).next().unwrap_or_default()
    }

    /// The first word of the first line.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.line().split(|byte| *byte == b' ').next().unwrap_or_default()
    }

    /// What stands between the first space of the first line and its last.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        let after = self.line().get(self.method().len() + 1..).unwrap_or_default();
        let end = after.iter().rposition(|byte| *byte == b' ').unwrap_or(after.len());
        after.get(..end).unwrap_or_default()
    }

    /// The target without its query, if it is text: to choose an answer by.
    #[must_use]
    pub fn path(&self) -> &str {
        std::str::from_utf8(self.target()).ok().and_then(|target| target.split('?').next()).unwrap_or_default()
    }

    /// Everything before the body, with the empty line.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.raw.get(..self.head).unwrap_or_default()
    }

    /// The header lines in order: name and value, the value without the blanks around it.
    #[must_use]
    pub fn headers(&self) -> Vec<(&[u8], &[u8])> {
        headers(self.head())
    }

    /// The values of all headers of this name, in any letter case.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<&[u8]> {
        let named = |(own, value): (_, _)| <[u8]>::eq_ignore_ascii_case(own, name.as_bytes()).then_some(value);
        self.headers().into_iter().filter_map(named).collect()
    }

    /// The body, without the framing of chunks.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether these bytes stand anywhere in it: for what must not have left.
    #[must_use]
    pub fn contains(&self, bytes: &[u8]) -> bool {
        self.raw.windows(bytes.len().max(1)).any(|window| window == bytes)
    }
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn headers(head: &[u8]) -> Vec<(&[u8], &[u8])> {
    let split = |line| {
        let line: &[u8] = line;
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((line.get(..colon)?, line.get(colon + 1..)?.trim_ascii()))
    };
    lines(head).skip(1).filter_map(split).collect()
}

/// What was read so far, and up to where it is used.
struct Source<'a> {
    wire: &'a mut Wire,
    bytes: Vec<u8>,
    at: usize,
}

impl Source<'_> {
    /// Reads more; `None` at the end, whatever ended it.
    fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        let count = self.wire.read(&mut buffer).ok().filter(|count| *count > 0)?;
        self.bytes.extend(buffer.get(..count)?);
        (self.bytes.len() <= MAX_REQUEST).then_some(())
    }

    /// Takes bytes up to and with `end`.
    fn until(&mut self, end: &[u8]) -> Option<&[u8]> {
        let start = self.at;
        let mut from = start;
        loop {
            if let Some(found) = self.bytes.get(from..)?.windows(end.len()).position(|window| window == end) {
                self.at = from + found + end.len();
                return self.bytes.get(start..self.at);
            }
            from = self.bytes.len().saturating_sub(end.len() - 1).max(start);
            self.more()?;
        }
    }

    /// Takes exactly `count` bytes.
    fn exactly(&mut self, count: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= MAX_REQUEST)?;
        while self.bytes.len() < end {
            self.more()?;
        }
        let start = std::mem::replace(&mut self.at, end);
        self.bytes.get(start..end)
    }

    fn head(&mut self) -> Option<usize> {
        self.until(b"\r\n\r\n").map(<[u8]>::len)
    }

    fn body(&mut self, head: usize) -> Option<Vec<u8>> {
        let head = self.bytes.get(..head)?;
        let value = |name: &[u8]| {
            let named = |(own, value): (&[u8], _)| own.eq_ignore_ascii_case(name).then_some(value);
            headers(head).into_iter().find_map(named).and_then(|value| std::str::from_utf8(value).ok())
        };
        if value(b"transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
            return self.chunks();
        }
        let length = value(b"content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        self.exactly(length).map(<[u8]>::to_vec)
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n")?;
            let digits = line.split(|byte| matches!(byte, b';' | b'\r')).next()?;
            let length = usize::from_str_radix(std::str::from_utf8(digits).ok()?.trim(), 16).ok()?;
            if length == 0 {
                // Trailers, if any, up to an empty line.
                while self.until(b"\r\n")?.len() > 2 {}
                return Some(body);
            }
            body.extend(self.exactly(length)?);
            self.exactly(2)?;
        }
    }
}
