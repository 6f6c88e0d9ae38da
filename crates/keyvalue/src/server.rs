//! What stores on servers have in common: options, and what an operation is told when the connection fails it.
//!
//! An operation first waits for a connection, then for its answer, each for a bounded time. What only reads is asked again on a new
//! connection for as long as its time lasts. What writes is sent once: after that nobody but the server knows whether it was done.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::limit::check_ttl;
use crate::{Error, OpenError};

/// How long to wait before the next try at a server that is not ready. A server that starts again takes some tenths of a second.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// The longest namespace in bytes; it is part of every key.
const MAX_NAMESPACE_BYTES: usize = 64;

/// What the names of all of Caplet's keys on a server begin with, so that they are apart from those of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// A namespace of up to 64 letters, digits, `-` and `_`: what every server takes as it is.
    ///
    /// # Errors
    ///
    /// When it has another character, none, or too many.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > MAX_NAMESPACE_BYTES || !text.bytes().all(is_plain) {
            let problem = "a namespace has 1 to 64 letters, digits, `-` and `_`";
            return Err(OpenError::Option(problem.into()));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    /// `caplet`.
    fn default() -> Self {
        Self("caplet".into())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a store on a server behaves. The server's own configuration says how much it may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// Where on the server its keys are.
    pub namespace: Namespace,
    /// How long a value stays after it was set; `None` is until it is deleted.
    pub ttl: Option<Duration>,
    /// How long an operation waits for a connection, over all tries.
    pub connect: Duration,
    /// How long an operation waits for its answer once there is a connection, over all tries where it is one that may be tried again.
    pub operation: Duration,
}

impl Default for ServerOptions {
    /// Namespace `caplet`, no time to live, 5 s and 5 s.
    fn default() -> Self {
        let patience = Duration::from_secs(5);
        Self { namespace: Namespace::default(), ttl: None, connect: patience, operation: patience }
    }
}

impl ServerOptions {
    /// Checks the time to live against the shortest that the server can keep.
    pub(crate) fn check(&self, shortest_ttl: Duration) -> Result<(), OpenError> {
        check_ttl(self.ttl, shortest_ttl)
    }
}

/// Whether an operation may be asked again when nobody knows what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing, so it may.
    Reads,
    /// It changes something, so it may not.
    Writes,
}

/// What became of one try.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server did not do it and will not; what the caller is told.
    Refused(Error),
    /// The server did not do it, and may do so soon: it is starting.
    NotYet(String),
    /// No answer came.
    Lost(String),
}

impl Failure {
    /// What the caller is told, or nothing if there is to be another try before `deadline`.
    pub(crate) fn verdict(self, effect: Effect, deadline: Instant) -> Option<Error> {
        let is_over = Instant::now() + PAUSE >= deadline;
        match (self, effect) {
            (Self::Refused(error), _) => Some(error),
            (Self::Lost(why), Effect::Writes) => Some(Error::Unsure(why)),
            (Self::NotYet(why), _) | (Self::Lost(why), Effect::Reads) => is_over.then_some(Error::Unavailable(why)),
        }
    }
}

/// A moment that far from now; a time that no clock reaches is a day.
pub(crate) fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now + Duration::from_secs(24 * 60 * 60))
}
