//! What the lower directory's objects were when the overlay began to hide them, by their path there.
//!
//! Nothing is shown or hidden by it. It is for the changes to be applied: what is not in here was never seen, and is not removed or
//! replaced. It is written before the object is hidden, so that what is hidden is in here.

use sha2::{Digest as _, Sha256};

use super::names::{hash, hex};
use super::record::Base;
use super::shared::{Shared, count};
use super::view::Lower;
use crate::host::facts::Facts;
use crate::{EntryKind, FileRef, FsError, NodeRef};

/// Files up to this size are read when they are removed, to know them again whatever their times say; 1 MiB takes a few
/// milliseconds. Larger ones are known by their times alone.
pub(super) const HASHED_BYTES: u64 = 1 << 20;

/// How much is read at once.
pub(super) const PIECE_BYTES: usize = 256 << 10;

impl Shared {
    /// Remembers what `lower` is now.
    pub(super) fn remember(&self, lower: &Lower) -> Result<(), FsError> {
        let facts = Facts::of(lower.node.as_ref())?;
        let content = if facts.size <= HASHED_BYTES { self.content(&lower.node)? } else { None };
        self.remember_as(lower, &Base { facts, content })
    }

    pub(super) fn remember_as(&self, lower: &Lower, base: &Base) -> Result<(), FsError> {
        self.put_record(&self.ledger, &hash(lower.path.as_bytes()), &base.text(&lower.path))
    }

    /// What is remembered of the object at `path` of the lower directory.
    pub(super) fn base(&self, path: &str) -> Result<Option<Base>, FsError> {
        let text = self.record(&self.ledger, &hash(path.as_bytes()))?;
        Ok(text.as_deref().and_then(|text| Base::parse(text, path)))
    }

    pub(super) fn forget_base(&self, path: &str) -> Result<(), FsError> {
        self.drop_record(&self.ledger, &hash(path.as_bytes()))
    }

    /// A hash of the content of a file or the target of a link; nothing for a directory.
    pub(super) fn content(&self, node: &NodeRef) -> Result<Option<String>, FsError> {
        match node.kind() {
            EntryKind::Directory => Ok(None),
            EntryKind::Link => match node.read_link(self.known()) {
                Ok(target) => Ok(Some(hash(target.as_bytes()))),
                Err(FsError::IllegalByteSequence) => Ok(None),
                Err(error) => Err(error),
            },
            EntryKind::File => {
                let mut hasher = Sha256::new();
                pieces(&self.read(node)?, u64::MAX, |bytes| {
                    hasher.update(bytes);
                    Ok(())
                })?;
                Ok(Some(hex(hasher.finalize().as_slice())))
            }
        }
    }

    /// Whether two files or links have the same content. Sizes are compared first.
    pub(super) fn same_content(&self, one: &NodeRef, other: &NodeRef) -> Result<bool, FsError> {
        if one.kind() != other.kind() || one.stat(self.known())?.size != other.stat(self.known())?.size {
            return Ok(false);
        }
        match one.kind() {
            EntryKind::Directory => Ok(true),
            EntryKind::Link => Ok(one.read_link(self.known())? == other.read_link(self.known())?),
            EntryKind::File => {
                let (one, other) = (self.read(one)?, self.read(other)?);
                let mut at = 0;
                loop {
                    let bytes = one.read_at(at, PIECE_BYTES)?;
                    if bytes.is_empty() {
                        return Ok(true);
                    }
                    if exactly(&other, at, bytes.len())? != bytes {
                        return Ok(false);
                    }
                    at += count(bytes.len());
                }
            }
        }
    }
}

/// Calls `act` with the first `keep` bytes of a file, piece by piece. Gives how many there were.
pub(super) fn pieces(
    file: &FileRef,
    keep: u64,
    mut act: impl FnMut(&[u8]) -> Result<(), FsError>,
) -> Result<u64, FsError> {
    let mut at = 0;
    while at < keep {
        let length = usize::try_from(keep - at).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let bytes = file.read_at(at, length)?;
        if bytes.is_empty() {
            break;
        }
        act(&bytes)?;
        at += count(bytes.len());
    }
    Ok(at)
}

/// `length` bytes from `at` on, or less where the file ends.
fn exactly(file: &FileRef, at: u64, length: usize) -> Result<Vec<u8>, FsError> {
    let mut found = file.read_at(at, length)?;
    while found.len() < length {
        let more = file.read_at(at + count(found.len()), length - found.len())?;
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    Ok(found)
}
