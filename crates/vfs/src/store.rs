//! What a store is: objects held by handle, and primitives on single names.
//!
//! A store knows nothing of paths. Its methods take one [`Name`] in one directory, never follow a link, and say by the type of
//! their arguments what must have been permitted. A token speaks of a guest path; that it is the path of this very object is the
//! [`Namespace`](crate::Namespace)'s part, which alone resolves paths.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use caplet_policy::{Permitted, Read, Search, Write, WriteTree};

use crate::{EntryKind, FileStat, FsError, Name, NewTime};

/// A file system that can be mounted.
pub trait FileSystem: Send + Sync + Debug {
    /// The directory at the top.
    ///
    /// # Errors
    ///
    /// When the store cannot be used any more.
    fn root(&self) -> Result<NodeRef, FsError>;

    /// Whether an operation can take as long as somebody else likes, so that it must run on a thread of its own.
    fn may_block(&self) -> bool;

    /// What stands behind the mount, for the operator: `memory`, `host directory /srv/data`.
    fn describe(&self) -> String;

    /// Takes the whole store for one user, until what is given is dropped. A store that others can open at the same time, from
    /// this process or another one, must refuse the second.
    ///
    /// # Errors
    ///
    /// [`FsError::Busy`] where somebody else has it.
    fn claim(&self) -> Result<Box<dyn Any + Send + Sync>, FsError> {
        Ok(Box::new(()))
    }
}

/// An object of a store, held by handle.
pub type NodeRef = Arc<dyn Node>;
/// A file opened for reading, writing or both.
pub type FileRef = Arc<dyn File>;

/// A stable identity of an object within its store that tells nothing about the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(pub u64, pub u64);

/// Any permission with which an object may be known to exist: its metadata can be told.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// It may be searched; enough for directories, and for links that are followed.
    Search(&'a Permitted<Search>),
    /// It may be read.
    Read(&'a Permitted<Read>),
    /// It may be written.
    Write(&'a Permitted<Write>),
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug)]
pub enum Access<'a> {
    /// To read.
    Read(&'a Permitted<Read>),
    /// To write.
    Write(&'a Permitted<Write>),
    /// To read and to write.
    Both(&'a Permitted<Read>, &'a Permitted<Write>),
}

impl Access<'_> {
    /// Whether content can be read.
    #[must_use]
    pub fn reads(&self) -> bool {
        matches!(self, Self::Read(_) | Self::Both(..))
    }

    /// Whether content can be written.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self, Self::Write(_) | Self::Both(..))
    }
}

/// The permission to move an object, one for each side.
#[derive(Clone, Copy, Debug)]
pub enum Move<'a> {
    /// A file or link goes from the first path to the second.
    File(&'a Permitted<Write>, &'a Permitted<Write>),
    /// A directory does, with everything that is or could be below it.
    Tree(&'a Permitted<WriteTree>, &'a Permitted<WriteTree>),
}

/// One object: a file, a directory or a link.
///
/// Methods for directories answer [`FsError::NotDirectory`] on anything else.
pub trait Node: Any + Send + Sync + Debug {
    /// What it is. Never changes.
    fn kind(&self) -> EntryKind;

    /// Its identity. Never changes, and no other object of the store has it as long as this one lives.
    fn id(&self) -> NodeId;

    /// What is known about it.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn stat(&self, known: Known<'_>) -> Result<FileStat, FsError>;

    /// Where a link leads.
    ///
    /// # Errors
    ///
    /// [`FsError::Invalid`] where it is no link, [`FsError::IllegalByteSequence`] where the target is not UTF-8.
    fn read_link(&self, known: Known<'_>) -> Result<String, FsError>;

    /// Opens this very file.
    ///
    /// # Errors
    ///
    /// [`FsError::IsDirectory`], [`FsError::Loop`] for a link, or what the store says.
    fn open(&self, access: Access<'_>) -> Result<FileRef, FsError>;

    /// Sets times; already checked to be in range.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn set_times(&self, permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError>;

    /// Makes what was changed in this directory last through a crash of the host, where the store can.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn sync(&self, permit: &Permitted<Write>) -> Result<(), FsError>;

    /// The object of one name in this directory. Devices, pipes and sockets are [`FsError::Refused`].
    ///
    /// # Errors
    ///
    /// [`FsError::NoEntry`], or what the store says.
    fn lookup(&self, permit: &Permitted<Search>, name: Name<'_>) -> Result<NodeRef, FsError>;

    /// Starts reading this directory.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn list(&self, permit: &Permitted<Search>) -> Result<Box<dyn Listing>, FsError>;

    /// Makes a new, empty file and opens it to read and write.
    ///
    /// # Errors
    ///
    /// [`FsError::Exists`] where the name is taken by anything at all.
    fn create_file(&self, permit: &Permitted<Write>, name: Name<'_>) -> Result<FileRef, FsError>;

    /// Makes a new directory.
    ///
    /// # Errors
    ///
    /// [`FsError::Exists`] where the name is taken.
    fn create_directory(&self, permit: &Permitted<Write>, name: Name<'_>) -> Result<(), FsError>;

    /// Makes a new symbolic link.
    ///
    /// # Errors
    ///
    /// [`FsError::Exists`] where the name is taken.
    fn create_link(&self, permit: &Permitted<Write>, name: Name<'_>, target: &str) -> Result<(), FsError>;

    /// Gives `source`, a file or link found as `old` in the directory `from`, one more name: `name` in this directory. Takes a
    /// token for each side, since whoever writes the one name writes the other.
    ///
    /// # Errors
    ///
    /// [`FsError::Exists`], [`FsError::CrossDevice`], [`FsError::Busy`] where `old` is something else by now.
    fn add_name(&self, permits: [&Permitted<Write>; 2], source: Entity<'_>, name: Name<'_>) -> Result<(), FsError>;

    /// Removes the name of a file or link.
    ///
    /// # Errors
    ///
    /// [`FsError::Busy`] where the name does not belong to `expected` any more.
    fn remove_file(&self, permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError>;

    /// Removes an empty directory.
    ///
    /// # Errors
    ///
    /// [`FsError::NotEmpty`]; [`FsError::Busy`] where the name does not belong to `expected` any more.
    fn remove_directory(&self, permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError>;

    /// Moves `source` to `name` in this directory, in place of what has that name.
    ///
    /// # Errors
    ///
    /// [`FsError::Busy`] where the old name does not belong to the source any more, [`FsError::Invalid`] for a directory that
    /// would go below itself, [`FsError::NotEmpty`], [`FsError::IsDirectory`], [`FsError::NotDirectory`],
    /// [`FsError::CrossDevice`].
    fn move_here(&self, permit: Move<'_>, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError>;
}

/// An object together with the place where it was found.
#[derive(Clone, Copy, Debug)]
pub struct Entity<'a> {
    /// The directory.
    pub parent: &'a dyn Node,
    /// The name there.
    pub name: Name<'a>,
    /// The object.
    pub node: &'a dyn Node,
}

/// An open file. What it was not opened for answers [`FsError::BadDescriptor`].
pub trait File: Send + Sync + Debug {
    /// The identity of the file.
    fn id(&self) -> NodeId;

    /// What is known about it. Whoever could open a file may know.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn stat(&self) -> Result<FileStat, FsError>;

    /// How many bytes it has.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn size(&self) -> Result<u64, FsError>;

    /// Up to `length` bytes from `offset` on; none at the end.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, FsError>;

    /// Writes at `offset`, filling a gap with zeros. Gives how many bytes were taken.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize, FsError>;

    /// As [`File::write_at`], where that is done without waiting for anything. `None` where it is not; then nothing has happened.
    fn write_at_once(&self, _offset: u64, _bytes: &[u8]) -> Option<Result<usize, FsError>> {
        None
    }

    /// Writes at the end. Gives how many bytes were taken.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn append(&self, bytes: &[u8]) -> Result<usize, FsError>;

    /// Cuts the file, or extends it with zeros.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn set_size(&self, size: u64) -> Result<(), FsError>;

    /// Sets times; already checked to be in range.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn set_times(&self, permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError>;

    /// Makes what was written last through a crash of the host, where the store can.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn sync(&self, permit: &Permitted<Write>) -> Result<(), FsError>;
}

/// A directory being read, in batches of bounded size.
pub trait Listing: Send + Debug {
    /// Some more entries, without `.` and `..`, and without what cannot be reached: names that are not UTF-8, devices, pipes,
    /// sockets. `None` at the end; an empty batch is not the end.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn next_batch(&mut self) -> Result<Option<Vec<crate::Entry>>, FsError>;
}
