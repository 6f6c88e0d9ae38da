//! Names in the upper store: those of the guest, and those of the bookkeeping, which no guest can say.
//!
//! Every name of the bookkeeping starts with [`RESERVED`]. A guest's own name that does is kept under a hash of it, with the name
//! itself in a record beside, so that a guest can use every name there is and neither see nor make a record.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::{FsError, Name};

/// What every name of the bookkeeping starts with.
pub(super) const RESERVED: &str = ".caplet~";
/// Says that the store holds an overlay, and in which format.
pub(super) const MARKER: &str = ".caplet~overlay";
/// The directory of what is remembered of the lower directory, and of what is being prepared.
pub(super) const LEDGER: &str = ".caplet~ledger";
/// In a directory: the path of the lower directory that it continues.
pub(super) const ORIGIN: &str = ".caplet~origin";
/// In a directory that was moved and does not continue another one any more: the path of the one that it did.
pub(super) const SOURCE: &str = ".caplet~source";
/// What is being prepared, or is to be cleared away.
pub(super) const DRAFT: &str = ".caplet~draft~";

const WHITEOUT: &str = ".caplet~gone~";
const MODE: &str = ".caplet~mode~";
const HASHED: &str = ".caplet~name~";
const SPELLING: &str = ".caplet~spelt~";

/// The name under which the guest's `name` is kept.
pub(super) fn stored(name: Name<'_>) -> Cow<'_, str> {
    if is_reserved(name.as_str()) { Cow::Owned(tagged(HASHED, name)) } else { Cow::Borrowed(name.as_str()) }
}

/// The record with the spelling of a guest's name that is kept under a hash. None is needed for any other.
pub(super) fn spelling(name: Name<'_>) -> Option<String> {
    is_reserved(name.as_str()).then(|| tagged(SPELLING, name))
}

/// The record that the lower directory's `name` does not show.
pub(super) fn whiteout(name: Name<'_>) -> String {
    tagged(WHITEOUT, name)
}

/// The record with the permissions that `name` is to have.
pub(super) fn mode(name: Name<'_>) -> String {
    tagged(MODE, name)
}

/// What a name in the upper store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    /// A guest's name.
    Plain(&'a str),
    /// A guest's name, whose spelling is in this record.
    Hashed { spelling: String },
    /// Perhaps the record that a name does not show.
    Whiteout,
    /// Something else of the bookkeeping.
    Other,
}

impl<'a> Stored<'a> {
    pub(super) fn of(name: &'a str) -> Self {
        if !is_reserved(name) {
            return Self::Plain(name);
        }
        match name.strip_prefix(HASHED) {
            Some(hash) => Self::Hashed { spelling: format!("{SPELLING}{hash}") },
            None if name.starts_with(WHITEOUT) => Self::Whiteout,
            None => Self::Other,
        }
    }
}

/// A hash of `text`, as text that is a name.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).as_slice())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |number: u8| DIGITS.get(usize::from(number & 15)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// A name of the bookkeeping, or one that was made from a guest's.
pub(super) fn own(name: &str) -> Result<Name<'_>, FsError> {
    // These are short, and have nothing that a name must not have.
    Name::parse(name).map_err(|_| FsError::Io)
}

/// `name` below the directory `path`, both as a path from the top.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn tagged(tag: &str, name: Name<'_>) -> String {
    let mut text = String::with_capacity(tag.len() + 64);
    text.push_str(tag);
    text.push_str(&hash(name.as_str().as_bytes()));
    text
}

/// Whether a name is, or on a directory that folds case could be taken for, one of the bookkeeping.
fn is_reserved(name: &str) -> bool {
    name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
}
