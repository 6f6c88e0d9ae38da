//! What a server does on a connection, step by step.

use std::io::{self, Write as _};
use std::time::Duration;

use super::super::server::Wire;

/// How much is handed to the kernel at a time when bytes are repeated without a pause.
const BATCH: usize = 64 * 1024;

/// Steps, in order. After the last one the connection stays open for the next request, unless a step ended it.
///
/// ```
/// use std::time::Duration;
/// use caplet_testkit::lab::http::Script;
///
/// let slow = Script::new()
///     .send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")
///     .pause(Duration::from_secs(3))
///     .send("llo");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Repeat { bytes: Vec<u8>, times: u64, every: Duration },
    Pause(Duration),
    HalfClose,
    Drain,
    Hold,
    Reset,
    Cut,
    Close,
}

impl Script {
    /// No steps.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sends bytes.
    #[must_use]
    pub fn send(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.then(Step::Send(bytes.into()))
    }

    /// Sends bytes again and again, as fast as they are taken.
    #[must_use]
    pub fn repeat(self, bytes: impl Into<Vec<u8>>, times: u64) -> Self {
        self.then(Step::Repeat { bytes: bytes.into(), times, every: Duration::ZERO })
    }

    /// Sends bytes again and again with a pause after each time, until the client lets go.
    #[must_use]
    pub fn drip(self, bytes: impl Into<Vec<u8>>, every: Duration) -> Self {
        self.then(Step::Repeat { bytes: bytes.into(), times: u64::MAX, every })
    }

    /// Sends bytes without end, as fast as they are taken.
    #[must_use]
    pub fn forever(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.repeat(bytes, u64::MAX)
    }

    /// Does nothing for a time.
    #[must_use]
    pub fn pause(self, time: Duration) -> Self {
        self.then(Step::Pause(time))
    }

    /// Says that nothing more comes; the other direction stays open.
    #[must_use]
    pub fn half_close(self) -> Self {
        self.then(Step::HalfClose)
    }

    /// Reads and forgets until the client lets go.
    #[must_use]
    pub fn drain(self) -> Self {
        self.then(Step::Drain)
    }

    /// Neither reads nor writes until the client lets go.
    #[must_use]
    pub fn hold(self) -> Self {
        self.then(Step::Hold)
    }

    /// Ends the connection by a reset.
    #[must_use]
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    /// Ends the connection below TLS, which does not say so.
    #[must_use]
    pub fn cut(self) -> Self {
        self.then(Step::Cut)
    }

    /// Ends the connection in order.
    #[must_use]
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Does it. Returns whether the connection goes on.
    pub(crate) fn play(&self, wire: &mut Wire) -> io::Result<bool> {
        for step in &self.0 {
            match step {
                Step::Send(bytes) => {
                    wire.write_all(bytes)?;
                    wire.flush()?;
                }
                Step::Repeat { bytes, times, every } => repeat(wire, bytes, *times, *every)?,
                Step::Pause(time) => wire.pause(*time)?,
                Step::HalfClose => wire.half_close()?,
                Step::Drain => return wire.drain().map(|()| false),
                Step::Hold => return wire.hold().map(|()| false),
                Step::Reset => return wire.reset().map(|()| false),
                Step::Cut => return wire.cut().map(|()| false),
                Step::Close => return wire.close().map(|()| false),
            }
        }
        Ok(true)
    }
}

fn repeat(wire: &mut Wire, bytes: &[u8], times: u64, every: Duration) -> io::Result<()> {
    if !every.is_zero() {
        for _ in 0..times {
            wire.write_all(bytes)?;
            wire.flush()?;
            wire.pause(every)?;
        }
        return Ok(());
    }
    let in_batch = u64::try_from(BATCH / bytes.len().max(1)).unwrap_or(1).clamp(1, times.max(1));
    let batch = bytes.repeat(usize::try_from(in_batch).unwrap_or(1));
    for _ in 0..times / in_batch {
        wire.write_all(&batch)?;
    }
    for _ in 0..times % in_batch {
        wire.write_all(bytes)?;
    }
    wire.flush()
}
