//! The audit log: records in a chain of hashes, in files that are only ever appended to.
//!
//! A folder holds segments, `audit-00000001.jsonl` and on, each a row of lines; each line is an entry that names the hash of the one before
//! it, across segments too (`entry`). A new segment is begun at a size or an age, and none is removed. [`Log`] appends, from any number of
//! processes at once; [`verify`] says whether everything is there as it was written, or what the first thing is that is not;
//! [`Reader`] hands the records out. In another folder are signed checkpoints (`checkpoint`), without which nobody sees that the end is gone.
//!
//! What always holds: an append is one write of whole lines under a lock, and returns when the system has them; what a crash leaves of
//! one is cut off and remarked on by the next; no entry is changed once it is written.

pub mod canonical;
mod checkpoint;
mod entry;
mod filter;
mod folder;
mod index;
mod lines;
mod open;
mod reader;
mod settle;
mod tail;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use checkpoint::PublicKey;
pub use entry::{Content, Hash, Remark};
pub use filter::Filter;
pub use index::{Index, IndexError};
pub use reader::{Kept, Order, ReadError, Reader, Records};
pub use tail::Head;
pub use verify::{Fault, FaultKind, Note, Report, Trust, verify};

use self::settle::Shared;
use crate::{Record, Sink, SinkError};

/// The size at which a new segment is begun, in bytes: small enough to copy around, and 40,000 usual records.
const SEGMENT_BYTES: u64 = 64 << 20;

/// The age at which one is begun, so that a day can be put away.
const SEGMENT_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How often what was appended is made durable where there is a thread for that: what the machine may lose when it crashes.
const SYNC: Duration = Duration::from_secs(1);

/// Records after which a checkpoint is made at the next chance.
const CHECKPOINT_RECORDS: u64 = 1_000;

/// The longest that a record waits for a checkpoint.
const CHECKPOINT_AGE: Duration = Duration::from_secs(10);

/// Where a log is, and how it is kept.
#[derive(Clone, Debug)]
#[must_use]
pub struct LogConfig {
    pub(crate) folder: PathBuf,
    pub(crate) keys: PathBuf,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_age: Duration,
    pub(crate) in_background: bool,
}

impl LogConfig {
    /// A log in `folder`, with its key and checkpoints in `keys`, which must be another folder. What is appended becomes durable each
    /// second, by a thread that also makes checkpoints: each ten seconds, or each second after a thousand records.
    pub fn new(folder: impl Into<PathBuf>, keys: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            keys: keys.into(),
            segment_bytes: SEGMENT_BYTES,
            segment_age: SEGMENT_AGE,
            in_background: true,
        }
    }

    /// The same without a thread: what is appended becomes durable, and is vouched for, by [`Sink::settle`] and when the log is dropped.
    /// For a process that makes a call and ends.
    pub fn one_shot(self) -> Self {
        Self { in_background: false, ..self }
    }

    /// Begins a new segment before one is longer than `bytes`, instead of 64 MiB.
    pub fn segment_bytes(self, bytes: u64) -> Self {
        Self { segment_bytes: bytes, ..self }
    }

    /// Begins a new segment when one is older than `age`, instead of a day.
    pub fn segment_age(self, age: Duration) -> Self {
        Self { segment_age: age, ..self }
    }
}

/// Appends records to a log. Nothing is touched until [`Sink::ready`] or [`Sink::append`]; then the folders are made if need be, with mode
/// 0700, and files with mode 0600.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
}

impl Log {
    /// The log that `config` says.
    #[must_use]
    pub fn new(config: LogConfig) -> Self {
        Self { shared: Arc::new(Shared::new(config)) }
    }

    /// The last entry that this process appended, or found when it did.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.shared.lock().known.as_ref().map(|(_, head)| *head)
    }
}

impl Sink for Log {
    fn ready(&self) -> Result<(), SinkError> {
        self.shared.retry()?;
        self.shared.lock().ready(&self.shared.config)
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        let content = record.to_canonical()?;
        let was_dirty = self.shared.lock().append(&self.shared.config, &content)?;
        if !was_dirty {
            self.shared.start();
            self.shared.wake.notify_all();
        }
        Ok(())
    }

    fn location(&self) -> Option<&Path> {
        Some(&self.shared.config.folder)
    }

    fn keys(&self) -> Option<&Path> {
        Some(&self.shared.config.keys)
    }

    fn settle(&self) -> Result<(), SinkError> {
        self.shared.settle(true)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.end();
        // Nobody is left to tell. What was appended is with the system, and the next process vouches for it.
        let _ = self.shared.settle(true);
    }
}
