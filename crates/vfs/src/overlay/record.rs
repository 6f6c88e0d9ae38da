//! What the records say. Each is the target of a link in the upper store, since a store makes a link with its target in one step: a
//! record is there as a whole or not at all. What is not in this form is no record.

use crate::host::facts::Facts;
use crate::{EntryKind, Name};

/// The longest record: what every file system takes as the target of a link (`PATH_MAX` of linux/limits.h, without the NUL).
pub(super) const MAX_BYTES: usize = 4095;

/// Says that a store holds an overlay.
pub(super) const FORMAT: &str = "caplet overlay 1";

const WHITEOUT: &str = "gone ";
const ORIGIN: &str = "from ";
const SPELLING: &str = "name ";
const MODE: &str = "mode ";
const BASE: &str = "base ";

pub(super) fn whiteout(name: Name<'_>) -> String {
    format!("{WHITEOUT}{}", name.as_str())
}

/// The name that does not show.
pub(super) fn parse_whiteout(text: &str) -> Option<&str> {
    text.strip_prefix(WHITEOUT)
}

/// The directory continues the lower directory at `path`.
pub(super) fn origin(path: &str) -> String {
    format!("{ORIGIN}{path}")
}

pub(super) fn parse_origin(text: &str) -> Option<&str> {
    text.strip_prefix(ORIGIN)
}

pub(super) fn spelling(name: Name<'_>) -> String {
    format!("{SPELLING}{}", name.as_str())
}

pub(super) fn parse_spelling(text: &str) -> Option<&str> {
    text.strip_prefix(SPELLING)
}

pub(super) fn mode(mode: u32) -> String {
    format!("{MODE}{mode:o}")
}

pub(super) fn parse_mode(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix(MODE)?, 8).ok().filter(|mode| *mode <= 0o777)
}

/// What an object of the lower directory was when the overlay began to hide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) facts: Facts,
    /// A hash of the content of a file or the target of a link, where it was read.
    pub(super) content: Option<String>,
}

impl Base {
    /// The record about the object at `path`.
    pub(super) fn text(&self, path: &str) -> String {
        let Facts { kind, size, modified_ns, changed_ns, inode, mode } = self.facts;
        let kind = match kind {
            EntryKind::File => 'f',
            EntryKind::Directory => 'd',
            EntryKind::Link => 'l',
        };
        let content = self.content.as_deref().unwrap_or("-");
        format!("{BASE}{kind} {size} {modified_ns} {changed_ns} {inode} {mode:o} {content} {path}")
    }

    /// What the record about the object at `path` says.
    pub(super) fn parse(text: &str, path: &str) -> Option<Self> {
        let mut fields = text.strip_prefix(BASE)?.splitn(8, ' ');
        let mut next = || fields.next();
        let kind = match next()? {
            "f" => EntryKind::File,
            "d" => EntryKind::Directory,
            "l" => EntryKind::Link,
            _ => return None,
        };
        let facts = Facts {
            kind,
            size: next()?.parse().ok()?,
            modified_ns: next()?.parse().ok()?,
            changed_ns: next()?.parse().ok()?,
            inode: next()?.parse().ok()?,
            mode: u32::from_str_radix(next()?, 8).ok()?,
        };
        let content = Some(next()?).filter(|content| *content != "-").map(str::to_owned);
        (next()? == path).then_some(Self { facts, content })
    }
}
