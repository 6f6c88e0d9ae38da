//! One object of a replay: what was noted of it, and what the guest has made of it since.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::fault;
use super::super::ranges::Ranges;
use super::super::tree::{Met, Number, Op};
use super::Shared;
use crate::memory::content::Content;
use crate::{EntryKind, FileStat, FsError, NodeId};

#[derive(Debug)]
pub(super) struct Inode {
    pub(super) kind: EntryKind,
    pub(super) id: NodeId,
    /// What was noted of it, if anything was.
    pub(super) number: Option<Number>,
    /// The guest made it: what is not known of it is not there.
    pub(super) is_own: bool,
    state: Mutex<State>,
}

/// What it has come to.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Names that the guest gave or took, and names that it has met.
    pub(super) entries: BTreeMap<String, Entry>,
    /// The directory was removed and only handles are left.
    pub(super) is_gone: bool,
    /// How often it was listed.
    pub(super) listings: usize,
    pub(super) target: Option<String>,
    pub(super) content: Content,
    pub(super) known: Ranges,
    pub(super) size: Option<u64>,
    /// How often it was told of.
    told: u32,
    counts: [u32; Op::COUNT],
}

/// What a name in a directory is by now.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// An object, and whether the guest gave it this name.
    Here(Arc<Inode>, bool),
    /// Nothing: the guest took the name away.
    Taken,
}

impl Inode {
    fn new(kind: EntryKind, id: NodeId, number: Option<Number>, is_own: bool, state: State) -> Self {
        Self { kind, id, number, is_own, state: Mutex::new(state) }
    }

    /// An object that the recorded call met.
    pub(super) fn met(number: Number, facts: &Met) -> Self {
        let mut state = State { size: facts.size, ..State::default() };
        for extent in &facts.extents {
            let end = extent.offset.saturating_add(u64::try_from(extent.bytes.len()).unwrap_or(u64::MAX));
            state.content.write(extent.offset, &extent.bytes);
            state.known.insert(extent.offset, end);
        }
        if let Some(size) = state.size {
            // Nothing is beyond the end.
            state.content.set_size(size);
        }
        Self::new(facts.kind.into(), NodeId(facts.id.0, facts.id.1), Some(number), false, state)
    }

    /// An object that was seen in a listing and never looked up.
    pub(super) fn shell(kind: EntryKind, id: NodeId) -> Self {
        Self::new(kind, id, None, false, State::default())
    }

    /// An object that the guest makes.
    pub(super) fn made(kind: EntryKind, number: Option<Number>, id: NodeId, target: Option<&str>) -> Self {
        let mut state = State { size: Some(0), target: target.map(str::to_owned), ..State::default() };
        state.known.insert(0, u64::MAX);
        Self::new(kind, id, number, true, state)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an op on this object, and fails if it failed in the recorded call.
    pub(super) fn begin(&self, shared: &Shared, op: Op, name: &str) -> Result<(), FsError> {
        let mut state = self.lock();
        let Some(count) = state.counts.get_mut(op as usize) else { return Ok(()) };
        let nth = *count;
        *count = count.saturating_add(1);
        drop(state);
        let Some(facts) = shared.facts(self.number) else { return Ok(()) };
        let is_this = |fault: &&(Op, u32, String, String)| fault.0 == op && fault.1 == nth && fault.2 == name;
        facts.faults.iter().find(is_this).map_or(Ok(()), |(_, _, _, word)| Err(fault::error(word)))
    }

    /// What is told of it, as it was told; `path` is what the guest calls it.
    pub(super) fn stat(&self, shared: &Shared, path: impl FnOnce() -> String) -> Result<FileStat, FsError> {
        self.begin(shared, Op::Stat, "")?;
        let mut state = self.lock();
        let nth = state.told;
        state.told = nth.saturating_add(1);
        let size = state.size.filter(|_| self.kind == EntryKind::File);
        if let Some(told) = shared.facts(self.number).and_then(|facts| facts.told(nth)) {
            return Ok(told.stat(self.kind, size));
        }
        let target = state.target.as_ref().map(|target| u64::try_from(target.len()).unwrap_or(u64::MAX));
        drop(state);
        if self.is_own {
            let size = size.or(target).unwrap_or(0);
            let (accessed, modified, changed) = (None, None, None);
            return Ok(FileStat { kind: self.kind, links: 1, size, accessed, modified, changed });
        }
        shared.unknown.note(format!("read {}", path()));
        Err(FsError::Io)
    }

    /// Whether this directory, or one below it, is `other`.
    pub(super) fn holds(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let mut left = vec![Arc::clone(self)];
        while let Some(inode) = left.pop() {
            if Arc::ptr_eq(&inode, other) {
                return true;
            }
            left.extend(inode.lock().entries.values().filter_map(|entry| match entry {
                Entry::Here(inode, _) => Some(Arc::clone(inode)),
                Entry::Taken => None,
            }));
        }
        false
    }
}
