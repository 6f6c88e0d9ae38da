//! What all objects of an overlay have in common: the two layers, the lock over names, and what the changes may take.

use std::any::Any;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use caplet_policy::{
    FilesystemSection, Guard, GuestPath, Journal, Layer, LayerKind, Permitted, Policy, Read, Search, Write, WriteTree,
};

use super::names::DRAFT;
use super::spot::Table;
use crate::namespace::ENTRY_BYTES;
use crate::store::{Access, Known};
use crate::{FileRef, FsError, HostStore, NodeRef};

/// The layers and what goes with them.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) lower: NodeRef,
    pub(super) upper: NodeRef,
    /// Where what is remembered of the lower directory is, and where copies are prepared: nobody else has a way there.
    pub(super) ledger: NodeRef,
    pub(super) tokens: Tokens,
    pub(super) budget: Budget,
    pub(super) table: Mutex<Table>,
    /// Counts what was prepared, for names.
    pub(super) drafts: AtomicU64,
    /// Held to look names up, and to change what they mean.
    names: RwLock<()>,
    /// The upper store belongs to this overlay as long as this lives.
    _claim: Box<dyn Any + Send + Sync>,
    /// Keeps the lower directory's store, which knows whether it may block.
    pub(super) lower_store: Arc<HostStore>,
}

/// Permission to everything, for the overlay's own work: on the upper store, which is its own, and to read the lower directory,
/// which it is about. What a guest does was permitted before it came here.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) search: Permitted<Search>,
    pub(crate) read: Permitted<Read>,
    pub(crate) write: Permitted<Write>,
    pub(crate) tree: Permitted<WriteTree>,
}

impl Tokens {
    pub(crate) fn new() -> Result<Self, FsError> {
        let policy = Policy::new(Layer::open(LayerKind::Operator));
        let guard: Guard<FilesystemSection> = policy.guard(&Arc::new(Journal::new()));
        Ok(Self {
            search: guard.check(Search(GuestPath::root()))?,
            read: guard.check(Read(GuestPath::root()))?,
            write: guard.check(Write(GuestPath::root()))?,
            tree: guard.check(WriteTree(GuestPath::root()))?,
        })
    }
}

/// What the changes may take, in logical bytes: contents by their size, and for each entry [`ENTRY_BYTES`], its name and, for a
/// link, its target.
#[derive(Debug)]
pub(super) struct Budget {
    quota: u64,
    used: AtomicU64,
    /// Set while the changes are applied, which the operator asked for.
    lifted: AtomicBool,
}

impl Budget {
    pub(super) fn new(quota: u64) -> Self {
        Self { quota, used: AtomicU64::new(0), lifted: AtomicBool::new(false) }
    }

    /// Takes `bytes`.
    ///
    /// # Errors
    ///
    /// [`FsError::Quota`].
    pub(super) fn take(&self, bytes: u64) -> Result<(), FsError> {
        let limit = if self.lifted.load(Ordering::Relaxed) { u64::MAX } else { self.quota };
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).map(drop).map_err(|_| FsError::Quota)
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.replace(bytes, 0);
    }

    /// Counts `new` bytes in the place of `old` ones, whatever the limit: nothing must keep a guest from making room.
    pub(super) fn replace(&self, old: u64, new: u64) {
        let replace = |used: u64| Some(used.saturating_sub(old).saturating_add(new));
        // It always gives a value.
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, replace);
    }

    /// Takes `bytes` for `act`, and gives them back where it fails.
    pub(super) fn paying<T>(&self, bytes: u64, act: impl FnOnce() -> Result<T, FsError>) -> Result<T, FsError> {
        self.take(bytes)?;
        act().inspect_err(|_| self.give_back(bytes))
    }

    pub(super) fn set(&self, used: u64) {
        self.used.store(used, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn lift(&self, lifted: bool) {
        self.lifted.store(lifted, Ordering::Relaxed);
    }
}

/// What an entry takes, beside the content of a file.
pub(super) fn entry_cost(name: &str, target: u64) -> u64 {
    ENTRY_BYTES.saturating_add(count(name.len())).saturating_add(target)
}

pub(super) fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Names may be changed as long as this is held, and only then.
#[derive(Debug)]
pub(super) struct Changing<'s> {
    _names: RwLockWriteGuard<'s, ()>,
}

impl Shared {
    pub(super) fn new(
        lower: &Arc<HostStore>,
        layers: [NodeRef; 3],
        tokens: Tokens,
        quota: u64,
        claim: Box<dyn Any + Send + Sync>,
    ) -> Self {
        let [lower_root, upper, ledger] = layers;
        Self {
            lower: lower_root,
            upper,
            ledger,
            tokens,
            budget: Budget::new(quota),
            table: Mutex::default(),
            // Anywhere, so that what a crash left is not in the way.
            drafts: AtomicU64::new(RandomState::new().hash_one(DRAFT)),
            names: RwLock::new(()),
            _claim: claim,
            lower_store: Arc::clone(lower),
        }
    }

    /// Keeps names from changing.
    pub(super) fn reading(&self) -> RwLockReadGuard<'_, ()> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps names from being changed, or looked up, by anybody else.
    pub(super) fn changing(&self) -> Changing<'_> {
        Changing { _names: self.names.write().unwrap_or_else(PoisonError::into_inner) }
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a file to read it, for the overlay's own work.
    pub(super) fn read(&self, node: &NodeRef) -> Result<FileRef, FsError> {
        node.open(Access::Read(&self.tokens.read))
    }

    /// Opens a file to read and write it, for the overlay's own work.
    pub(super) fn read_and_write(&self, node: &NodeRef) -> Result<FileRef, FsError> {
        node.open(Access::Both(&self.tokens.read, &self.tokens.write))
    }

    /// How the overlay itself may know of an object.
    pub(super) fn known(&self) -> Known<'_> {
        Known::Read(&self.tokens.read)
    }
}
