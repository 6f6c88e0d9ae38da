//! The file system that one call sees, and the only place where a path is resolved.
//!
//! Every operation goes one way: walk to the object by handle, one name at a time; decide on the path that was really reached;
//! act on that same handle with the token of the decision. What always holds:
//!
//! - A directory is asked for a name only after `search` on that directory was permitted, and only for a name that could lead to
//!   something permitted. So a refusal says nothing about what exists.
//! - `..` goes back on the walk's own way. A walk never leaves the descriptor that it starts from, and a link never leaves its
//!   mount. Absolute paths and absolute link targets are refused.
//! - A descriptor has a path that was decided on, and no rights: each operation through it is decided on its own.
//! - What a call writes is counted by the logical size of files, before it is written.

mod change;
mod current;
mod decide;
mod io;
mod list;
mod open;
mod path;
mod quota;
mod repeatable;
mod stat;
mod walk;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use caplet_policy::{FilesystemSection, Guard, GuestPath, Permitted, Search};

use crate::descriptor::{Descriptor, Directory, Place};
use crate::mount::MountTree;
use crate::{DescriptorFlags, FileSystem, FsError, Mount, NodeRef};
use current::Current;
use quota::Budget;
pub(crate) use quota::ENTRY_BYTES;

use repeatable::Repeatable;

pub use list::Entries;
pub use repeatable::CallTime;

/// How many symbolic links one path may lead through: what Linux takes.
pub const MAX_LINKS: usize = 40;

/// The longest path in bytes that is resolved: what common systems take (`PATH_MAX`).
pub const MAX_PATH_BYTES: usize = 4096;

/// The most names that one path may have. Deeper trees are reached through a handle on the way.
pub const MAX_PATH_NAMES: usize = 1000;

/// The most that one read gives.
pub const MAX_READ_BYTES: usize = 1 << 20;

/// What a namespace is made of.
#[derive(Debug)]
pub struct NamespaceConfig {
    /// The stores, in the order in which a guest is told of them.
    pub mounts: Vec<Mount>,
    /// Who decides.
    pub guard: Guard<FilesystemSection>,
    /// The current directory.
    pub cwd: Option<GuestPath>,
    /// Whether the guest is given the current directory as `.`, if it lies under a mount or on the way to one.
    pub preopen_cwd: bool,
    /// How many bytes may be written to each mount.
    pub write_quota: u64,
    /// The finest step of file times; `None` where time stands still.
    pub time_resolution: Option<Duration>,
}

/// The file system that one call sees. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Namespace(Arc<World>);

#[derive(Debug)]
struct World {
    mounts: Vec<MountPoint>,
    tree: MountTree,
    guard: Guard<FilesystemSection>,
    current: Option<Current>,
    time_resolution: Option<Duration>,
    started: SystemTime,
    /// What stands in the place of the host's times and identities, in a call that can be repeated.
    repeatable: Option<Repeatable>,
    exceeded: AtomicBool,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
}

#[derive(Debug)]
struct MountPoint {
    at: GuestPath,
    store: Arc<dyn FileSystem>,
    read_only: bool,
    root: Result<NodeRef, FsError>,
    search: OnceLock<Arc<Permitted<Search>>>,
    budget: Budget,
}

impl Namespace {
    /// Puts the mounts together. A store that cannot be used answers so when it is used.
    #[must_use]
    pub fn new(config: NamespaceConfig) -> Self {
        Self::made_of(config, SystemTime::now(), None)
    }

    /// As [`Namespace::new`], for a call that can be repeated: what a guest sees depends on the paths, the content and `time`, and on nothing
    /// else of the stores. A directory is listed in the order of its names, and refused where it has more than a million. Times and identities
    /// are those of the call.
    #[must_use]
    pub fn repeatable(config: NamespaceConfig, time: Arc<dyn CallTime>) -> Self {
        let start = time.start();
        let started = UNIX_EPOCH.checked_add(Duration::new(start.seconds, start.nanoseconds)).unwrap_or(UNIX_EPOCH);
        Self::made_of(config, started, Some(Repeatable::new(time)))
    }

    fn made_of(config: NamespaceConfig, started: SystemTime, repeatable: Option<Repeatable>) -> Self {
        let tree = MountTree::new(config.mounts.iter().map(|mount| &mount.at));
        let mounts: Vec<MountPoint> = config
            .mounts
            .into_iter()
            .map(|mount| MountPoint {
                root: mount.store.root(),
                at: mount.at,
                store: mount.store,
                read_only: mount.read_only,
                search: OnceLock::new(),
                budget: Budget::new(config.write_quota),
            })
            .collect();
        let current = config
            .cwd
            // Under a mount, or on the way to one: `sub/x` must work where only `sub` is mounted.
            .filter(|cwd| {
                let meets = |mount: &MountPoint| cwd.starts_with(&mount.at) || mount.at.starts_with(cwd);
                config.preopen_cwd && mounts.iter().any(meets)
            })
            .map(Current::new);
        Self(Arc::new(World {
            mounts,
            tree,
            guard: config.guard,
            current,
            time_resolution: config.time_resolution,
            started,
            repeatable,
            exceeded: AtomicBool::new(false),
            read_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
        }))
    }

    /// Whether an operation can take long, so that it must run on a thread of its own.
    #[must_use]
    pub fn may_block(&self) -> bool {
        self.0.mounts.iter().any(|mount| mount.store.may_block())
    }

    /// Whether what a guest sees can be seen again, in a call that is the same.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.0.repeatable.is_some()
    }

    /// Whether the call tried to write more than it may.
    #[must_use]
    pub fn exceeded(&self) -> bool {
        self.0.exceeded.load(Ordering::Relaxed)
    }

    /// How many bytes were read from files and written to them.
    #[must_use]
    pub fn transferred(&self) -> (u64, u64) {
        (self.0.read_bytes.load(Ordering::Relaxed), self.0.written_bytes.load(Ordering::Relaxed))
    }

    /// Counts from nothing again, for another call in the same world. What was written so far stays paid for.
    pub fn recount(&self) {
        self.0.exceeded.store(false, Ordering::Relaxed);
        self.0.read_bytes.store(0, Ordering::Relaxed);
        self.0.written_bytes.store(0, Ordering::Relaxed);
    }

    /// The directories that the guest starts with, and what it knows them as: every mount in order, then `/`, then `.`.
    ///
    /// In this order because a guest's library takes the last directory whose name is a prefix of a path, and the longest.
    #[must_use]
    pub fn preopens(&self) -> Vec<(Descriptor, String)> {
        let flags = DescriptorFlags { read: true, write: false, mutate_directory: true };
        let world = &self.0;
        let mut opened = Vec::with_capacity(world.mounts.len() + 2);
        for mount in &world.mounts {
            // Another mount at the same place may hide this one, and the root comes last.
            let listed = opened.iter().any(|(_, name)| *name == mount.at.as_str());
            if !listed && !mount.at.is_root() {
                opened.push((Descriptor::directory(world.place_at(&mount.at), flags), mount.at.as_str().to_owned()));
            }
        }
        opened.push((Descriptor::directory(world.root(), flags), "/".to_owned()));
        if world.current.is_some() {
            opened.push((Descriptor::current(), ".".to_owned()));
        }
        opened
    }
}

impl World {
    /// The directory at the top of the guest's world.
    fn root(&self) -> Place {
        self.place(GuestPath::root(), Some(MountTree::ROOT))
    }

    /// The top of the mount at `at`, which must be a mount point.
    fn place_at(&self, at: &GuestPath) -> Place {
        let tree = at.components().try_fold(MountTree::ROOT, |index, name| self.tree.child(index, name));
        self.place(at.clone(), tree)
    }

    /// A mount point, or a synthetic directory.
    fn place(&self, path: GuestPath, tree: Option<crate::mount::TreeIndex>) -> Place {
        let mount = tree.and_then(|index| self.tree.mount(index));
        let stored = mount.and_then(|mount| Some((mount, self.mounts.get(mount)?)));
        let directory = match stored {
            Some((mount, MountPoint { root: Ok(node), .. })) => Directory::Stored { mount, node: Arc::clone(node) },
            // A store that cannot be used shows nothing.
            Some(_) | None => Directory::Synthetic,
        };
        Place { path, directory, tree, search: None }
    }
}
