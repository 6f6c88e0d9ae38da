//! What the notes of a store have come to: the tree that is kept, and what is only needed while the call runs.

use std::collections::{HashMap, HashSet};

use super::Room;
use super::fault::word;
use super::ranges::Ranges;
use super::tree::{Extent, Kind, ListedEntry, Made, Met, Number, Op, Told, Tree};
use crate::{Entry, EntryKind, FileStat, FsError, NodeId};

/// What an object takes that the guest met.
pub(super) const NODE_BYTES: usize = 512;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) numbers: HashMap<NodeId, Number>,
    pub(super) live: Vec<Live>,
    /// Names of what the guest made and has not met yet, with its number among those.
    pub(super) unmet: HashMap<(Number, String), usize>,
}

/// What an object has come to in the call.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// Content that is known, or that the guest put there.
    pub(super) settled: Ranges,
    /// How long the file is by now, where that is known.
    pub(super) size: Option<u64>,
    /// Names that the guest gave or took.
    pub(super) own: HashSet<String>,
    /// Those of them that it took.
    pub(super) taken: HashSet<String>,
    /// How many ops of each kind there were.
    pub(super) counts: [u32; Op::COUNT],
}

impl State {
    pub(super) fn node(&mut self, number: Number) -> Option<&mut Met> {
        self.tree.nodes.get_mut(usize::try_from(number).ok()?)
    }

    pub(super) fn live(&mut self, number: Number) -> Option<&mut Live> {
        self.live.get_mut(usize::try_from(number).ok()?)
    }

    pub(super) fn add(&mut self, id: NodeId, kind: EntryKind) -> Number {
        let number = Number::try_from(self.tree.nodes.len()).unwrap_or(0);
        self.tree.nodes.push(Met::new(kind, id));
        self.live.push(Live::default());
        self.numbers.insert(id, number);
        number
    }

    pub(super) fn meet(&mut self, room: &Room, id: NodeId, kind: EntryKind) -> Number {
        match self.numbers.get(&id) {
            Some(number) => *number,
            None if room.take(NODE_BYTES) => self.add(id, kind),
            // Nothing is noted any more.
            None => 0,
        }
    }

    pub(super) fn is_new_name(&self, directory: Number, name: &str) -> bool {
        let Ok(place) = usize::try_from(directory) else { return false };
        let is_own = |live: &Live| live.own.contains(name) || live.taken.contains(name);
        !self.live.get(place).is_none_or(is_own)
            && self.tree.nodes.get(place).is_some_and(|node| !node.names.contains_key(name))
    }

    /// Counts what was told, if it was told as often as the last time. Gives whether it was.
    pub(super) fn told(&mut self, number: Number, told: Told, stat: &FileStat) -> bool {
        self.count(number, Op::Stat);
        if stat.kind == EntryKind::File {
            self.sized(number, stat.size);
        }
        let last = self.node(number).and_then(|node| node.told.last_mut()).filter(|(_, last)| *last == told);
        last.map(|(times, _)| *times = times.saturating_add(1)).is_some()
    }

    pub(super) fn told_anew(&mut self, number: Number, told: Told) {
        if let Some(node) = self.node(number) {
            node.told.push((1, told));
        }
    }

    pub(super) fn count(&mut self, number: Number, op: Op) -> u32 {
        let Some(count) = self.live(number).and_then(|live| live.counts.get_mut(op as usize)) else { return 0 };
        let before = *count;
        *count = count.saturating_add(1);
        before
    }

    pub(super) fn made(&mut self, directory: Number, name: &str, kind: EntryKind, node: Option<Number>) -> usize {
        let made = self.tree.made.len();
        self.tree.made.push(Made { kind: kind.into(), name: name.to_owned(), node });
        self.give(directory, name);
        made
    }

    pub(super) fn give(&mut self, directory: Number, name: &str) {
        if let Some(live) = self.live(directory) {
            live.taken.remove(name);
            live.own.insert(name.to_owned());
        }
    }

    pub(super) fn take_name(&mut self, directory: Number, name: &str) {
        if let Some(live) = self.live(directory) {
            live.own.remove(name);
            live.taken.insert(name.to_owned());
        }
    }

    pub(super) fn listed(&mut self, directory: Number, listing: usize, next: &Result<Option<Vec<Entry>>, FsError>) {
        let Ok(place) = usize::try_from(directory) else { return };
        let (Some(live), Some(node)) = (self.live.get(place), self.tree.nodes.get_mut(place)) else { return };
        let Some(listed) = node.listings.get_mut(listing) else { return };
        let noted =
            |entry: &Entry| ListedEntry(entry.name.clone(), Kind::from(entry.kind), live.own.contains(&entry.name));
        match next {
            Ok(None) => listed.is_whole = true,
            Err(error) => listed.fault = Some(word(error)),
            Ok(Some(batch)) => listed.entries.extend(batch.iter().map(noted)),
        }
    }

    /// The length of a file, as it is now; before the guest changed it, it is the file's own.
    pub(super) fn sized(&mut self, number: Number, size: u64) {
        let Some(live) = self.live(number).filter(|live| live.size.is_none()) else { return };
        live.size = Some(size);
        if let Some(node) = self.node(number) {
            node.size = Some(size);
        }
    }

    pub(super) fn settle(&mut self, number: Number, start: u64, end: u64, size: Option<u64>) {
        if let Some(live) = self.live(number) {
            live.settled.insert(start, end);
            live.size = size.or(live.size);
        }
    }
}

impl Met {
    /// Adds content from `offset` on, to what it goes on from, if that was the last that came.
    pub(super) fn add_content(&mut self, offset: u64, bytes: &[u8]) {
        let end = |extent: &Extent| extent.offset.saturating_add(u64::try_from(extent.bytes.len()).unwrap_or(u64::MAX));
        match self.extents.last_mut().filter(|last| end(last) == offset) {
            Some(last) => last.bytes.extend_from_slice(bytes),
            None => self.extents.push(Extent { offset, bytes: bytes.to_vec() }),
        }
    }
}
