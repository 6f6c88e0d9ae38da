//! What only the host itself may know about its objects: enough to tell whether one has changed, and where it lies.

use std::any::Any;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, Stat, flock, fstat, openat, statat};
use rustix::io::Errno;

use super::list::HostListing;
use super::node::{HostNode, file_stat};
use super::{DIRECTORY, Identity};
use crate::{EntryKind, FsError, Name, Node};

/// What an object is at this moment. Two that are equal were not written in between, as far as the kernel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) kind: EntryKind,
    pub(crate) size: u64,
    /// When its content last changed, in nanoseconds since 1970.
    pub(crate) modified_ns: i128,
    /// When anything about it last changed, in nanoseconds since 1970. Unlike the time above, nobody can set it.
    pub(crate) changed_ns: i128,
    pub(crate) inode: u64,
    /// Permissions alone: no type, and no bits that lend somebody's rights.
    pub(crate) mode: u32,
}

impl Facts {
    /// The facts about `node`, which must be an object of the host.
    pub(crate) fn of(node: &dyn Node) -> Result<Self, FsError> {
        Self::from_stat(&fstat(&host(node)?.handle.fd)?)
    }

    /// The facts about what has `name` in `directory` now, if anything has.
    pub(super) fn at(directory: &HostNode, name: Name<'_>) -> Result<Option<Self>, FsError> {
        match statat(&directory.directory()?.fd, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Self::from_stat(&stat).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this is what was seen as `before`, and unchanged. A directory only has to be the same one: its times say no more
    /// than that its entries changed, and those are looked at one by one.
    pub(crate) fn is_still(&self, before: &Self) -> bool {
        match self.kind {
            EntryKind::Directory => before.kind == self.kind && before.inode == self.inode,
            EntryKind::File | EntryKind::Link => self == before,
        }
    }

    fn from_stat(stat: &Stat) -> Result<Self, FsError> {
        let nanoseconds = |seconds: i128, more: i128| seconds * 1_000_000_000 + more;
        let told = file_stat(stat)?;
        Ok(Self {
            kind: told.kind,
            size: told.size,
            modified_ns: nanoseconds(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed_ns: nanoseconds(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
            inode: stat.st_ino,
            mode: stat.st_mode & 0o777,
        })
    }
}

/// Whether `directory` has entries that no listing shows: names that are not UTF-8, devices, pipes, sockets.
pub(crate) fn has_unseen(directory: &dyn Node) -> Result<bool, FsError> {
    HostListing::new(host(directory)?.open_directory()?).has_unseen()
}

/// Whether `node` is the directory `above` or lies below it.
pub(crate) fn lies_within(node: &dyn Node, above: &dyn Node) -> Result<bool, FsError> {
    let above = host(above)?.handle.identity;
    let mut here: OwnedFd = openat(&host(node)?.directory()?.fd, ".", DIRECTORY, Mode::empty())?;
    let mut identity = Identity::from(&fstat(&here)?);
    loop {
        if identity == above {
            return Ok(true);
        }
        here = openat(&here, "..", DIRECTORY, Mode::empty())?;
        let next = Identity::from(&fstat(&here)?);
        // The top is its own parent.
        if next == identity {
            return Ok(false);
        }
        identity = next;
    }
}

/// Locks `directory` for one user, as long as what is given lives.
pub(super) fn claim(directory: &HostNode) -> Result<OwnedFd, FsError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = openat(&directory.directory()?.fd, ".", flags, Mode::empty())?;
    flock(&handle, FlockOperation::NonBlockingLockExclusive)?;
    Ok(handle)
}

/// `node` as an object of the host.
pub(super) fn host(node: &dyn Node) -> Result<&HostNode, FsError> {
    (node as &dyn Any).downcast_ref().ok_or(FsError::CrossDevice)
}
