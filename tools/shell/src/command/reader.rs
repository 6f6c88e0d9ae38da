//! Reading lines, and writing in large pieces.

use std::rc::Rc;

use crate::stop::Flow;
use crate::stream::{CHUNK, Stream};

/// Reads a stream by lines or pieces. What it has read too much goes back when it is dropped.
pub(super) struct Reader {
    stream: Rc<Stream>,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    /// The last line had its delimiter.
    pub(super) delimited: bool,
}

impl Reader {
    pub(super) fn new(stream: Rc<Stream>) -> Self {
        Self { stream, buffer: Vec::new(), at: 0, ended: false, delimited: true }
    }

    /// The next line without its delimiter; none at the end.
    pub(super) async fn line(&mut self, delimiter: u8) -> Flow<Option<&[u8]>> {
        let mut scanned = self.at;
        loop {
            let rest = self.buffer.get(scanned..).unwrap_or_default();
            if let Some(end) = memchr::memchr(delimiter, rest) {
                let (from, to) = (self.at, scanned + end);
                self.at = to + 1;
                self.delimited = true;
                return Ok(self.buffer.get(from..to));
            }
            let piece = if self.ended { Vec::new() } else { self.stream.read().await? };
            if piece.is_empty() {
                self.ended = true;
                let from = std::mem::replace(&mut self.at, self.buffer.len());
                self.delimited = false;
                return Ok(self.buffer.get(from..).filter(|rest| !rest.is_empty()));
            }
            if self.at == self.buffer.len() {
                self.buffer = piece;
                scanned = 0;
            } else {
                self.buffer.drain(..self.at);
                scanned = self.buffer.len();
                self.buffer.extend_from_slice(&piece);
            }
            self.at = 0;
        }
    }

    /// The next bytes; none at the end.
    pub(super) async fn piece(&mut self) -> Flow<Vec<u8>> {
        if self.at < self.buffer.len() {
            let mut all = std::mem::take(&mut self.buffer);
            let at = std::mem::take(&mut self.at);
            return Ok(if at == 0 { all } else { all.split_off(at) });
        }
        if self.ended { Ok(Vec::new()) } else { self.stream.read().await }
    }

    /// What was read and not used.
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Uses so many bytes of the rest.
    pub(super) fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.buffer.len());
    }

    /// Reads more behind the rest; false at the end.
    pub(super) async fn more(&mut self) -> Flow<bool> {
        let piece = if self.ended { Vec::new() } else { self.stream.read().await? };
        self.ended |= piece.is_empty();
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(&piece);
        Ok(!piece.is_empty())
    }

    /// Puts bytes that were read back in front of the rest.
    pub(super) fn give_back(&mut self, bytes: Vec<u8>) {
        let rest = self.buffer.split_off(self.at.min(self.buffer.len()));
        self.buffer = bytes;
        self.buffer.extend(rest);
        self.at = 0;
    }

    /// Everything that is left, up to `most` bytes.
    pub(super) async fn all(&mut self, most: usize) -> Flow<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let mut piece = self.piece().await?;
            if piece.is_empty() {
                return Ok(whole);
            }
            whole.append(&mut piece);
            if whole.len() > most {
                return crate::stop::failed(format!("the input has more than {} MiB", most >> 20));
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.at < self.buffer.len() {
            self.stream.unread(self.buffer.split_off(self.at));
        }
    }
}

/// Gathers output into large pieces.
pub(super) struct Writer {
    stream: Rc<Stream>,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(stream: Rc<Stream>) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Puts a line and its end.
    pub(super) async fn line(&mut self, bytes: &[u8]) -> Flow<()> {
        self.put(bytes);
        self.put(b"\n");
        self.step().await
    }

    /// Writes if enough has been gathered.
    pub(super) async fn step(&mut self) -> Flow<()> {
        if self.buffer.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    /// Writes what has been gathered.
    pub(super) async fn flush(&mut self) -> Flow<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let outcome = self.stream.write(&self.buffer).await;
        self.buffer.clear();
        outcome
    }

    /// Gathered output, for what is made line by line out of it.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }
}
