//! Changes of names in a directory. They exclude each other within the process; see the module above for what that is good for.

use std::any::Any;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, linkat, mkdirat, openat, renameat, renameat_with, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::file::HostFile;
use super::node::{Handle, HostNode};
use super::{Identity, Shared};
use crate::store::Entity;
use crate::{FileRef, FsError, Name, Node};

/// Permissions of what is made, before the process's own mask: everybody reads, the owner writes.
pub(super) const FILE_MODE: Mode = Mode::from_raw_mode(0o644);
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);

/// One lock for each device, more or less: a network that hangs must not hold up changes on a disk.
static CHANGES: [Mutex<()>; 61] = [const { Mutex::new(()) }; 61];

impl HostNode {
    pub(super) fn changing(&self) -> MutexGuard<'static, ()> {
        let slots = u64::try_from(CHANGES.len()).unwrap_or(1);
        let slot = usize::try_from(self.handle.identity.device % slots).unwrap_or(0);
        let lock = CHANGES.get(slot).unwrap_or(&CHANGES[0]);
        lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn make_file(&self, name: Name<'_>) -> Result<FileRef, FsError> {
        let directory = self.directory()?;
        let flags = OFlags::RDWR
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let fd: OwnedFd = {
            let _changing = self.changing();
            openat(&directory.fd, name.as_str(), flags, FILE_MODE)?
        };
        let identity = Identity::from(&rustix::fs::fstat(&fd)?);
        Ok(Arc::new(HostFile { fd, id: self.shared.identify(identity) }))
    }

    pub(super) fn make_directory(&self, name: Name<'_>) -> Result<(), FsError> {
        let directory = self.directory()?;
        let _changing = self.changing();
        Ok(mkdirat(&directory.fd, name.as_str(), DIRECTORY_MODE)?)
    }

    pub(super) fn make_link(&self, name: Name<'_>, target: &str) -> Result<(), FsError> {
        let directory = self.directory()?;
        let _changing = self.changing();
        Ok(symlinkat(target, &directory.fd, name.as_str())?)
    }

    /// A hard link to exactly the object that is held.
    pub(super) fn make_name(&self, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        let directory = self.directory()?;
        let (node, parent) = (ours(source.node)?, ours(source.parent)?);
        let _changing = self.changing();
        match self.shared.proc {
            Some(proc) => {
                let held = Shared::proc_name(&node.handle.fd);
                Ok(linkat(proc, held, &directory.fd, name.as_str(), AtFlags::SYMLINK_FOLLOW)?)
            }
            None => {
                parent.still(source.name, &node.handle)?;
                Ok(linkat(&parent.handle.fd, source.name.as_str(), &directory.fd, name.as_str(), AtFlags::empty())?)
            }
        }
    }

    pub(super) fn remove(&self, name: Name<'_>, expected: &dyn Node, flags: AtFlags) -> Result<(), FsError> {
        let directory = self.directory()?;
        let expected = ours(expected)?;
        let _changing = self.changing();
        self.still(name, &expected.handle)?;
        Ok(unlinkat(&directory.fd, name.as_str(), flags)?)
    }

    pub(super) fn take(&self, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        let directory = self.directory()?;
        let (node, parent) = (ours(source.node)?, ours(source.parent)?);
        let _changing = self.changing();
        parent.still(source.name, &node.handle)?;
        let (from, old, to, new) = (&parent.handle.fd, source.name.as_str(), &directory.fd, name.as_str());
        match statat(to, new, AtFlags::SYMLINK_NOFOLLOW) {
            // Where names fold, the entry in the way may be another one than was decided on.
            Ok(stat) if !self.spells(name, Identity::from(&stat))? => {
                Err(FsError::Refused("the directory has an entry that it takes for the same name"))
            }
            Ok(_) => Ok(renameat(from, old, to, new)?),
            Err(Errno::NOENT) => match renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
                // Some file systems know no flags here.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(renameat(from, old, to, new)?),
                Err(Errno::EXIST) => Err(FsError::Busy),
                done => Ok(done?),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Whether `name` still belongs to the object that was decided on.
    fn still(&self, name: Name<'_>, object: &Handle) -> Result<(), FsError> {
        let found = statat(&self.directory()?.fd, name.as_str(), AtFlags::SYMLINK_NOFOLLOW)?;
        if Identity::from(&found) == object.identity { Ok(()) } else { Err(FsError::Busy) }
    }
}

fn ours(node: &dyn Node) -> Result<&HostNode, FsError> {
    (node as &dyn Any).downcast_ref().ok_or(FsError::CrossDevice)
}
