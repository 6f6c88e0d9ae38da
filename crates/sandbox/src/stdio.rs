//! Standard output and error of a guest: kept, counted together, and cut at the call's output limit.
//!
//! Nothing that a guest prints reaches the process's own streams. What was written before the limit is kept, so that a person
//! sees what a flooding tool said; the write that passes the limit ends the call.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use caplet_audit::ErrorKind;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamError, StreamResult};

use crate::engine::lock;
use crate::error::LimitHit;

/// The most that a guest may hand over in one write; larger buffers arrive in pieces.
const WRITE_PERMIT_BYTES: usize = 64 * 1024;

/// Which of the two streams.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// Everything that one call wrote.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    written: Arc<Mutex<Written>>,
}

/// What a call wrote, taken out of its [`Capture`].
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    limit: u64,
}

impl Written {
    /// Bytes on both streams.
    pub(crate) fn total(&self) -> u64 {
        u64::try_from(self.stdout.len() + self.stderr.len()).unwrap_or(u64::MAX)
    }
}

impl Capture {
    /// A capture that keeps at most `limit` bytes of both streams together.
    pub(crate) fn new(limit: u64) -> Self {
        Self { written: Arc::new(Mutex::new(Written { limit, ..Written::default() })) }
    }

    /// Makes room again, up to `limit` bytes, for the next call of a session.
    pub(crate) fn renew(&self, limit: u64) {
        *lock(&self.written) = Written { limit, ..Written::default() };
    }

    /// One of the two ends to give to a guest.
    pub(crate) fn stream(&self, stream: Stream) -> CapturedStream {
        CapturedStream { capture: self.clone(), stream }
    }

    /// Takes what was written so far.
    pub(crate) fn take(&self) -> Written {
        std::mem::take(&mut *lock(&self.written))
    }

    fn write(&self, stream: Stream, bytes: &[u8]) -> Result<(), LimitHit> {
        let mut written = lock(&self.written);
        let room = usize::try_from(written.limit.saturating_sub(written.total())).unwrap_or(usize::MAX);
        let kept = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        let limit = written.limit;
        match stream {
            Stream::Stdout => written.stdout.extend_from_slice(kept),
            Stream::Stderr => written.stderr.extend_from_slice(kept),
        }
        if kept.len() < bytes.len() { Err(output_limit(limit)) } else { Ok(()) }
    }
}

/// The limit on result, standard output and standard error together was passed.
pub(crate) fn output_limit(limit: u64) -> LimitHit {
    LimitHit::new(
        ErrorKind::Output,
        format!("the tool wrote more than its limit of {limit} bytes; the rest was cut"),
        "output",
    )
}

/// One end of a [`Capture`].
#[derive(Clone, Debug)]
pub(crate) struct CapturedStream {
    capture: Capture,
    stream: Stream,
}

impl IsTerminal for CapturedStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for CapturedStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only the 0.3 interfaces ask for this form, and they are not linked.
        Box::new(tokio::io::sink())
    }
}

#[wasmtime_wasi_io::async_trait]
impl OutputStream for CapturedStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.capture.write(self.stream, &bytes).map_err(|hit| StreamError::Trap(hit.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT_BYTES)
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for CapturedStream {
    async fn ready(&mut self) {}
}
