//! What is noted while a call runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Room;
use super::fault::word;
use super::state::{NODE_BYTES, State};
use super::tree::{Found, Listed, Number, Op, Told, Tree};
use crate::{Entry, EntryKind, FileStat, FsError, Node, NodeId};

/// What one thing that is noted takes, besides its text: about what it is in memory.
const NOTE_BYTES: usize = 64;

/// The notes of one store.
#[derive(Debug)]
pub(super) struct Notes {
    room: Arc<Room>,
    state: Mutex<State>,
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
        let mut is_new = false;
        self.change(|state| is_new = state.node(number).is_some_and(|node| node.target.is_none()));
        if !is_new {
            return;
        }
        let noted = target.clone().map_err(|error| word(&error));
        self.with(NOTE_BYTES + target.as_ref().map_or(0, String::len), |state| {
            if let Some(node) = state.node(number) {
                node.target = Some(noted);
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
