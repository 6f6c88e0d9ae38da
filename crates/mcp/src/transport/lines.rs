//! Lines of bounded length.
//!
//! What always holds: no more is held than the longest line and one read; a future that is dropped loses nothing.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::offered::Offered;
use crate::settings::Settings;

/// Bytes that are asked for at a time: what a pipe holds.
const READ: usize = 64 << 10;

/// A buffer that grew beyond this is given back when it is empty.
const USUAL: usize = 1 << 20;

/// How long a line may be. It follows what is offered.
#[derive(Clone, Debug)]
pub(crate) struct Longest {
    pub(crate) settings: Settings,
    pub(crate) offered: Arc<Offered>,
}

impl Longest {
    pub(crate) fn bytes(&self) -> usize {
        match self.settings.message {
            Some(bytes) => bytes,
            None => Settings::longest_message(self.offered.now().longest_arguments),
        }
    }
}

/// The lines of a stream.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    read: R,
    longest: Longest,
    buffer: BytesMut,
    /// How much of the buffer has no line end in it.
    scanned: usize,
    /// Inside a line that was refused.
    is_discarding: bool,
    has_ended: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Without its end.
    Text(Bytes),
    /// It was left out.
    TooLong,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(read: R, longest: Longest) -> Self {
        Self { read, longest, buffer: BytesMut::new(), scanned: 0, is_discarding: false, has_ended: false }
    }

    /// The next line; none after the end. A last line needs no line end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take() {
                return Ok(Some(line));
            }
            if self.has_ended {
                let rest = self.buffer.split().freeze();
                self.scanned = 0;
                return Ok((!rest.is_empty() && !self.is_discarding).then_some(Line::Text(rest)));
            }
            self.fill().await?;
        }
    }

    /// Reads on without taking anything. False when that is not possible: at the end. It waits for ever when as much was read as may be.
    pub(crate) async fn read_ahead(&mut self) -> io::Result<bool> {
        if self.buffer.len() >= self.longest.bytes() {
            std::future::pending::<()>().await;
        }
        self.fill().await?;
        Ok(!self.has_ended)
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.has_ended {
            return Ok(());
        }
        if self.buffer.is_empty() && self.buffer.capacity() > USUAL {
            self.buffer = BytesMut::new();
        }
        self.buffer.reserve(READ);
        self.has_ended = self.read.read_buf(&mut self.buffer).await? == 0;
        Ok(())
    }

    fn take(&mut self) -> Option<Line> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(end) = unseen.iter().position(|byte| *byte == b'\n').map(|at| self.scanned + at) else {
                self.scanned = self.buffer.len();
                if self.scanned <= self.longest.bytes() {
                    return None;
                }
                self.buffer.clear();
                self.scanned = 0;
                return (!std::mem::replace(&mut self.is_discarding, true)).then_some(Line::TooLong);
            };
            let mut line = self.buffer.split_to(end + 1);
            line.truncate(end);
            self.scanned = 0;
            if std::mem::take(&mut self.is_discarding) {
                continue;
            }
            return Some(if line.len() > self.longest.bytes() { Line::TooLong } else { Line::Text(line.freeze()) });
        }
    }
}
