//! What can go wrong outside of a call, and the marks by which a call's end is recognised.

use std::fmt;

use caplet_audit::ErrorKind;

/// The sandbox itself could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The engine refused its settings, or the machine refused it memory or a thread.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
}

/// A limit that a guest ran into. It travels through the engine as an error and becomes the outcome `limit`.
#[derive(Clone, Debug)]
pub(crate) struct LimitHit {
    /// Which limit, as the outcome names it.
    pub(crate) kind: ErrorKind,
    message: String,
    key: &'static str,
}

impl LimitHit {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>, key: &'static str) -> Self {
        Self { kind, message: message.into(), key }
    }

    /// The option that raises this limit.
    pub(crate) fn hint(&self) -> String {
        format!("raise it with --limit {}=VALUE, unless the tool's manifest sets a lower one", self.key)
    }
}

impl fmt::Display for LimitHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LimitHit {}

/// The guest asked to end with this code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exited(pub(crate) u32);

impl fmt::Display for Exited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tool exited with code {}", self.0)
    }
}

impl std::error::Error for Exited {}
