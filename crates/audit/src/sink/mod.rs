//! Where records go. One file a sink.

mod best_effort;
mod memory;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use best_effort::BestEffort;
pub use memory::MemorySink;

use crate::Record;

/// Keeps records. A sink that cannot keep one must say so: the call is then refused, or its outcome held back.
pub trait Sink: fmt::Debug + Send + Sync {
    /// Whether a record could be kept now. Asked before each call, so that a call without a record does not start.
    ///
    /// # Errors
    ///
    /// Why the record of a call could not be kept.
    fn ready(&self) -> Result<(), SinkError>;

    /// Keeps `record`. When this returns, the record has left the process.
    ///
    /// # Errors
    ///
    /// Why the record was not kept.
    fn append(&self, record: &Record) -> Result<(), SinkError>;

    /// The sink behind this one, where this one only looks at what goes by. What follows is answered by it.
    fn inner(&self) -> Option<&dyn Sink> {
        None
    }

    /// Whether a call goes on without its record where that cannot be kept, instead of being refused.
    fn is_best_effort(&self) -> bool {
        self.inner().is_some_and(|inner| inner.is_best_effort())
    }

    /// The folder on the host that holds what was kept, where there is one. No guest may reach it.
    fn location(&self) -> Option<&Path> {
        self.inner()?.location()
    }

    /// The folder on the host with the keys that vouch for what was kept, where there is one. No guest may reach it either.
    fn keys(&self) -> Option<&Path> {
        self.inner()?.keys()
    }

    /// Makes what was kept survive a crash of the machine, and vouches for it. For the end of a process; a sink that does so by itself does
    /// not wait for this.
    ///
    /// # Errors
    ///
    /// Why it could not be done. The records are kept all the same, as far as the system is trusted with them.
    fn settle(&self) -> Result<(), SinkError> {
        self.inner().map_or(Ok(()), |inner| inner.settle())
    }
}

/// Why a record cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The system refused to open or write the log.
    #[error("cannot {action} the audit log {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something is there that another could read, write or redirect.
    #[error("the audit log {} is not safe to use: {reason}", path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and how to put it right.
        reason: &'static str,
    },
    /// The log's last line was not written by Caplet, or has been changed: nothing can follow it.
    #[error("the audit log {} is damaged: its last line is not as it was written", path.display())]
    Damaged {
        /// The newest segment.
        path: PathBuf,
    },
    /// There is no room for a record.
    #[error("the audit log {} has no room for another record: the file system is full", path.display())]
    Full {
        /// The log's folder.
        path: PathBuf,
    },
    /// The record cannot be written as JSON.
    #[error("the record cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

impl SinkError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::Unsafe { .. } => {
                "every call leaves a record, so none runs until the log can be written"
            }
            Self::Damaged { .. } => {
                "`caplet audit verify` says what is wrong; move the log and its checkpoints away to begin a new one"
            }
            Self::Full { .. } => "every call leaves a record: free some space first",
            Self::Encode(_) => "this is a fault in caplet",
        }
    }
}
