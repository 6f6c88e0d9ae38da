//! What is noted while a call runs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Room;
use super::fault::word;
use super::ranges::Ranges;
use super::tree::{Extent, Found, Kind, Listed, ListedEntry, Made, Met, Number, Op, Told, Tree};
use crate::{Entry, EntryKind, FileStat, FsError, Node, NodeId};

/// What one thing that is noted takes, besides its text: about what it is in memory.
const NOTE_BYTES: usize = 64;

/// What an object takes that the guest met.
const NODE_BYTES: usize = 512;

/// The notes of one store.
#[derive(Debug)]
pub(super) struct Notes {
    room: Arc<Room>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tree: Tree,
    numbers: HashMap<NodeId, Number>,
    live: Vec<Live>,
    /// Names of what the guest made and has not met yet, with its number among those.
    unmet: HashMap<(Number, String), usize>,
}

/// What an object has come to in the call.
#[derive(Debug, Default)]
struct Live {
    /// Content that is known, or that the guest put there.
    settled: Ranges,
    /// How long the file is by now, where that is known.
    size: Option<u64>,
    /// Names that the guest gave or took.
    own: HashSet<String>,
    /// Those of them that it took.
    taken: HashSet<String>,
    /// How many ops of each kind there were.
    counts: [u32; Op::COUNT],
}

impl Notes {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, state: Mutex::default() }
    }

    /// What was noted. There are no notes afterwards.
    pub(super) fn take(&self) -> Tree {
        std::mem::take(&mut *self.lock()).tree
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something that takes `bytes`, if there is room.
    fn with(&self, bytes: usize, note: impl FnOnce(&mut State)) {
        if self.room.take(bytes) {
            note(&mut self.lock());
        }
    }

    /// As [`Notes::with`], for what takes nothing more.
    fn change(&self, note: impl FnOnce(&mut State)) {
        if !self.room.is_full() {
            note(&mut self.lock());
        }
    }

    pub(super) fn broken(&self, error: &FsError) {
        self.with(NOTE_BYTES, |state| state.tree.broken = Some(word(error)));
    }

    /// The number of the directory at the top.
    pub(super) fn meet_top(&self, top: &dyn Node) -> Number {
        let mut state = self.lock();
        state.meet(&self.room, top.id(), top.kind())
    }

    /// Notes that a name was found to be `node`, and gives its number.
    pub(super) fn found(&self, directory: Number, name: &str, node: &dyn Node) -> Number {
        let (id, kind) = (node.id(), node.kind());
        let mut state = self.lock();
        let made = state.unmet.remove(&(directory, name.to_owned()));
        if made.is_some() {
            // Whatever had this identity before is gone.
            state.numbers.remove(&id);
        }
        let number = state.meet(&self.room, id, kind);
        if let Some(made) = made.and_then(|made| state.tree.made.get_mut(made)) {
            made.node = Some(number);
            state.settle(number, 0, u64::MAX, Some(0));
        }
        drop(state);
        self.looked_up(directory, name, || Found::Node(number));
        number
    }

    /// Notes that a name led to nothing.
    pub(super) fn missed(&self, directory: Number, name: &str, error: &FsError) {
        self.looked_up(directory, name, || match error {
            FsError::NoEntry => Found::Absent,
            error => Found::Fault(word(error)),
        });
    }

    /// Notes what a name was when it was first looked up, unless the guest had given or taken it.
    fn looked_up(&self, directory: Number, name: &str, found: impl FnOnce() -> Found) {
        let mut is_new = false;
        self.change(|state| is_new = state.is_new_name(directory, name));
        if is_new {
            self.with(NOTE_BYTES + name.len(), |state| {
                if let Some(node) = state.node(directory) {
                    node.names.insert(name.to_owned(), found());
                }
            });
        }
    }

    pub(super) fn told(&self, number: Number, stat: &Result<FileStat, FsError>) {
        match stat {
            Err(error) => self.ended(number, Op::Stat, "", Some(error)),
            Ok(stat) => {
                let told = Told::new(stat);
                let mut is_new = false;
                self.change(|state| is_new = !state.told(number, told, stat));
                if is_new {
                    self.with(NOTE_BYTES, |state| state.told_anew(number, told));
                }
            }
        }
    }

    pub(super) fn target(&self, number: Number, target: &Result<String, FsError>) {
        let length = target.as_ref().map_or(0, String::len);
        let noted = target.as_ref().map(String::clone).map_err(word);
        self.with(NOTE_BYTES + length, |state| {
            if let Some(node) = state.node(number) {
                node.target.get_or_insert(noted);
            }
        });
    }

    /// Notes that an op ended, with its failure, if it failed.
    pub(super) fn ended(&self, number: Number, op: Op, name: &str, error: Option<&FsError>) {
        let mut nth = 0;
        self.change(|state| nth = state.count(number, op));
        if let Some(error) = error {
            self.with(NOTE_BYTES + name.len(), |state| {
                if let Some(node) = state.node(number) {
                    node.faults.push((op, nth, name.to_owned(), word(error)));
                }
            });
        }
    }

    /// Notes that the guest made a directory or a link, which it has not met yet.
    pub(super) fn made(&self, directory: Number, name: &str, kind: EntryKind) {
        self.with(NOTE_BYTES + 2 * name.len(), |state| {
            let made = state.made(directory, name, kind, None);
            state.unmet.insert((directory, name.to_owned()), made);
        });
    }

    /// Notes that the guest made a file and holds it; gives its number.
    pub(super) fn made_file(&self, directory: Number, name: &str, id: NodeId) -> Number {
        let mut number = 0;
        self.with(NODE_BYTES + 2 * name.len(), |state| {
            // Whatever had this identity before is gone.
            number = state.add(id, EntryKind::File);
            state.made(directory, name, EntryKind::File, Some(number));
            state.settle(number, 0, u64::MAX, Some(0));
        });
        number
    }

    /// Notes that the guest gave one more name to something that it had met.
    pub(super) fn given(&self, directory: Number, name: &str) {
        self.with(NOTE_BYTES + name.len(), |state| state.give(directory, name));
    }

    /// Notes that the guest took a name away from `gone`, whose identity may be another's from now on.
    pub(super) fn taken(&self, directory: Number, name: &str, gone: NodeId) {
        self.with(NOTE_BYTES + name.len(), |state| {
            state.take_name(directory, name);
            state.unmet.remove(&(directory, name.to_owned()));
            state.numbers.remove(&gone);
        });
    }

    /// Notes that the guest moved a name.
    pub(super) fn moved(&self, from: (Number, &str), to: (Number, &str)) {
        self.with(2 * NOTE_BYTES + from.1.len() + to.1.len(), |state| {
            let made = state.unmet.remove(&(from.0, from.1.to_owned()));
            state.take_name(from.0, from.1);
            state.give(to.0, to.1);
            if let Some(made) = made {
                state.unmet.insert((to.0, to.1.to_owned()), made);
            }
        });
    }

    /// Notes a new listing; gives its number.
    pub(super) fn list(&self, directory: Number) -> usize {
        let mut listing = usize::MAX;
        self.with(NOTE_BYTES, |state| {
            if let Some(node) = state.node(directory) {
                listing = node.listings.len();
                node.listings.push(Listed::default());
            }
        });
        listing
    }

    /// Notes what comes next in a listing.
    pub(super) fn listed(&self, (directory, listing): (Number, usize), next: &Result<Option<Vec<Entry>>, FsError>) {
        let names = next.iter().flatten().flatten();
        let bytes = names.map(|entry| entry.name.len() + NOTE_BYTES).sum();
        self.with(bytes, |state| state.listed(directory, listing, next));
    }

    pub(super) fn size(&self, number: Number, size: u64) {
        self.change(|state| state.sized(number, size));
    }

    /// Whether the length of the file is known.
    pub(super) fn has_size(&self, number: Number) -> bool {
        let mut known = true;
        self.change(|state| known = state.live(number).is_none_or(|live| live.size.is_some()));
        known
    }

    /// Notes content. `asked` is how much was wanted: if there is less, the file ends there.
    pub(super) fn read(&self, number: Number, offset: u64, asked: usize, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let end = offset.saturating_add(length);
        let mut gaps = Vec::new();
        self.change(|state| {
            if let Some(live) = state.live(number) {
                gaps = live.settled.gaps(offset, end);
            }
            if bytes.len() < asked && !bytes.is_empty() {
                state.sized(number, end);
            }
        });
        for (start, stop) in gaps {
            let place = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
            let Some(part) = bytes.get(place(start)..place(stop)) else { continue };
            self.with(part.len() + NOTE_BYTES, |state| {
                if let Some(node) = state.node(number) {
                    node.add_content(start, part);
                }
                if let Some(live) = state.live(number) {
                    live.settled.insert(start, stop);
                }
            });
        }
    }

    /// Notes that the guest wrote from `offset` up to `end`. A gap before that is zeros by now.
    pub(super) fn wrote(&self, number: Number, offset: u64, end: u64) {
        self.change(|state| {
            let size = state.live(number).and_then(|live| live.size);
            let start = size.map_or(offset, |size| size.min(offset));
            state.settle(number, start, end, size.map(|size| size.max(end)));
        });
    }

    /// Notes that the guest wrote `length` bytes at the end.
    pub(super) fn appended(&self, number: Number, length: usize) {
        self.change(|state| {
            let Some(size) = state.live(number).and_then(|live| live.size) else { return };
            let end = size.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            state.settle(number, size, end, Some(end));
        });
    }

    /// Notes that the guest cut or extended the file.
    pub(super) fn resized(&self, number: Number, size: u64) {
        self.change(|state| {
            let before = state.live(number).and_then(|live| live.size).unwrap_or(size);
            state.settle(number, before.min(size), u64::MAX, Some(size));
        });
    }
}

impl State {
    fn node(&mut self, number: Number) -> Option<&mut Met> {
        self.tree.nodes.get_mut(usize::try_from(number).ok()?)
    }

    fn live(&mut self, number: Number) -> Option<&mut Live> {
        self.live.get_mut(usize::try_from(number).ok()?)
    }

    fn add(&mut self, id: NodeId, kind: EntryKind) -> Number {
        let number = Number::try_from(self.tree.nodes.len()).unwrap_or(0);
        self.tree.nodes.push(Met::new(kind, id));
        self.live.push(Live::default());
        self.numbers.insert(id, number);
        number
    }

    fn meet(&mut self, room: &Room, id: NodeId, kind: EntryKind) -> Number {
        match self.numbers.get(&id) {
            Some(number) => *number,
            None if room.take(NODE_BYTES) => self.add(id, kind),
            // Nothing is noted any more.
            None => 0,
        }
    }

    fn is_new_name(&self, directory: Number, name: &str) -> bool {
        let Ok(place) = usize::try_from(directory) else { return false };
        let is_own = |live: &Live| live.own.contains(name) || live.taken.contains(name);
        !self.live.get(place).is_none_or(is_own)
            && self.tree.nodes.get(place).is_some_and(|node| !node.names.contains_key(name))
    }

    /// Counts what was told, if it was told as often as the last time. Gives whether it was.
    fn told(&mut self, number: Number, told: Told, stat: &FileStat) -> bool {
        self.count(number, Op::Stat);
        if stat.kind == EntryKind::File {
            self.sized(number, stat.size);
        }
        let last = self.node(number).and_then(|node| node.told.last_mut()).filter(|(_, last)| *last == told);
        last.map(|(times, _)| *times = times.saturating_add(1)).is_some()
    }

    fn told_anew(&mut self, number: Number, told: Told) {
        if let Some(node) = self.node(number) {
            node.told.push((1, told));
        }
    }

    fn count(&mut self, number: Number, op: Op) -> u32 {
        let Some(count) = self.live(number).and_then(|live| live.counts.get_mut(op as usize)) else { return 0 };
        let before = *count;
        *count = count.saturating_add(1);
        before
    }

    fn made(&mut self, directory: Number, name: &str, kind: EntryKind, node: Option<Number>) -> usize {
        let made = self.tree.made.len();
        self.tree.made.push(Made { kind: kind.into(), name: name.to_owned(), node });
        self.give(directory, name);
        made
    }

    fn give(&mut self, directory: Number, name: &str) {
        if let Some(live) = self.live(directory) {
            live.taken.remove(name);
            live.own.insert(name.to_owned());
        }
    }

    fn take_name(&mut self, directory: Number, name: &str) {
        if let Some(live) = self.live(directory) {
            live.own.remove(name);
            live.taken.insert(name.to_owned());
        }
    }

    fn listed(&mut self, directory: Number, listing: usize, next: &Result<Option<Vec<Entry>>, FsError>) {
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
    fn sized(&mut self, number: Number, size: u64) {
        let Some(live) = self.live(number).filter(|live| live.size.is_none()) else { return };
        live.size = Some(size);
        if let Some(node) = self.node(number) {
            node.size = Some(size);
        }
    }

    fn settle(&mut self, number: Number, start: u64, end: u64, size: Option<u64>) {
        if let Some(live) = self.live(number) {
            live.settled.insert(start, end);
            live.size = size.or(live.size);
        }
    }
}

impl Met {
    /// Adds content from `offset` on, to what it goes on from, if that was the last that came.
    fn add_content(&mut self, offset: u64, bytes: &[u8]) {
        let end = |extent: &Extent| extent.offset.saturating_add(u64::try_from(extent.bytes.len()).unwrap_or(u64::MAX));
        match self.extents.last_mut().filter(|last| end(last) == offset) {
            Some(last) => last.bytes.extend_from_slice(bytes),
            None => self.extents.push(Extent { offset, bytes: bytes.to_vec() }),
        }
    }
}
