//! What has changed, in words for people: one line for each object.

use std::fmt;

use super::{OverlayError, OverlayStore};
use crate::EntryKind;

/// One change between the directory and what the overlay shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Its names from the top, with `/` between them.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// What it is; for what was removed, what it was. Something that became something else is a removal and an addition.
    pub what: EntryKind,
    /// What the directory has now.
    pub before: Option<Version>,
    /// What it is to have.
    pub after: Option<Version>,
    /// Why it cannot be applied.
    pub conflict: Option<Conflict>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It is not there any more.
    Removed,
    /// It is new.
    Added,
    /// Its content is another one, or its permissions are.
    Changed,
}

/// One side of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Version {
    /// Bytes of a file, or of the target of a link; 0 for a directory.
    pub size: u64,
    /// The permissions, where they are known; new objects get the usual ones otherwise.
    pub mode: Option<u32>,
}

/// Why a change cannot be applied: the directory is not what it was when the overlay first changed the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conflict {
    /// Something is there that the overlay has never seen.
    Appeared,
    /// What was there is not any more.
    Vanished,
    /// It was changed there.
    Changed,
    /// A directory that is to be removed has entries that are no files, directories or links, or whose names are not UTF-8.
    Unseen,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Appeared => "something appeared there that the overlay has never seen",
            Self::Vanished => "it was removed there since the overlay changed it",
            Self::Changed => "it was changed there since the overlay changed it",
            Self::Unseen => "the directory has entries that an overlay does not show",
        })
    }
}

/// All changes, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// One for each object that differs. A removal comes before an addition of the same path, a directory before what is in it.
    pub list: Vec<Change>,
}

/// How much has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many objects are new.
    pub added: usize,
    /// How many are others.
    pub changed: usize,
    /// How many are gone.
    pub removed: usize,
    /// How many bytes applying them would write.
    pub bytes: u64,
    /// How many of them cannot be applied.
    pub conflicts: usize,
}

impl Changes {
    /// Counts.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for change in &self.list {
            match change.kind {
                ChangeKind::Added => summary.added += 1,
                ChangeKind::Changed => summary.changed += 1,
                ChangeKind::Removed => summary.removed += 1,
            }
            summary.bytes = summary.bytes.saturating_add(change.after.map_or(0, |after| after.size));
            summary.conflicts += usize::from(change.conflict.is_some());
        }
        summary
    }
}

impl OverlayStore {
    /// What has changed. Times alone are no change.
    ///
    /// Calls may go on meanwhile; what they change is in it or not.
    ///
    /// # Errors
    ///
    /// [`OverlayError::TooDeep`], or when a store fails.
    pub fn changes(&self) -> Result<Changes, OverlayError> {
        let _names = self.shared.reading();
        Ok(Changes { list: self.shared.survey()?.items.iter().filter_map(super::survey::Item::change).collect() })
    }
}
