//! What is known about an object: metadata, identity, times. Device and inode numbers, owners and modes never show.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, UNIX_EPOCH};

use caplet_policy::{Permitted, Write};

use super::decide::Want;
use super::repeatable::{Seen, path_hash};
use super::walk::{Found, Last, Resolved};
use super::{Namespace, World};
use crate::descriptor::{Descriptor, Directory, Identity, Object, Place};
use crate::store::Known;
use crate::{EntryKind, FileStat, FsError, NewTime, NodeRef, Timestamp};

/// The latest time that can be set, in seconds: what a signed 64-bit count holds.
const MAX_SECONDS: u64 = i64::MAX.unsigned_abs();

impl Namespace {
    /// What is known about an open object.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn stat(&self, descriptor: &Descriptor) -> Result<FileStat, FsError> {
        match &descriptor.0.object {
            Object::File(open) => {
                let seen = Seen { mount: open.mount, id: open.file.id(), path: &open.path };
                Ok(self.0.told(open.file.stat()?, seen))
            }
            Object::Directory(_) | Object::Current => {
                self.0.stat_directory(self.0.directory(descriptor, Want::Search)?)
            }
        }
    }

    /// What is known about the object at `path`. Needs `search` for a directory, `read` for anything else.
    ///
    /// # Errors
    ///
    /// [`FsError::NoEntry`] and the usual ones.
    pub fn stat_at(&self, base: &Descriptor, path: &str, follow: bool) -> Result<FileStat, FsError> {
        match self.0.inspect(base, path, follow)? {
            Inspected::Directory(place) => self.0.stat_directory(place),
            Inspected::Other { path, node, mount } => {
                let permit = self.0.read(&path)?;
                let seen = Seen { mount, id: node.id(), path: &path };
                Ok(self.0.told(node.stat(Known::Read(&permit))?, seen))
            }
        }
    }

    /// A hash that two objects share only if they are the same. It stays the same while the object lives.
    ///
    /// # Errors
    ///
    /// When the current directory cannot be reached.
    pub fn metadata_hash(&self, descriptor: &Descriptor) -> Result<(u64, u64), FsError> {
        match &descriptor.0.object {
            Object::Current => Ok(self.0.hash_place(&self.0.directory(descriptor, Want::Search)?)),
            Object::Directory(place) => Ok(self.0.hash_place(place)),
            Object::File(open) => Ok(self.0.hash(Seen { mount: open.mount, id: open.file.id(), path: &open.path })),
        }
    }

    /// As [`Namespace::metadata_hash`], for the object at `path`.
    ///
    /// # Errors
    ///
    /// As [`Namespace::stat_at`].
    pub fn metadata_hash_at(&self, base: &Descriptor, path: &str, follow: bool) -> Result<(u64, u64), FsError> {
        match self.0.inspect(base, path, follow)? {
            Inspected::Directory(mut place) => {
                self.0.searched(&mut place)?;
                Ok(self.0.hash_place(&place))
            }
            Inspected::Other { path, node, mount } => {
                self.0.read(&path)?;
                Ok(self.0.hash(Seen { mount, id: node.id(), path: &path }))
            }
        }
    }

    /// The target of the link at `path`. Needs `read`.
    ///
    /// # Errors
    ///
    /// [`FsError::Invalid`] where it is no link, [`FsError::NotPermitted`] where the target is absolute: it would tell of the host.
    pub fn read_link_at(&self, base: &Descriptor, path: &str) -> Result<String, FsError> {
        let (path, node) = match self.0.inspect(base, path, false)? {
            Inspected::Other { path, node, .. } => (path, node),
            Inspected::Directory(mut place) => {
                self.0.searched(&mut place)?;
                return Err(FsError::Invalid);
            }
        };
        let permit = self.0.read(&path)?;
        if node.kind() != EntryKind::Link {
            return Err(FsError::Invalid);
        }
        let target = node.read_link(Known::Read(&permit))?;
        if target.starts_with('/') {
            return Err(self.0.refuse(Want::Read, &path, "the link is absolute: its target is a path of the host"));
        }
        Ok(target)
    }

    /// Sets the times of an open object. Needs `write`.
    ///
    /// # Errors
    ///
    /// [`FsError::Invalid`] and [`FsError::Overflow`] for a time that is none.
    pub fn set_times(&self, descriptor: &Descriptor, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        match &descriptor.0.object {
            Object::File(open) => {
                let permit = self.0.write(&open.path)?;
                check_times([accessed, modified])?;
                let (accessed, modified) = self.0.settled_times(accessed, modified);
                open.file.set_times(&permit, accessed, modified)?;
                self.0.timed(Seen { mount: open.mount, id: open.file.id(), path: &open.path }, accessed, modified);
                Ok(())
            }
            Object::Directory(_) | Object::Current => {
                let place = self.0.directory(descriptor, Want::Write)?;
                self.0.set_directory_times(&place, accessed, modified)
            }
        }
    }

    /// Sets the times of the object at `path`. Needs `write`.
    ///
    /// # Errors
    ///
    /// As [`Namespace::set_times`] and [`Namespace::stat_at`].
    pub fn set_times_at(
        &self,
        base: &Descriptor,
        path: &str,
        follow: bool,
        accessed: NewTime,
        modified: NewTime,
    ) -> Result<(), FsError> {
        let last = if follow { Last::Follow } else { Last::Stay };
        match self.0.resolve(base, path, last, Want::Write, false)? {
            Resolved::Top(place) => self.0.set_directory_times(&place, accessed, modified),
            Resolved::Name(target) => match (&target.found, target.place()) {
                (_, Some(place)) => self.0.set_directory_times(&place, accessed, modified),
                (Found::Node(node), None) => {
                    let permit = self.0.write(&target.path)?;
                    if target.slash {
                        return Err(FsError::NotDirectory);
                    }
                    let mount = target.parent.mount().ok_or(FsError::Io)?;
                    let seen = Seen { mount, id: node.id(), path: &target.path };
                    self.0.set_node_times(seen, node, &permit, [accessed, modified])
                }
                (Found::Missing | Found::Place(_), None) => Err(self.0.absent(Want::Write, &target.path)),
            },
        }
    }
}

/// Something that exists and whose metadata is asked for.
enum Inspected {
    Directory(Place),
    Other { path: caplet_policy::GuestPath, node: NodeRef, mount: usize },
}

impl World {
    fn inspect(&self, base: &Descriptor, path: &str, follow: bool) -> Result<Inspected, FsError> {
        let last = if follow { Last::Follow } else { Last::Stay };
        let target = match self.resolve(base, path, last, Want::Read, false)? {
            Resolved::Top(place) => return Ok(Inspected::Directory(place)),
            Resolved::Name(target) => target,
        };
        if let Some(place) = target.place() {
            return Ok(Inspected::Directory(place));
        }
        match target.found {
            Found::Node(_) if target.slash => Err(self.not_a_directory(&target.path)),
            Found::Node(node) => {
                let mount = target.parent.mount().ok_or(FsError::Io)?;
                Ok(Inspected::Other { path: target.path, node, mount })
            }
            Found::Missing | Found::Place(_) => Err(self.absent(Want::Read, &target.path)),
        }
    }

    fn stat_directory(&self, mut place: Place) -> Result<FileStat, FsError> {
        let permit = self.searched(&mut place)?;
        match &place.directory {
            Directory::Stored { mount, node } => {
                let stat = node.stat(Known::Search(&permit))?;
                let seen = Seen { mount: *mount, id: node.id(), path: &place.path };
                // The size and the count of links of a directory would tell of entries that are not shown.
                Ok(self.told(FileStat { size: 0, links: 1, ..stat }, seen))
            }
            Directory::Synthetic => Ok(FileStat {
                kind: EntryKind::Directory,
                links: 1,
                size: 0,
                accessed: None,
                modified: None,
                changed: None,
            }),
        }
    }

    fn set_directory_times(&self, place: &Place, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        let permit = self.write(&place.path)?;
        check_times([accessed, modified])?;
        match &place.directory {
            Directory::Stored { mount, node } => {
                let seen = Seen { mount: *mount, id: node.id(), path: &place.path };
                self.set_node_times(seen, node, &permit, [accessed, modified])
            }
            Directory::Synthetic => Err(FsError::ReadOnly),
        }
    }

    fn set_node_times(
        &self,
        seen: Seen<'_>,
        node: &NodeRef,
        permit: &Permitted<Write>,
        [accessed, modified]: [NewTime; 2],
    ) -> Result<(), FsError> {
        check_times([accessed, modified])?;
        let (accessed, modified) = self.settled_times(accessed, modified);
        node.set_times(permit, accessed, modified)?;
        self.timed(seen, accessed, modified);
        Ok(())
    }

    /// What a guest hears of an object.
    fn told(&self, stat: FileStat, seen: Seen<'_>) -> FileStat {
        match &self.repeatable {
            Some(repeatable) => self.coarse(repeatable.told(stat, seen)),
            None => self.coarse(stat),
        }
    }

    fn hash(&self, seen: Seen<'_>) -> (u64, u64) {
        match &self.repeatable {
            Some(repeatable) => repeatable.hash(seen),
            None => hash(&Identity::Stored(seen.mount, seen.id)),
        }
    }

    fn hash_place(&self, place: &Place) -> (u64, u64) {
        match &place.directory {
            Directory::Stored { mount, node } => self.hash(Seen { mount: *mount, id: node.id(), path: &place.path }),
            Directory::Synthetic if self.repeatable.is_some() => path_hash(&place.path),
            Directory::Synthetic => hash(&place.identity()),
        }
    }

    fn coarse(&self, stat: FileStat) -> FileStat {
        let time = |time: Option<Timestamp>| time.map(|time| self.coarse_time(time));
        FileStat { accessed: time(stat.accessed), modified: time(stat.modified), changed: time(stat.changed), ..stat }
    }

    /// A time as coarse as the guest's clock. Where that stands still, it stands at the second in which the call began, and no
    /// file is younger.
    fn coarse_time(&self, time: Timestamp) -> Timestamp {
        let (step, latest) = match self.time_resolution {
            Some(step) => (step.as_nanos().max(1), u128::MAX),
            None => (1_000_000_000, self.started.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos()),
        };
        let nanos = u128::from(time.seconds) * 1_000_000_000 + u128::from(time.nanoseconds);
        let nanos = nanos.min(latest) / step * step;
        Timestamp {
            seconds: u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX),
            nanoseconds: u32::try_from(nanos % 1_000_000_000).unwrap_or(0),
        }
    }
}

fn check_times(times: [NewTime; 2]) -> Result<(), FsError> {
    times.into_iter().try_for_each(|time| match time {
        NewTime::At(at) if at.nanoseconds >= 1_000_000_000 => Err(FsError::Invalid),
        NewTime::At(at) if at.seconds > MAX_SECONDS => Err(FsError::Overflow),
        NewTime::At(_) | NewTime::Keep | NewTime::Now => Ok(()),
    })
}

/// The standard library's hash without a key: stores have put a key of their own into what identifies their objects.
fn hash(identity: &Identity<'_>) -> (u64, u64) {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        identity.hash(&mut hasher);
        hasher.finish()
    };
    (half(0), half(1))
}
