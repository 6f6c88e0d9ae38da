//! What a verification is made with, and what it finds.

use std::path::PathBuf;

use serde::Serialize;

use crate::log::PublicKey;

/// What a log is verified with besides itself.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The folder with the checkpoints.
    pub keys: Option<PathBuf>,
    /// The key that they must be signed with, as it is known from elsewhere; else the one that is beside them counts.
    pub key: Option<PublicKey>,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// Its text is not what was written.
    Edited,
    /// It says the same, in another text: whitespace, another order of keys, other escapes.
    Whitespace,
    /// Entries are missing before it.
    Deleted,
    /// It is there, and an earlier one comes after it.
    Reordered,
    /// It is there twice.
    Duplicated,
    /// It was not there when the ones around it were written.
    Inserted,
    /// It is of another log, or of another past of this one.
    Swapped,
    /// What came after it is gone.
    Truncated,
    /// A checkpoint is not one that was signed with the key.
    Checkpoint,
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The segment's file name; none where a checkpoint is wrong.
    pub segment: Option<String>,
    /// The line, from 1.
    pub line: Option<u64>,
    /// The number of the entry that should be there, or of the one that a checkpoint is about.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub kind: FaultKind,
    /// The same in words.
    pub what: String,
}

/// Something that a person should know and that is no fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The segment's file name, where it is about one.
    pub segment: Option<String>,
    /// The line, from 1, where it is about one.
    pub line: Option<u64>,
    /// What there is to know.
    pub what: String,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The log's id.
    pub log: Option<String>,
    /// How many segments were read.
    pub segments: u64,
    /// How many entries are as they were written, up to the first fault.
    pub entries: u64,
    /// How many of them are records of calls.
    pub records: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// The last entry's hash.
    pub head: Option<String>,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// The last entry that a checkpoint vouches for. Nobody would see it if those after it were gone.
    pub vouched: Option<u64>,
    /// The key that checkpoints were verified with.
    pub key: Option<String>,
    /// What else there is to know. Of very many, the first hundred.
    pub notes: Vec<Note>,
    /// The first thing that is wrong, if something is.
    pub fault: Option<Fault>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.fault.is_none()
    }
}
