//! The primitives of a store on the tree.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, RwLock};

use caplet_policy::{Permitted, Search, Write};

use super::content::{Content, end_of};
use super::inode::{Body, Directory, Inode, entry_cost, read, write};
use crate::store::{Access, Entity, Known, Move};
use crate::{Entry, EntryKind, File, FileRef, FileStat, FsError, Listing, Name, NewTime, Node, NodeId, NodeRef};

/// How many entries one batch of a listing has.
const BATCH_ENTRIES: usize = 256;

/// A handle of an object.
#[derive(Debug)]
pub(super) struct MemoryNode {
    inode: Arc<Inode>,
}

impl MemoryNode {
    pub(super) fn new(inode: Arc<Inode>) -> Self {
        Self { inode }
    }

    /// Enters `inode`, which is new, under `name`.
    fn enter(&self, name: Name<'_>, inode: Arc<Inode>) -> Result<(), FsError> {
        let mut guard = self.inode.as_directory()?.write();
        let entries = guard.as_mut().ok_or(FsError::NoEntry)?;
        if entries.contains_key(name.as_str()) {
            return Err(FsError::Exists);
        }
        self.inode.shared.take(entry_cost(name.as_str()))?;
        entries.insert(name.as_str().to_owned(), inode);
        drop(guard);
        self.inode.modified();
        Ok(())
    }

    /// Takes the entry `name` out.
    fn leave(&self, name: Name<'_>) -> Result<(), FsError> {
        let mut guard = self.inode.as_directory()?.write();
        let removed = guard.as_mut().and_then(|entries| entries.remove(name.as_str()));
        drop(guard);
        removed.ok_or(FsError::NoEntry)?;
        self.inode.shared.give_back(entry_cost(name.as_str()));
        self.inode.modified();
        Ok(())
    }

    /// The object of `name`, which must still be the expected one.
    fn still(&self, name: Name<'_>, expected: &Self) -> Result<Arc<Inode>, FsError> {
        let inode = self.inode.as_directory()?.get(name.as_str())?;
        if Arc::ptr_eq(&inode, &expected.inode) { Ok(inode) } else { Err(FsError::Busy) }
    }

    fn ours<'n>(&self, node: &'n dyn Node) -> Result<&'n Self, FsError> {
        let node: &Self = (node as &dyn Any).downcast_ref().ok_or(FsError::CrossDevice)?;
        if Arc::ptr_eq(&self.inode.shared, &node.inode.shared) { Ok(node) } else { Err(FsError::CrossDevice) }
    }

    /// Whether this directory is `inode` or lies below it.
    fn is_below(&self, inode: &Arc<Inode>) -> bool {
        let mut here = Some(Arc::clone(&self.inode));
        while let Some(directory) = here {
            if Arc::ptr_eq(&directory, inode) {
                return true;
            }
            here = directory.as_directory().ok().and_then(Directory::parent);
        }
        false
    }

    /// Makes room for `moved`, in place of what is there.
    fn make_way(moved: &Inode, replaced: &Inode) -> Result<(), FsError> {
        match (moved.kind(), &replaced.body) {
            (EntryKind::Directory, Body::Directory(directory)) => directory.retire(),
            (EntryKind::Directory, Body::File(_) | Body::Link(_)) => Err(FsError::NotDirectory),
            (_, Body::Directory(_)) => Err(FsError::IsDirectory),
            (_, Body::File(_) | Body::Link(_)) => {
                replaced.named_once_less();
                Ok(())
            }
        }
    }

    /// Gives `inode` the name `name` here, in place of what has it.
    fn put(&self, name: Name<'_>, inode: &Arc<Inode>) -> Result<(), FsError> {
        let mut guard = self.inode.as_directory()?.write();
        let entries: &mut BTreeMap<_, _> = guard.as_mut().ok_or(FsError::NoEntry)?;
        let replaced = match entries.get(name.as_str()) {
            Some(replaced) => {
                Self::make_way(inode, replaced)?;
                entries.insert(name.as_str().to_owned(), Arc::clone(inode))
            }
            None => {
                self.inode.shared.take(entry_cost(name.as_str()))?;
                entries.insert(name.as_str().to_owned(), Arc::clone(inode))
            }
        };
        drop(guard);
        // Outside of the lock: this may let go of a large file.
        drop(replaced);
        self.inode.modified();
        Ok(())
    }
}

impl Node for MemoryNode {
    fn kind(&self) -> EntryKind {
        self.inode.kind()
    }

    fn id(&self) -> NodeId {
        NodeId(0, self.inode.id)
    }

    fn stat(&self, _known: Known<'_>) -> Result<FileStat, FsError> {
        Ok(self.inode.stat())
    }

    fn read_link(&self, _known: Known<'_>) -> Result<String, FsError> {
        match &self.inode.body {
            Body::Link(target) => Ok(target.clone()),
            Body::File(_) | Body::Directory(_) => Err(FsError::Invalid),
        }
    }

    fn open(&self, access: Access<'_>) -> Result<FileRef, FsError> {
        match self.inode.body {
            Body::File(_) => {}
            Body::Directory(_) => return Err(FsError::IsDirectory),
            Body::Link(_) => return Err(FsError::Loop),
        }
        let inode = Arc::clone(&self.inode);
        Ok(Arc::new(MemoryFile { inode, reads: access.reads(), writes: access.writes() }))
    }

    fn set_times(&self, _permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        self.inode.touch(accessed, modified);
        Ok(())
    }

    fn sync(&self, _permit: &Permitted<Write>) -> Result<(), FsError> {
        self.inode.as_directory().map(drop)
    }

    fn lookup(&self, _permit: &Permitted<Search>, name: Name<'_>) -> Result<NodeRef, FsError> {
        Ok(Arc::new(Self::new(self.inode.as_directory()?.get(name.as_str())?)))
    }

    fn list(&self, _permit: &Permitted<Search>) -> Result<Box<dyn Listing>, FsError> {
        self.inode.as_directory()?;
        Ok(Box::new(MemoryListing { inode: Arc::clone(&self.inode), after: None }))
    }

    fn create_file(&self, _permit: &Permitted<Write>, name: Name<'_>) -> Result<FileRef, FsError> {
        let _changing = self.inode.shared.changing();
        let inode = Inode::file(&self.inode.shared);
        self.enter(name, Arc::clone(&inode))?;
        Ok(Arc::new(MemoryFile { inode, reads: true, writes: true }))
    }

    fn create_directory(&self, _permit: &Permitted<Write>, name: Name<'_>) -> Result<(), FsError> {
        let _changing = self.inode.shared.changing();
        let inode = Inode::directory(&self.inode.shared);
        inode.as_directory()?.set_parent(&self.inode);
        self.enter(name, inode)
    }

    fn create_link(&self, _permit: &Permitted<Write>, name: Name<'_>, target: &str) -> Result<(), FsError> {
        let _changing = self.inode.shared.changing();
        self.enter(name, Inode::link(&self.inode.shared, target)?)
    }

    fn add_name(&self, _permits: [&Permitted<Write>; 2], source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        let (parent, node) = (self.ours(source.parent)?, self.ours(source.node)?);
        let _changing = self.inode.shared.changing();
        let inode = parent.still(source.name, node)?;
        if inode.kind() == EntryKind::Directory {
            return Err(FsError::IsDirectory);
        }
        self.enter(name, Arc::clone(&inode))?;
        inode.named_once_more();
        Ok(())
    }

    fn remove_file(&self, _permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        let expected = self.ours(expected)?;
        let _changing = self.inode.shared.changing();
        let inode = self.still(name, expected)?;
        if inode.kind() == EntryKind::Directory {
            return Err(FsError::IsDirectory);
        }
        self.leave(name)?;
        inode.named_once_less();
        Ok(())
    }

    fn remove_directory(&self, _permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        let expected = self.ours(expected)?;
        let _changing = self.inode.shared.changing();
        self.still(name, expected)?.as_directory()?.retire()?;
        self.leave(name)
    }

    fn move_here(&self, _permit: Move<'_>, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        let (parent, node) = (self.ours(source.parent)?, self.ours(source.node)?);
        let _changing = self.inode.shared.changing();
        let inode = parent.still(source.name, node)?;
        if inode.kind() == EntryKind::Directory && self.is_below(&inode) {
            return Err(FsError::Invalid);
        }
        if self.inode.as_directory()?.get(name.as_str()).is_ok_and(|there| Arc::ptr_eq(&there, &inode)) {
            return Ok(());
        }
        // First the new name, then the old one: who looks meanwhile finds both rather than none.
        self.put(name, &inode)?;
        if let Ok(directory) = inode.as_directory() {
            directory.set_parent(&self.inode);
        }
        inode.touch(NewTime::Keep, NewTime::Keep);
        parent.leave(source.name)
    }
}

/// An open file.
#[derive(Debug)]
struct MemoryFile {
    inode: Arc<Inode>,
    reads: bool,
    writes: bool,
}

impl MemoryFile {
    fn content(&self, allowed: bool) -> Result<&RwLock<Content>, FsError> {
        match &self.inode.body {
            Body::File(content) if allowed => Ok(content),
            Body::File(_) | Body::Directory(_) | Body::Link(_) => Err(FsError::BadDescriptor),
        }
    }

    /// Writes where `place` says, given the size of the file.
    fn write_where(&self, bytes: &[u8], place: impl FnOnce(u64) -> u64) -> Result<usize, FsError> {
        let mut content = write(self.content(self.writes)?);
        let offset = place(content.size());
        let end = end_of(offset, bytes.len());
        self.inode.shared.take(end.saturating_sub(content.size()))?;
        content.write(offset, bytes);
        drop(content);
        self.inode.modified();
        Ok(bytes.len())
    }
}

impl File for MemoryFile {
    fn id(&self) -> NodeId {
        NodeId(0, self.inode.id)
    }

    fn stat(&self) -> Result<FileStat, FsError> {
        Ok(self.inode.stat())
    }

    fn size(&self) -> Result<u64, FsError> {
        Ok(self.inode.stat().size)
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, FsError> {
        let content = self.content(self.reads)?;
        if i64::try_from(offset).is_err() {
            return Err(FsError::Invalid);
        }
        Ok(read(content).read(offset, length))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize, FsError> {
        self.write_where(bytes, |_| offset)
    }

    fn append(&self, bytes: &[u8]) -> Result<usize, FsError> {
        self.write_where(bytes, |size| size)
    }

    fn set_size(&self, size: u64) -> Result<(), FsError> {
        let mut content = write(self.content(self.writes)?);
        let before = content.size();
        self.inode.shared.take(size.saturating_sub(before))?;
        content.set_size(size);
        self.inode.shared.give_back(before.saturating_sub(size));
        drop(content);
        self.inode.modified();
        Ok(())
    }

    fn set_times(&self, _permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        self.inode.touch(accessed, modified);
        Ok(())
    }

    fn sync(&self, _permit: &Permitted<Write>) -> Result<(), FsError> {
        Ok(())
    }
}

/// A directory being read, in the order of names. It goes on after the last name, so changes meanwhile do not repeat or lose others.
#[derive(Debug)]
struct MemoryListing {
    inode: Arc<Inode>,
    after: Option<String>,
}

impl Listing for MemoryListing {
    fn next_batch(&mut self) -> Result<Option<Vec<Entry>>, FsError> {
        let from = match &self.after {
            Some(name) => Bound::Excluded(name.as_str()),
            None => Bound::Unbounded,
        };
        let entries = self.inode.as_directory()?.read();
        let Some(entries) = entries.as_ref() else { return Ok(None) };
        let batch: Vec<Entry> = entries
            .range::<str, _>((from, Bound::Unbounded))
            .take(BATCH_ENTRIES)
            .map(|(name, inode)| Entry { kind: inode.kind(), name: name.clone() })
            .collect();
        self.after = match batch.last() {
            Some(last) => Some(last.name.clone()),
            None => return Ok(None),
        };
        Ok(Some(batch))
    }
}
