//! Objects found by one name in one directory.

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use caplet_policy::{Permitted, Search, Write};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps, fstat, openat, readlinkat, utimensat};
use rustix::io::Errno;

use super::file::HostFile;
use super::list::HostListing;
use super::system::{SystemType, device_of_devices};
use super::{Identity, Shared};
use crate::store::{Access, Entity, Known, Move};
use crate::{EntryKind, FileRef, FileStat, FsError, Listing, Name, NewTime, Node, NodeId, NodeRef, Timestamp};

/// One object of the host.
#[derive(Debug)]
pub(super) struct HostNode {
    pub(super) shared: Arc<Shared>,
    pub(super) handle: Arc<Handle>,
    kind: EntryKind,
    id: NodeId,
    /// What it was when it was found: enough for files and links, which are looked up again for each operation.
    found: FileStat,
    /// Where it was found; kept only where there is no procfs to open it again by its handle.
    place: Option<(Arc<Handle>, String)>,
}

/// An `O_PATH` handle.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) fd: OwnedFd,
    pub(super) identity: Identity,
    /// Whether this directory takes different spellings for one name, once that is known.
    pub(super) folds: OnceLock<bool>,
}

pub(crate) const IS_SPECIAL: &str =
    "it is a device, a pipe or a socket, and only files, directories and links are opened";
pub(crate) const IS_INTERFACE: &str = "it is on a file system of the kernel, whose names are no files";

impl HostNode {
    pub(super) fn root(shared: Arc<Shared>, fd: OwnedFd, stat: &Stat) -> Result<Self, FsError> {
        Self::new(shared, fd, stat, None)
    }

    fn new(
        shared: Arc<Shared>,
        fd: OwnedFd,
        stat: &Stat,
        place: Option<(Arc<Handle>, String)>,
    ) -> Result<Self, FsError> {
        let found = file_stat(stat)?;
        let identity = Identity::from(stat);
        let id = shared.identify(identity);
        let handle = Arc::new(Handle { fd, identity, folds: OnceLock::new() });
        Ok(Self { shared, handle, kind: found.kind, id, found, place })
    }

    /// The directory itself, opened to be read.
    pub(super) fn open_directory(&self) -> Result<OwnedFd, FsError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(&self.handle.fd, ".", flags, Mode::empty())?)
    }

    pub(super) fn directory(&self) -> Result<&Handle, FsError> {
        if self.kind == EntryKind::Directory { Ok(&self.handle) } else { Err(FsError::NotDirectory) }
    }

    /// Opens the content of this very file.
    fn reopen(&self, direction: OFlags) -> Result<OwnedFd, FsError> {
        let flags = direction | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if let Some(proc) = self.shared.proc {
            return Ok(openat(proc, Shared::proc_name(&self.handle.fd), flags, Mode::empty())?);
        }
        let (directory, name) = self.place.as_ref().ok_or(FsError::Unsupported)?;
        let fd = openat(&directory.fd, name.as_str(), flags | OFlags::NOFOLLOW, Mode::empty())?;
        let same = Identity::from(&fstat(&fd)?) == self.handle.identity;
        same.then_some(fd).ok_or(FsError::Busy)
    }

    /// Refuses what is on a file system of the kernel, when the way goes from one file system to another.
    fn check_crossing(&self, fd: &OwnedFd, device: u64) -> Result<(), FsError> {
        if device == self.handle.identity.device {
            return Ok(());
        }
        let kind = SystemType::of(fd)?;
        if kind.is_interface() || device_of_devices() == Some(device) {
            return Err(FsError::Refused(IS_INTERFACE));
        }
        if kind.may_block() {
            self.shared.may_block.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Node for HostNode {
    fn kind(&self) -> EntryKind {
        self.kind
    }

    fn id(&self) -> NodeId {
        self.id
    }

    fn stat(&self, _known: Known<'_>) -> Result<FileStat, FsError> {
        match self.kind {
            EntryKind::Directory => file_stat(&fstat(&self.handle.fd)?),
            EntryKind::File | EntryKind::Link => Ok(self.found),
        }
    }

    fn read_link(&self, _known: Known<'_>) -> Result<String, FsError> {
        if self.kind != EntryKind::Link {
            return Err(FsError::Invalid);
        }
        let target = readlinkat(&self.handle.fd, "", Vec::new())?;
        target.into_string().map_err(|_| FsError::IllegalByteSequence)
    }

    fn open(&self, access: Access<'_>) -> Result<FileRef, FsError> {
        match self.kind {
            EntryKind::File => {}
            EntryKind::Directory => return Err(FsError::IsDirectory),
            EntryKind::Link => return Err(FsError::Loop),
        }
        let direction = match access {
            Access::Read(_) => OFlags::RDONLY,
            Access::Write(_) => OFlags::WRONLY,
            Access::Both(..) => OFlags::RDWR,
        };
        Ok(Arc::new(HostFile { fd: self.reopen(direction)?, id: self.id }))
    }

    fn set_times(&self, _permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        let times = timestamps(accessed, modified);
        match (utimensat(&self.handle.fd, "", &times, AtFlags::EMPTY_PATH), self.shared.proc) {
            // Kernels before 5.8 do not take a handle here.
            (Err(Errno::INVAL), Some(proc)) if self.kind != EntryKind::Link => {
                Ok(utimensat(proc, Shared::proc_name(&self.handle.fd), &times, AtFlags::empty())?)
            }
            (done, _) => Ok(done?),
        }
    }

    fn sync(&self, _permit: &Permitted<Write>) -> Result<(), FsError> {
        self.directory()?;
        Ok(rustix::fs::fsync(self.open_directory()?)?)
    }

    fn lookup(&self, _permit: &Permitted<Search>, name: Name<'_>) -> Result<NodeRef, FsError> {
        let directory = self.directory()?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&directory.fd, name.as_str(), flags, Mode::empty())?;
        let stat = fstat(&fd)?;
        self.check_crossing(&fd, stat.st_dev)?;
        if !self.spells(name, Identity::from(&stat))? {
            return Err(FsError::NoEntry);
        }
        let place = match self.shared.proc {
            Some(_) => None,
            None => Some((Arc::clone(&self.handle), name.as_str().to_owned())),
        };
        Ok(Arc::new(Self::new(Arc::clone(&self.shared), fd, &stat, place)?))
    }

    fn list(&self, _permit: &Permitted<Search>) -> Result<Box<dyn Listing>, FsError> {
        self.directory()?;
        Ok(Box::new(HostListing::new(self.open_directory()?)))
    }

    fn create_file(&self, _permit: &Permitted<Write>, name: Name<'_>) -> Result<FileRef, FsError> {
        self.make_file(name)
    }

    fn create_directory(&self, _permit: &Permitted<Write>, name: Name<'_>) -> Result<(), FsError> {
        self.make_directory(name)
    }

    fn create_link(&self, _permit: &Permitted<Write>, name: Name<'_>, target: &str) -> Result<(), FsError> {
        self.make_link(name, target)
    }

    fn add_name(&self, _permits: [&Permitted<Write>; 2], source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        self.make_name(source, name)
    }

    fn remove_file(&self, _permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        self.remove(name, expected, AtFlags::empty())
    }

    fn remove_directory(&self, _permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        self.remove(name, expected, AtFlags::REMOVEDIR)
    }

    fn move_here(&self, _permit: Move<'_>, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        self.take(source, name)
    }
}

/// What is told about an object; nothing at all about one that is not opened.
pub(super) fn file_stat(stat: &Stat) -> Result<FileStat, FsError> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Link,
        _ => return Err(FsError::Refused(IS_SPECIAL)),
    };
    // Times before 1970 cannot be told in the standard's terms.
    let time = |seconds: i128, nanoseconds: i128| {
        Some(Timestamp {
            seconds: u64::try_from(seconds).ok().filter(|seconds| i64::try_from(*seconds).is_ok())?,
            nanoseconds: u32::try_from(nanoseconds).ok().filter(|nanoseconds| *nanoseconds < 1_000_000_000)?,
        })
    };
    Ok(FileStat {
        kind,
        links: i128::from(stat.st_nlink).try_into().unwrap_or(1),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        accessed: time(stat.st_atime.into(), stat.st_atime_nsec.into()),
        modified: time(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
        changed: time(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
    })
}

/// Times for the kernel. They were checked to fit.
pub(super) fn timestamps(accessed: NewTime, modified: NewTime) -> Timestamps {
    let time = |time| match time {
        NewTime::Keep => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        NewTime::Now => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
        NewTime::At(at) => {
            Timespec { tv_sec: i64::try_from(at.seconds).unwrap_or(i64::MAX), tv_nsec: i64::from(at.nanoseconds) }
        }
    };
    Timestamps { last_access: time(accessed), last_modification: time(modified) }
}
