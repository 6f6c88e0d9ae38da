//! The primitives of a store on the tables.

use std::any::Any;
use std::sync::Arc;

use caplet_policy::{Permitted, Search, Write};
use rusqlite::Connection;

use super::Store;
use super::change::Change;
use super::gather::Place;
use super::inode::New;
use super::shared::Handle;
use super::{content, inode, tree};
use crate::store::{Access, Entity, Known, Move};
use crate::{Entry, EntryKind, File, FileRef, FileStat, FsError, Listing, Name, NewTime, Node, NodeId, NodeRef};

/// A handle of an object.
#[derive(Debug)]
pub(super) struct SqliteNode {
    handle: Handle,
    kind: EntryKind,
}

impl SqliteNode {
    /// Only with the connection held.
    pub(super) fn new(store: &Arc<Store>, id: i64, kind: EntryKind) -> Self {
        Self { handle: Handle::new(store, id), kind }
    }

    fn directory(&self) -> Result<i64, FsError> {
        if self.kind == EntryKind::Directory { Ok(self.handle.id) } else { Err(FsError::NotDirectory) }
    }

    fn ours<'n>(&self, node: &'n dyn Node) -> Result<&'n Self, FsError> {
        let node: &Self = (node as &dyn Any).downcast_ref().ok_or(FsError::CrossDevice)?;
        let same = Arc::ptr_eq(&self.handle.store.shared, &node.handle.store.shared);
        if same { Ok(node) } else { Err(FsError::CrossDevice) }
    }

    /// Where an object was found, and which it was.
    fn place<'n>(&self, source: Entity<'n>) -> Result<(i64, &'n str, i64), FsError> {
        let (parent, node) = (self.ours(source.parent)?, self.ours(source.node)?);
        Ok((parent.directory()?, source.name.as_str(), node.handle.id))
    }
}

impl Handle {
    fn read<T>(&self, act: impl FnOnce(&Connection) -> Result<T, FsError>) -> Result<T, FsError> {
        self.store.shared.read(act)
    }

    fn read_file<T>(&self, act: impl FnOnce(&Connection) -> Result<T, FsError>) -> Result<T, FsError> {
        self.store.shared.read_file(self.id, act)
    }

    fn change<T>(&self, act: impl FnOnce(&mut Change<'_>) -> Result<T, FsError>) -> Result<T, FsError> {
        self.store.shared.change(self.store.quota.ok_or(FsError::ReadOnly)?, act)
    }

    fn sync(&self) -> Result<(), FsError> {
        self.store.quota.ok_or(FsError::ReadOnly)?;
        self.store.shared.sync()
    }

    fn identity(&self) -> NodeId {
        NodeId(0, self.id.unsigned_abs())
    }
}

impl Node for SqliteNode {
    fn kind(&self) -> EntryKind {
        self.kind
    }

    fn id(&self) -> NodeId {
        self.handle.identity()
    }

    fn stat(&self, _known: Known<'_>) -> Result<FileStat, FsError> {
        self.handle.read(|connection| inode::stat(connection, self.handle.id))
    }

    fn read_link(&self, _known: Known<'_>) -> Result<String, FsError> {
        match self.kind {
            EntryKind::Link => self.handle.read(|connection| inode::target(connection, self.handle.id)),
            EntryKind::File | EntryKind::Directory => Err(FsError::Invalid),
        }
    }

    fn open(&self, access: Access<'_>) -> Result<FileRef, FsError> {
        let handle = self.handle.clone();
        match self.kind {
            EntryKind::File => Ok(Arc::new(SqliteFile { handle, reads: access.reads(), writes: access.writes() })),
            EntryKind::Directory => Err(FsError::IsDirectory),
            EntryKind::Link => Err(FsError::Loop),
        }
    }

    fn set_times(&self, _permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        self.handle.change(|change| inode::touch(change, self.handle.id, accessed, modified))
    }

    fn sync(&self, _permit: &Permitted<Write>) -> Result<(), FsError> {
        self.directory()?;
        self.handle.sync()
    }

    fn lookup(&self, _permit: &Permitted<Search>, name: Name<'_>) -> Result<NodeRef, FsError> {
        let directory = self.directory()?;
        self.handle.read(|connection| {
            let (id, kind) = tree::lookup(connection, directory, name.as_str())?;
            Ok(Arc::new(Self::new(&self.handle.store, id, kind)) as NodeRef)
        })
    }

    fn list(&self, _permit: &Permitted<Search>) -> Result<Box<dyn Listing>, FsError> {
        self.directory()?;
        Ok(Box::new(SqliteListing { handle: self.handle.clone(), after: String::new() }))
    }

    fn create_file(&self, _permit: &Permitted<Write>, name: Name<'_>) -> Result<FileRef, FsError> {
        let directory = self.directory()?;
        let store = &self.handle.store;
        let handle = self.handle.change(|change| {
            let id = tree::make(change, directory, name.as_str(), New::File)?;
            Ok(Handle::new(store, id))
        })?;
        Ok(Arc::new(SqliteFile { handle, reads: true, writes: true }))
    }

    fn create_directory(&self, _permit: &Permitted<Write>, name: Name<'_>) -> Result<(), FsError> {
        let parent = self.directory()?;
        self.handle.change(|change| tree::make(change, parent, name.as_str(), New::Directory { parent }).map(drop))
    }

    fn create_link(&self, _permit: &Permitted<Write>, name: Name<'_>, target: &str) -> Result<(), FsError> {
        let directory = self.directory()?;
        if target.len() > crate::MAX_PATH_BYTES {
            return Err(FsError::NameTooLong);
        }
        self.handle.change(|change| tree::make(change, directory, name.as_str(), New::Link { target }).map(drop))
    }

    fn add_name(&self, _permits: [&Permitted<Write>; 2], source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        let (from, directory) = (self.place(source)?, self.directory()?);
        self.handle.change(|change| tree::add_name(change, from, (directory, name.as_str())))
    }

    fn remove_file(&self, _permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        let from = (self.directory()?, name.as_str(), self.ours(expected)?.handle.id);
        self.handle.change(|change| tree::remove_file(change, from))
    }

    fn remove_directory(&self, _permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        let from = (self.directory()?, name.as_str(), self.ours(expected)?.handle.id);
        self.handle.change(|change| tree::remove_directory(change, from))
    }

    fn move_here(&self, _permit: Move<'_>, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        let (from, directory) = (self.place(source)?, self.directory()?);
        self.handle.change(|change| tree::rename(change, from, (directory, name.as_str())))
    }
}

/// An open file.
#[derive(Debug)]
struct SqliteFile {
    handle: Handle,
    reads: bool,
    writes: bool,
}

impl SqliteFile {
    fn write_where(&self, bytes: &[u8], place: Place) -> Result<usize, FsError> {
        allowed(self.writes)?;
        let store = &self.handle.store;
        store.shared.write(store.quota.ok_or(FsError::ReadOnly)?, self.handle.id, bytes, place)
    }
}

fn allowed(opened_for_this: bool) -> Result<(), FsError> {
    if opened_for_this { Ok(()) } else { Err(FsError::BadDescriptor) }
}

impl File for SqliteFile {
    fn id(&self) -> NodeId {
        self.handle.identity()
    }

    fn stat(&self) -> Result<FileStat, FsError> {
        self.handle.read_file(|connection| inode::stat(connection, self.handle.id))
    }

    fn size(&self) -> Result<u64, FsError> {
        self.handle.store.shared.size(self.handle.id)
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, FsError> {
        allowed(self.reads)?;
        self.handle.read_file(|connection| content::read(connection, self.handle.id, offset, length))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize, FsError> {
        self.write_where(bytes, Place::At(offset))
    }

    fn write_at_once(&self, offset: u64, bytes: &[u8]) -> Option<Result<usize, FsError>> {
        let store = &self.handle.store;
        let quota = store.quota.filter(|_| self.writes)?;
        store.shared.write_at_once(quota, self.handle.id, bytes, Place::At(offset))
    }

    fn append(&self, bytes: &[u8]) -> Result<usize, FsError> {
        self.write_where(bytes, Place::End)
    }

    fn set_size(&self, size: u64) -> Result<(), FsError> {
        allowed(self.writes)?;
        self.handle.change(|change| content::set_size(change, self.handle.id, size))
    }

    fn set_times(&self, _permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        self.handle.change(|change| inode::touch(change, self.handle.id, accessed, modified))
    }

    fn sync(&self, _permit: &Permitted<Write>) -> Result<(), FsError> {
        self.handle.sync()
    }
}

/// A directory being read, in the order of names. It goes on after the last name, so changes meanwhile do not repeat or lose others.
#[derive(Debug)]
struct SqliteListing {
    handle: Handle,
    /// Every name comes after the empty one.
    after: String,
}

impl Listing for SqliteListing {
    fn next_batch(&mut self) -> Result<Option<Vec<Entry>>, FsError> {
        let batch = self.handle.read(|connection| tree::list(connection, self.handle.id, &self.after))?;
        Ok(batch.last().map(|last| last.name.clone()).map(|last| {
            self.after = last;
            batch
        }))
    }
}
