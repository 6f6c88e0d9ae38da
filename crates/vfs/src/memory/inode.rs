//! Objects of the tree, and what they cost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Shared;
use super::content::Content;
use crate::namespace::ENTRY_BYTES;
use crate::{EntryKind, FileStat, FsError, NewTime, Timestamp};

/// One object.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) shared: Arc<Shared>,
    /// Never used twice in a store.
    pub(super) id: u64,
    pub(super) body: Body,
    /// How many names a file or link has.
    names: AtomicU64,
    times: Mutex<Times>,
}

#[derive(Debug)]
pub(super) enum Body {
    File(RwLock<Content>),
    Directory(Directory),
    Link(String),
}

/// By name; `None` once the directory was removed and only a handle is left.
pub(super) type Entries = Option<BTreeMap<String, Arc<Inode>>>;

#[derive(Debug)]
pub(super) struct Directory {
    entries: RwLock<Entries>,
    parent: Mutex<Weak<Inode>>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    accessed: Timestamp,
    modified: Timestamp,
    changed: Timestamp,
}

/// What an entry costs, beside what it is an entry of.
pub(super) fn entry_cost(name: &str) -> u64 {
    ENTRY_BYTES.saturating_add(u64::try_from(name.len()).unwrap_or(u64::MAX))
}

impl Inode {
    fn new(shared: &Arc<Shared>, body: Body) -> Arc<Self> {
        let now = now();
        Arc::new(Self {
            shared: Arc::clone(shared),
            id: shared.last_id.fetch_add(1, Ordering::Relaxed),
            body,
            names: AtomicU64::new(1),
            times: Mutex::new(Times { accessed: now, modified: now, changed: now }),
        })
    }

    pub(super) fn file(shared: &Arc<Shared>) -> Arc<Self> {
        Self::new(shared, Body::File(RwLock::default()))
    }

    pub(super) fn directory(shared: &Arc<Shared>) -> Arc<Self> {
        let entries = RwLock::new(Some(BTreeMap::new()));
        Self::new(shared, Body::Directory(Directory { entries, parent: Mutex::new(Weak::new()) }))
    }

    /// A link. Its target is paid for, until the link is let go.
    pub(super) fn link(shared: &Arc<Shared>, target: &str) -> Result<Arc<Self>, FsError> {
        shared.take(u64::try_from(target.len()).unwrap_or(u64::MAX))?;
        Ok(Self::new(shared, Body::Link(target.to_owned())))
    }

    pub(super) fn kind(&self) -> EntryKind {
        match self.body {
            Body::File(_) => EntryKind::File,
            Body::Directory(_) => EntryKind::Directory,
            Body::Link(_) => EntryKind::Link,
        }
    }

    pub(super) fn as_directory(&self) -> Result<&Directory, FsError> {
        match &self.body {
            Body::Directory(directory) => Ok(directory),
            Body::File(_) | Body::Link(_) => Err(FsError::NotDirectory),
        }
    }

    pub(super) fn stat(&self) -> FileStat {
        let (links, size) = match &self.body {
            Body::File(content) => (self.names.load(Ordering::Relaxed), read(content).size()),
            Body::Directory(_) => (1, 0),
            Body::Link(target) => (self.names.load(Ordering::Relaxed), u64::try_from(target.len()).unwrap_or(u64::MAX)),
        };
        let times = *self.times.lock().unwrap_or_else(PoisonError::into_inner);
        FileStat {
            kind: self.kind(),
            links,
            size,
            accessed: Some(times.accessed),
            modified: Some(times.modified),
            changed: Some(times.changed),
        }
    }

    pub(super) fn named_once_more(&self) {
        self.names.fetch_add(1, Ordering::Relaxed);
        self.touch(NewTime::Keep, NewTime::Keep);
    }

    pub(super) fn named_once_less(&self) {
        self.names.fetch_sub(1, Ordering::Relaxed);
        self.touch(NewTime::Keep, NewTime::Keep);
    }

    /// Sets times, and that something changed now.
    pub(super) fn touch(&self, accessed: NewTime, modified: NewTime) {
        let now = now();
        let pick = |new, old| match new {
            NewTime::Keep => old,
            NewTime::Now => now,
            NewTime::At(at) => at,
        };
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        *times =
            Times { accessed: pick(accessed, times.accessed), modified: pick(modified, times.modified), changed: now };
    }

    /// Content changed now.
    pub(super) fn modified(&self) {
        self.touch(NewTime::Keep, NewTime::Now);
    }
}

impl Directory {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Entries> {
        read(&self.entries)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        write(&self.entries)
    }

    pub(super) fn get(&self, name: &str) -> Result<Arc<Inode>, FsError> {
        self.read().as_ref().and_then(|entries| entries.get(name)).map(Arc::clone).ok_or(FsError::NoEntry)
    }

    pub(super) fn parent(&self) -> Option<Arc<Inode>> {
        self.parent.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    pub(super) fn set_parent(&self, parent: &Arc<Inode>) {
        *self.parent.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(parent);
    }

    /// Takes the directory out of use, if it is empty.
    pub(super) fn retire(&self) -> Result<(), FsError> {
        let mut entries = self.write();
        if entries.as_ref().is_some_and(|entries| !entries.is_empty()) {
            return Err(FsError::NotEmpty);
        }
        *entries = None;
        Ok(())
    }

    fn take_all(&mut self) -> impl Iterator<Item = Arc<Inode>> + use<> {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        entries.unwrap_or_default().into_values()
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        let mut left = Vec::new();
        match &mut self.body {
            Body::File(content) => {
                let size = content.get_mut().unwrap_or_else(PoisonError::into_inner).size();
                self.shared.give_back(size);
            }
            Body::Link(target) => self.shared.give_back(u64::try_from(target.len()).unwrap_or(0)),
            Body::Directory(directory) => left.extend(directory.take_all()),
        }
        // One after the other: a tree can be deeper than the stack.
        while let Some(inode) = left.pop() {
            if let Some(mut inode) = Arc::into_inner(inode)
                && let Body::Directory(directory) = &mut inode.body
            {
                left.extend(directory.take_all());
            }
        }
    }
}

pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
}
