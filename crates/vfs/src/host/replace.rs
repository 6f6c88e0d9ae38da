//! Putting a whole object in the place of another: prepared under a name beside it, and then renamed, so that whoever looks finds
//! the old one or the new one. What must never happen: a link is followed, something else than was expected is replaced, or the
//! name beside it stays when it fails.

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, fchmod, openat, renameat, renameat_with, symlinkat, unlinkat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::facts::{Facts, host};
use super::file::HostFile;
use super::node::HostNode;
use super::{Identity, change::FILE_MODE};
use crate::{File, FsError, Name, Node};

/// A new object for one name in one directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replacing<'a> {
    pub(crate) directory: &'a dyn Node,
    pub(crate) name: Name<'a>,
    /// What must be there now, if anything.
    pub(crate) expected: Option<&'a Facts>,
}

impl Replacing<'_> {
    /// Puts a file there. `fill` writes it; `mode` are its permissions, or else those of any new file.
    ///
    /// # Errors
    ///
    /// [`FsError::Busy`] where something else than was expected has the name, or what the operating system says.
    pub(crate) fn with_file(
        &self,
        mode: Option<u32>,
        fill: &mut dyn FnMut(&dyn File) -> Result<(), FsError>,
    ) -> Result<(), FsError> {
        let directory = host(self.directory)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let first = mode.map_or(FILE_MODE, |_| Mode::from_raw_mode(0o600));
        self.prepared(directory, |beside| {
            let fd = openat(directory.directory()?.fd.as_fd(), beside, flags, first)?;
            let id = directory.shared.identify(Identity::from(&rustix::fs::fstat(&fd)?));
            let file = Arc::new(HostFile { fd, id });
            fill(file.as_ref())?;
            if let Some(mode) = mode {
                fchmod(&file.fd, Mode::from_raw_mode(mode & 0o777))?;
            }
            Ok(rustix::fs::fsync(&file.fd)?)
        })
    }

    /// Puts a link there.
    ///
    /// # Errors
    ///
    /// As [`Replacing::with_file`].
    pub(crate) fn with_link(&self, target: &str) -> Result<(), FsError> {
        let directory = host(self.directory)?;
        self.prepared(directory, |beside| Ok(symlinkat(target, &directory.directory()?.fd, beside)?))
    }

    /// Makes a directory there, where nothing must be.
    ///
    /// # Errors
    ///
    /// [`FsError::Exists`], or what the operating system says.
    pub(crate) fn with_directory(&self, mode: u32) -> Result<(), FsError> {
        let handle = host(self.directory)?.directory()?;
        Ok(rustix::fs::mkdirat(&handle.fd, self.name.as_str(), Mode::from_raw_mode(mode & 0o777))?)
    }

    /// Removes what is there.
    ///
    /// # Errors
    ///
    /// As [`Replacing::with_file`]; [`FsError::NotEmpty`].
    pub(crate) fn with_nothing(&self) -> Result<(), FsError> {
        let directory = host(self.directory)?;
        let flags = match self.expected {
            Some(Facts { kind: crate::EntryKind::Directory, .. }) => AtFlags::REMOVEDIR,
            Some(_) | None => AtFlags::empty(),
        };
        let _changing = directory.changing();
        self.check(directory)?;
        Ok(unlinkat(&directory.directory()?.fd, self.name.as_str(), flags)?)
    }

    /// Takes away what a process left beside the name that was killed while it prepared something for it.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub(crate) fn without_remains(&self) -> Result<(), FsError> {
        match unlinkat(&host(self.directory)?.directory()?.fd, beside(self.name), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Prepares under a name beside, and renames. The name beside is the same each time, so that what a killed process left is
    /// taken away by the next one.
    fn prepared(&self, directory: &HostNode, make: impl FnOnce(&str) -> Result<(), FsError>) -> Result<(), FsError> {
        let beside = beside(self.name);
        let handle = &directory.directory()?.fd;
        self.without_remains()?;
        let done = make(&beside).and_then(|()| self.rename(directory, &beside));
        if done.is_err() {
            // What cannot be removed either stays; the failure before it says more.
            let _ = unlinkat(handle, &beside, AtFlags::empty());
        }
        done
    }

    fn rename(&self, directory: &HostNode, beside: &str) -> Result<(), FsError> {
        let handle = &directory.directory()?.fd;
        let _changing = directory.changing();
        self.check(directory)?;
        if self.expected.is_some() {
            return Ok(renameat(handle, beside, handle, self.name.as_str())?);
        }
        match renameat_with(handle, beside, handle, self.name.as_str(), RenameFlags::NOREPLACE) {
            // Some file systems know no flags here; that nothing is there was checked a moment ago.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                Ok(renameat(handle, beside, handle, self.name.as_str())?)
            }
            Err(Errno::EXIST) => Err(FsError::Busy),
            done => Ok(done?),
        }
    }

    fn check(&self, directory: &HostNode) -> Result<(), FsError> {
        match Facts::at(directory, self.name) {
            Ok(None) if self.expected.is_none() => Ok(()),
            Ok(Some(found)) if self.expected.is_some_and(|expected| found.is_still(expected)) => Ok(()),
            Ok(_) | Err(FsError::Refused(_)) => Err(FsError::Busy),
            Err(error) => Err(error),
        }
    }
}

/// Makes what was changed in `directory` last through a crash of the host.
pub(crate) fn sync(directory: &dyn Node) -> Result<(), FsError> {
    Ok(rustix::fs::fsync(host(directory)?.open_directory()?)?)
}

/// Where the object for `name` is prepared. Of a fixed length, so that the longest name has one, too.
fn beside(name: Name<'_>) -> String {
    let digest = Sha256::digest(name.as_str());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!(".caplet~commit~{hex}")
}
