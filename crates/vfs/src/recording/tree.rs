//! What is known of a store, in the form in which it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EntryKind, FileStat, NodeId, Timestamp};

/// The number of an object among those that the guest met.
pub(super) type Number = u32;

/// What a call saw of one store. Contents of files are beside it: see [`Tree::contents`].
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// Why the store could not be used at all.
    pub(super) broken: Option<String>,
    /// The objects; the first is the directory at the top.
    pub(super) nodes: Vec<Met>,
    /// What the guest made, in that order.
    pub(super) made: Vec<Made>,
}

/// Something that the guest made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// Which of the objects it is, where the guest met it again.
    pub(super) node: Option<Number>,
}

/// An object that the guest met.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Met {
    pub(super) kind: Kind,
    /// Its identity, which a guest sees under a hash.
    pub(super) id: (u64, u64),
    /// What was told of it, in order, each with how often in a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) told: Vec<(u32, Told)>,
    /// Where a link leads: a path, or why that could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<Result<String, String>>,
    /// Names that were looked up in a directory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) names: BTreeMap<String, Found>,
    /// Listings of a directory, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) listings: Vec<Listed>,
    /// How long a file was before the guest changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    /// What was read of a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) extents: Vec<Extent>,
    /// What failed: which op on this object, how many of the same kind came before, on which name, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) faults: Vec<(Op, u32, String, String)>,
}

/// The kinds of ops that can fail on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Op {
    Stat,
    Open,
    Read,
    Write,
    Resize,
    Times,
    List,
    Create,
    Remove,
    Move,
    Sync,
}

impl Op {
    /// How many there are.
    pub(super) const COUNT: usize = 11;
}

/// A range of a file's content.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extent {
    pub(super) offset: u64,
    #[serde(skip)]
    pub(super) bytes: Vec<u8>,
}

/// What a name was when the guest first looked it up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Found {
    /// This object.
    Node(Number),
    /// Nothing.
    Absent,
    /// It could not be told.
    Fault(String),
}

/// One reading of a directory.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    pub(super) entries: Vec<ListedEntry>,
    /// Whether the guest read to the end.
    pub(super) is_whole: bool,
    /// How it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
}

/// One entry: its name, what it is, and whether the guest had put it there.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ListedEntry(pub(super) String, pub(super) Kind, pub(super) bool);

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    File,
    Directory,
    Link,
}

impl From<EntryKind> for Kind {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::File => Self::File,
            EntryKind::Directory => Self::Directory,
            EntryKind::Link => Self::Link,
        }
    }
}

impl From<Kind> for EntryKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Directory => Self::Directory,
            Kind::Link => Self::Link,
        }
    }
}

/// What was told of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    links: u64,
    size: u64,
    accessed: Option<(u64, u32)>,
    modified: Option<(u64, u32)>,
    changed: Option<(u64, u32)>,
}

impl Told {
    pub(super) fn new(stat: &FileStat) -> Self {
        let time = |time: Option<Timestamp>| time.map(|time| (time.seconds, time.nanoseconds));
        let FileStat { kind: _, links, size, accessed, modified, changed } = *stat;
        Self { links, size, accessed: time(accessed), modified: time(modified), changed: time(changed) }
    }

    /// The same again, with the size that the object has by now, where that is known.
    pub(super) fn stat(&self, kind: EntryKind, size: Option<u64>) -> FileStat {
        let time = |time: Option<(u64, u32)>| time.map(|(seconds, nanoseconds)| Timestamp { seconds, nanoseconds });
        FileStat {
            kind,
            links: self.links,
            size: size.unwrap_or(self.size),
            accessed: time(self.accessed),
            modified: time(self.modified),
            changed: time(self.changed),
        }
    }
}

impl Met {
    pub(super) fn new(kind: EntryKind, NodeId(low, high): NodeId) -> Self {
        Self {
            kind: kind.into(),
            id: (low, high),
            told: Vec::new(),
            target: None,
            names: BTreeMap::new(),
            listings: Vec::new(),
            size: None,
            extents: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// What was told of it the `nth` time; later than the last time, what was told then.
    pub(super) fn told(&self, nth: u32) -> Option<Told> {
        let mut left = nth;
        for (times, told) in &self.told {
            match left.checked_sub(*times) {
                Some(rest) => left = rest,
                None => return Some(*told),
            }
        }
        self.told.last().map(|(_, told)| *told)
    }
}

impl Tree {
    /// The pieces of content that go with the tree, always in the same order. Written apart from the tree, they are filled in again when it
    /// was read.
    pub fn contents(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        self.nodes.iter_mut().flat_map(|node| node.extents.iter_mut().map(|extent| &mut extent.bytes))
    }

    /// Whether every number in it is that of an object, so that it can be used without looking again.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let is_met = |number: &Number| usize::try_from(*number).is_ok_and(|number| number < self.nodes.len());
        let names = self.nodes.iter().flat_map(|node| node.names.values());
        let named = names.filter_map(|found| if let Found::Node(number) = found { Some(number) } else { None });
        // A call that ended before it began met nothing.
        self.nodes.first().is_none_or(|top| top.kind == Kind::Directory)
            && named.chain(self.made.iter().filter_map(|made| made.node.as_ref())).all(is_met)
    }
}
