//! What a guest is told of objects in a call that can be repeated: nothing that depends on the host.
//!
//! An object that the call has not changed has the time at which the call began, in all of its times; one that it changed has the time of the
//! call at which it did, or what it set. Every object has one name, as far as counts tell. The hash of an object is made from the path at which
//! it was found, and from a number where the call made it; it goes with the object when that is moved.
//!
//! What always holds: what is remembered here is of objects that the call made or changed, so its write quota bounds it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use caplet_policy::GuestPath;

use super::World;
use super::walk::Target;
use crate::descriptor::Directory;
use crate::store::NodeId;
use crate::{Entry, FileRef, FileStat, FsError, NewTime, NodeRef, Timestamp};

/// The most entries of one directory that are put in order. They are held at once, some hundred bytes each.
const MOST_ENTRIES: usize = 1_000_000;

/// The time of a call that can be repeated: a matter of the call alone.
pub trait CallTime: Debug + Send + Sync {
    /// When the call began.
    fn start(&self) -> Timestamp;

    /// The present. Asking changes nothing.
    fn now(&self) -> Timestamp;
}

/// What is remembered in a call that can be repeated.
#[derive(Debug)]
pub(super) struct Repeatable {
    time: Arc<dyn CallTime>,
    objects: Mutex<Objects>,
}

#[derive(Debug, Default)]
struct Objects {
    /// How many objects the call made.
    made: u64,
    /// By mount and identity. An object that is made has an entry of its own even where it takes the identity of one that is gone.
    known: HashMap<(usize, NodeId), Known>,
}

/// An object that the call made, changed or moved.
#[derive(Clone, Copy, Debug)]
struct Known {
    hash: (u64, u64),
    accessed: Timestamp,
    modified: Timestamp,
    changed: Timestamp,
}

/// An object, and the path at which it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) mount: usize,
    pub(super) id: NodeId,
    pub(super) path: &'a GuestPath,
}

impl Repeatable {
    pub(super) fn new(time: Arc<dyn CallTime>) -> Self {
        Self { time, objects: Mutex::default() }
    }

    /// `stat` without what the host knows.
    pub(super) fn told(&self, stat: FileStat, seen: Seen<'_>) -> FileStat {
        let start = self.time.start();
        let known = self.lock().known.get(&(seen.mount, seen.id)).copied();
        let times = known.map_or([start; 3], |known| [known.accessed, known.modified, known.changed]);
        let [accessed, modified, changed] = times.map(Some);
        FileStat { links: 1, accessed, modified, changed, ..stat }
    }

    pub(super) fn hash(&self, seen: Seen<'_>) -> (u64, u64) {
        self.lock().known.get(&(seen.mount, seen.id)).map_or_else(|| path_hash(seen.path), |known| known.hash)
    }

    /// The call made an object.
    fn made(&self, mount: usize, id: NodeId) {
        let now = self.time.now();
        let mut objects = self.lock();
        objects.made += 1;
        let hash = (hash_of(&(2_u8, objects.made)), hash_of(&(3_u8, objects.made)));
        objects.known.insert((mount, id), Known { hash, accessed: now, modified: now, changed: now });
    }

    /// The call changed an object: gave it another name, or one more, unless `act` does more.
    fn changed(&self, seen: Seen<'_>, act: impl FnOnce(&mut Known, Timestamp)) {
        let (start, now) = (self.time.start(), self.time.now());
        let unknown = || Known { hash: path_hash(seen.path), accessed: start, modified: start, changed: start };
        let mut objects = self.lock();
        let known = objects.known.entry((seen.mount, seen.id)).or_insert_with(unknown);
        known.changed = now;
        act(known, now);
    }

    /// A time that is set, without the host's present.
    pub(super) fn settled(&self, time: NewTime) -> NewTime {
        match time {
            NewTime::Now => NewTime::At(self.time.now()),
            NewTime::Keep | NewTime::At(_) => time,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash of an object that the call did not make.
pub(super) fn path_hash(path: &GuestPath) -> (u64, u64) {
    (hash_of(&(0_u8, path.as_str())), hash_of(&(1_u8, path.as_str())))
}

/// The standard library's hash without a key, which is the same everywhere.
fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// All of `entries`, in the order of the bytes of their names.
pub(super) fn in_order(entries: impl Iterator<Item = Result<Entry, FsError>>) -> Result<Vec<Entry>, FsError> {
    let mut all = Vec::new();
    for entry in entries {
        if all.len() == MOST_ENTRIES {
            return Err(FsError::Overflow);
        }
        all.push(entry?);
    }
    all.sort_unstable_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    Ok(all)
}

impl World {
    /// The call made what has the name `target` now.
    pub(super) fn made(&self, target: &Target) {
        let Some(repeatable) = &self.repeatable else { return };
        let Directory::Stored { mount, node } = &target.parent.directory else { return };
        // The walk has searched the directory for the name.
        if let (Some(permit), Ok(name)) = (&target.parent.search, target.name())
            && let Ok(made) = node.lookup(permit, name)
        {
            repeatable.made(*mount, made.id());
        }
    }

    /// The call made this file.
    pub(super) fn made_file(&self, mount: usize, id: NodeId) {
        if let Some(repeatable) = &self.repeatable {
            repeatable.made(mount, id);
        }
    }

    /// The call changed the content of a file.
    pub(super) fn written(&self, mount: usize, file: &FileRef, path: &GuestPath) {
        if let Some(repeatable) = &self.repeatable {
            repeatable.changed(Seen { mount, id: file.id(), path }, |known, now| known.modified = now);
        }
    }

    /// The call moves `node`, or gives it one more name: what was told of it so far stays.
    pub(super) fn renamed(&self, mount: usize, node: &NodeRef, path: &GuestPath) {
        if let Some(repeatable) = &self.repeatable {
            repeatable.changed(Seen { mount, id: node.id(), path }, |_, _| {});
        }
    }

    /// The call set times.
    pub(super) fn timed(&self, seen: Seen<'_>, accessed: NewTime, modified: NewTime) {
        let Some(repeatable) = &self.repeatable else { return };
        repeatable.changed(seen, |known, now| {
            let pick = |new, old| match new {
                NewTime::Keep => old,
                NewTime::Now => now,
                NewTime::At(at) => at,
            };
            known.accessed = pick(accessed, known.accessed);
            known.modified = pick(modified, known.modified);
        });
    }

    /// Times that are to be set, without the host's present where that must not show.
    pub(super) fn settled_times(&self, accessed: NewTime, modified: NewTime) -> (NewTime, NewTime) {
        match &self.repeatable {
            Some(repeatable) => (repeatable.settled(accessed), repeatable.settled(modified)),
            None => (accessed, modified),
        }
    }
}
