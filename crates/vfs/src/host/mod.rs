//! A directory of the host as a store.
//!
//! # What is done, and why it holds
//!
//! Every object is found by one name in the handle of one directory, with `O_PATH | O_NOFOLLOW`: that opens nothing, follows
//! nothing and cannot block. The handle is then asked what it is. Only regular files, directories and links pass; devices, pipes
//! and sockets are refused before anything could happen to them, and so is everything on a file system that is an interface of the
//! kernel. A file is opened for content through `/proc/self/fd/N` of that same handle, so what is opened is the object that was
//! looked at, whatever its name means by now. (Without a procfs it is opened once more by its name, without following links, and
//! must turn out to be the same object.)
//!
//! **Reading and writing a denied file.** A handle is only ever made for a name that the namespace permitted, in the handle of a
//! directory that it permitted. So a guest gets at an object only if the object had a permitted name. A guest can give it one only
//! by renaming it, or a directory above it, or by a hard link: the first and the last need `write` on the name that it has, the
//! second needs every possible name below that directory to be writable. None of this is granted for what is denied. Swapping
//! names meanwhile changes which object is found, among those with permitted names, and nothing else.
//!
//! **Names.** To remove or move something, the kernel takes a name and not a handle. Right before, the name is checked again to
//! belong to the object that was decided on. All changes of names on one device that this process makes exclude each other, so
//! guests cannot come in between. *Another process* of the host can, in the moment between that check and the act: then what has
//! the permitted name at that moment is removed or moved in its place. It is still only a permitted name that changes. The one
//! thing that this can be used for is to have a directory moved where a file was decided on, and so past the check of the names
//! below it; it takes a process outside of the sandbox that writes to the mounted directory in that moment.
//!
//! **Handles** stay with their object. When the host, or a call with more rights, moves a directory that a guest holds open, the
//! guest's descriptor goes along and keeps the path that was decided on.
//!
//! **Hard links** that exist already give a file names that no rule speaks of. A file with a permitted name can be read and
//! written by it; that is what the name is.
//!
//! **Directories that fold case.** There, a name other than the entry's own would find it. A name is only accepted as it is
//! written in the directory, byte for byte, and nothing replaces an entry under another spelling. (A denied name that does not
//! exist yet can be made there, in another spelling.)
//!
//! **Identity.** Device and inode numbers leave this module only under a keyed hash, with a key of each store.

mod change;
mod errno;
pub(crate) mod facts;
mod file;
mod fold;
mod list;
pub(crate) mod node;
pub(crate) mod replace;
mod system;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

use crate::{FileSystem, FsError, NodeId, NodeRef};
use node::HostNode;
use system::SystemType;

/// A directory of the host, opened once.
#[derive(Debug)]
pub struct HostStore {
    root: Arc<HostNode>,
    shared: Arc<Shared>,
    path: PathBuf,
}

/// Why a directory of the host cannot be a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is none.
    #[error("there is no directory {}", .0.display())]
    Missing(PathBuf),
    /// It is something else.
    #[error("{} is not a directory", .0.display())]
    NotDirectory(PathBuf),
    /// There is a link on the way, where none is to choose what is opened.
    #[error("{} is a symbolic link", .0.display())]
    Link(PathBuf),
    /// It is the kernel's own.
    #[error("{} is in {system}, where names are the kernel's interface and not files", .path.display())]
    System {
        /// What was asked for.
        path: PathBuf,
        /// What it is in.
        system: &'static str,
    },
    /// The operating system refuses.
    #[error("{} cannot be opened: {error}", .path.display())]
    Refused {
        /// What was asked for.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

/// How a directory is opened for its handle alone.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl OpenError {
    fn new(path: &Path, errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::Missing(path.to_owned()),
            Errno::NOTDIR => Self::NotDirectory(path.to_owned()),
            errno => Self::Refused { path: path.to_owned(), error: errno.into() },
        }
    }
}

/// What all objects of a store have in common.
#[derive(Debug)]
struct Shared {
    keys: [RandomState; 2],
    /// Something in here waits for a network or a daemon.
    may_block: AtomicBool,
    /// Objects are opened again through procfs.
    proc: Option<&'static OwnedFd>,
}

impl HostStore {
    /// Opens the directory at `path`, which may lead through links: whoever mounts it has named it.
    ///
    /// # Errors
    ///
    /// When there is no such directory, or it is in `/proc`, `/sys` or `/dev`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path.as_ref(), system::proc())
    }

    /// Opens the directory at `path`, and refuses a link anywhere on the way below `trusted` (below the root, where `path` is
    /// elsewhere). For what nobody has named: there, a link must not choose what is opened.
    ///
    /// # Errors
    ///
    /// As [`HostStore::open`], and [`OpenError::Link`].
    pub fn open_without_links(path: impl AsRef<Path>, trusted: impl AsRef<Path>) -> Result<Self, OpenError> {
        let (path, trusted) = (path.as_ref(), trusted.as_ref());
        let (start, below) = match path.strip_prefix(trusted) {
            Ok(below) => (trusted, below),
            Err(_) => (Path::new("/"), path.strip_prefix("/").unwrap_or(path)),
        };
        let mut handle = openat(CWD, start, DIRECTORY, Mode::empty()).map_err(|errno| OpenError::new(path, errno))?;
        let mut reached = start.to_owned();
        for name in below {
            reached.push(name);
            let next = openat(&handle, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
            handle = next.map_err(|errno| match statat(&handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                    OpenError::Link(reached.clone())
                }
                _ => OpenError::new(path, errno),
            })?;
        }
        Self::from_handle(handle, path, system::proc())
    }

    /// Opens the directory that `held` is a handle to, whatever its name leads to now. `path` is what it is called.
    ///
    /// # Errors
    ///
    /// As [`HostStore::open`].
    pub fn open_held(held: impl AsFd, path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let handle = openat(held, ".", DIRECTORY, Mode::empty()).map_err(|errno| OpenError::new(path, errno))?;
        Self::from_handle(handle, path, system::proc())
    }

    fn open_with(path: &Path, proc: Option<&'static OwnedFd>) -> Result<Self, OpenError> {
        let handle = openat(CWD, path, DIRECTORY, Mode::empty()).map_err(|errno| OpenError::new(path, errno))?;
        Self::from_handle(handle, path, proc)
    }

    fn from_handle(handle: OwnedFd, path: &Path, proc: Option<&'static OwnedFd>) -> Result<Self, OpenError> {
        let stat = fstat(&handle).map_err(|errno| OpenError::new(path, errno))?;
        let unusable =
            |error: &FsError| OpenError::Refused { path: path.to_owned(), error: io::Error::other(error.to_string()) };
        let kind = SystemType::of(&handle).map_err(|error| unusable(&error))?;
        // By the handle: what the name leads to may be another directory by now.
        let held = format!("/proc/self/fd/{}", handle.as_raw_fd());
        let real = fs::canonicalize(held).or_else(|_| fs::canonicalize(path)).unwrap_or_else(|_| path.to_owned());
        let below = system::system_directory(&real).or_else(|| {
            let interface = kind.is_interface() || system::device_of_devices() == Some(stat.st_dev);
            interface.then_some("a file system of the kernel")
        });
        if let Some(system) = below {
            return Err(OpenError::System { path: path.to_owned(), system });
        }
        let shared = Arc::new(Shared {
            keys: [RandomState::new(), RandomState::new()],
            may_block: AtomicBool::new(kind.may_block()),
            proc,
        });
        let root = HostNode::root(Arc::clone(&shared), handle, &stat).map_err(|error| unusable(&error))?;
        Ok(Self { root: Arc::new(root), shared, path: path.to_owned() })
    }
}

impl FileSystem for HostStore {
    fn root(&self) -> Result<NodeRef, FsError> {
        Ok(Arc::clone(&self.root) as NodeRef)
    }

    fn may_block(&self) -> bool {
        self.shared.may_block.load(Ordering::Relaxed)
    }

    fn describe(&self) -> String {
        format!("host directory {}", self.path.display())
    }

    fn claim(&self) -> Result<Box<dyn Any + Send + Sync>, FsError> {
        Ok(Box::new(facts::claim(&self.root)?))
    }
}

impl Shared {
    fn identify(&self, identity: Identity) -> NodeId {
        let [low, high] = self.keys.each_ref().map(|key| key.hash_one((identity.device, identity.inode)));
        NodeId(low, high)
    }

    /// The name of an open handle below [`Shared::proc`].
    fn proc_name(handle: &OwnedFd) -> String {
        format!("self/fd/{}", handle.as_raw_fd())
    }
}

/// What tells objects of the host apart. Stays in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl From<&rustix::fs::Stat> for Identity {
    fn from(stat: &rustix::fs::Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}
