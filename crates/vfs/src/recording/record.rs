//! A store that notes what crosses.

use std::any::Any;
use std::sync::Arc;

use caplet_policy::{Permitted, Search, Write};

use super::Room;
use super::notes::Notes;
use super::tree::{Number, Op, Tree};
use crate::store::{Access, Entity, Known, Move};
use crate::{
    Entry, EntryKind, File, FileRef, FileStat, FileSystem, FsError, Listing, Name, NewTime, Node, NodeId, NodeRef,
};

/// Another store, whose objects are noted as a guest meets them. For one call.
#[derive(Debug)]
pub struct RecordingStore {
    store: Arc<dyn FileSystem>,
    notes: Arc<Notes>,
}

impl RecordingStore {
    /// Notes what crosses from `store`, in `room`.
    #[must_use]
    pub fn new(store: Arc<dyn FileSystem>, room: &Arc<Room>) -> Self {
        Self { store, notes: Arc::new(Notes::new(Arc::clone(room))) }
    }

    /// What was noted so far. There are no notes afterwards.
    #[must_use]
    pub fn take(&self) -> Tree {
        self.notes.take()
    }
}

impl FileSystem for RecordingStore {
    fn root(&self) -> Result<NodeRef, FsError> {
        let inner = self.store.root().inspect_err(|error| self.notes.broken(error))?;
        let number = self.notes.meet_top(inner.as_ref());
        Ok(Arc::new(RecordingNode { inner, number, notes: Arc::clone(&self.notes) }))
    }

    fn may_block(&self) -> bool {
        self.store.may_block()
    }

    fn describe(&self) -> String {
        self.store.describe()
    }

    fn claim(&self) -> Result<Box<dyn Any + Send + Sync>, FsError> {
        self.store.claim()
    }
}

#[derive(Debug)]
struct RecordingNode {
    inner: NodeRef,
    number: Number,
    notes: Arc<Notes>,
}

impl RecordingNode {
    fn of(node: &dyn Node) -> Result<&Self, FsError> {
        (node as &dyn Any).downcast_ref().ok_or(FsError::CrossDevice)
    }

    fn ended<T>(&self, op: Op, name: &str, done: &Result<T, FsError>) {
        self.notes.ended(self.number, op, name, done.as_ref().err());
    }

    fn file(&self, inner: FileRef, number: Number) -> FileRef {
        Arc::new(RecordingFile { inner, number, notes: Arc::clone(&self.notes) })
    }
}

impl Node for RecordingNode {
    fn kind(&self) -> EntryKind {
        self.inner.kind()
    }

    fn id(&self) -> NodeId {
        self.inner.id()
    }

    fn stat(&self, known: Known<'_>) -> Result<FileStat, FsError> {
        let stat = self.inner.stat(known);
        self.notes.told(self.number, &stat);
        stat
    }

    fn read_link(&self, known: Known<'_>) -> Result<String, FsError> {
        let target = self.inner.read_link(known);
        self.notes.target(self.number, &target);
        target
    }

    fn open(&self, access: Access<'_>) -> Result<FileRef, FsError> {
        let opened = self.inner.open(access);
        self.ended(Op::Open, "", &opened);
        Ok(self.file(opened?, self.number))
    }

    fn set_times(&self, permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        let set = self.inner.set_times(permit, accessed, modified);
        self.ended(Op::Times, "", &set);
        set
    }

    fn sync(&self, permit: &Permitted<Write>) -> Result<(), FsError> {
        let synced = self.inner.sync(permit);
        self.ended(Op::Sync, "", &synced);
        synced
    }

    fn lookup(&self, permit: &Permitted<Search>, name: Name<'_>) -> Result<NodeRef, FsError> {
        match self.inner.lookup(permit, name) {
            Ok(inner) => {
                let number = self.notes.found(self.number, name.as_str(), inner.as_ref());
                Ok(Arc::new(Self { inner, number, notes: Arc::clone(&self.notes) }))
            }
            Err(error) => {
                self.notes.missed(self.number, name.as_str(), &error);
                Err(error)
            }
        }
    }

    fn list(&self, permit: &Permitted<Search>) -> Result<Box<dyn Listing>, FsError> {
        let listing = self.inner.list(permit);
        self.ended(Op::List, "", &listing);
        let inner = listing?;
        let place = (self.number, self.notes.list(self.number));
        Ok(Box::new(RecordingListing { inner, place, notes: Arc::clone(&self.notes) }))
    }

    fn create_file(&self, permit: &Permitted<Write>, name: Name<'_>) -> Result<FileRef, FsError> {
        let created = self.inner.create_file(permit, name);
        self.ended(Op::Create, name.as_str(), &created);
        let inner = created?;
        let number = self.notes.made_file(self.number, name.as_str(), inner.id());
        Ok(self.file(inner, number))
    }

    fn create_directory(&self, permit: &Permitted<Write>, name: Name<'_>) -> Result<(), FsError> {
        let created = self.inner.create_directory(permit, name);
        self.ended(Op::Create, name.as_str(), &created);
        created.map(|()| self.notes.made(self.number, name.as_str(), EntryKind::Directory))
    }

    fn create_link(&self, permit: &Permitted<Write>, name: Name<'_>, target: &str) -> Result<(), FsError> {
        let created = self.inner.create_link(permit, name, target);
        self.ended(Op::Create, name.as_str(), &created);
        created.map(|()| self.notes.made(self.number, name.as_str(), EntryKind::Link))
    }

    fn add_name(&self, permits: [&Permitted<Write>; 2], source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        let (parent, node) = (Self::of(source.parent)?, Self::of(source.node)?);
        let inner = Entity { parent: parent.inner.as_ref(), name: source.name, node: node.inner.as_ref() };
        let added = self.inner.add_name(permits, inner, name);
        self.ended(Op::Create, name.as_str(), &added);
        added.map(|()| self.notes.given(self.number, name.as_str()))
    }

    fn remove_file(&self, permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        let expected = Self::of(expected)?;
        let removed = self.inner.remove_file(permit, name, expected.inner.as_ref());
        self.ended(Op::Remove, name.as_str(), &removed);
        removed.map(|()| self.notes.taken(self.number, name.as_str(), expected.id()))
    }

    fn remove_directory(&self, permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        let expected = Self::of(expected)?;
        let removed = self.inner.remove_directory(permit, name, expected.inner.as_ref());
        self.ended(Op::Remove, name.as_str(), &removed);
        removed.map(|()| self.notes.taken(self.number, name.as_str(), expected.id()))
    }

    fn move_here(&self, permit: Move<'_>, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        let (parent, node) = (Self::of(source.parent)?, Self::of(source.node)?);
        let inner = Entity { parent: parent.inner.as_ref(), name: source.name, node: node.inner.as_ref() };
        let moved = self.inner.move_here(permit, inner, name);
        self.ended(Op::Move, name.as_str(), &moved);
        moved.map(|()| self.notes.moved((parent.number, source.name.as_str()), (self.number, name.as_str())))
    }
}

#[derive(Debug)]
struct RecordingFile {
    inner: FileRef,
    number: Number,
    notes: Arc<Notes>,
}

impl RecordingFile {
    /// Makes sure that the length of the file is known before the guest changes it.
    fn measure(&self) {
        if !self.notes.has_size(self.number)
            && let Ok(size) = self.inner.size()
        {
            self.notes.size(self.number, size);
        }
    }

    fn wrote(&self, offset: u64, written: &Result<usize, FsError>) {
        self.notes.ended(self.number, Op::Write, "", written.as_ref().err());
        if let Ok(written) = written {
            let end = offset.saturating_add(u64::try_from(*written).unwrap_or(u64::MAX));
            self.notes.wrote(self.number, offset, end);
        }
    }
}

impl File for RecordingFile {
    fn id(&self) -> NodeId {
        self.inner.id()
    }

    fn stat(&self) -> Result<FileStat, FsError> {
        let stat = self.inner.stat();
        self.notes.told(self.number, &stat);
        stat
    }

    fn size(&self) -> Result<u64, FsError> {
        let size = self.inner.size()?;
        self.notes.size(self.number, size);
        Ok(size)
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, FsError> {
        let read = self.inner.read_at(offset, length);
        match &read {
            Ok(bytes) if bytes.is_empty() => self.measure(),
            Ok(bytes) => self.notes.read(self.number, offset, length, bytes),
            Err(_) => {}
        }
        self.notes.ended(self.number, Op::Read, "", read.as_ref().err());
        read
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize, FsError> {
        self.measure();
        let written = self.inner.write_at(offset, bytes);
        self.wrote(offset, &written);
        written
    }

    fn write_at_once(&self, offset: u64, bytes: &[u8]) -> Option<Result<usize, FsError>> {
        if !self.notes.has_size(self.number) {
            return None;
        }
        let written = self.inner.write_at_once(offset, bytes)?;
        self.wrote(offset, &written);
        Some(written)
    }

    fn append(&self, bytes: &[u8]) -> Result<usize, FsError> {
        self.measure();
        let written = self.inner.append(bytes);
        self.notes.ended(self.number, Op::Write, "", written.as_ref().err());
        if let Ok(written) = written {
            self.notes.appended(self.number, written);
        }
        written
    }

    fn set_size(&self, size: u64) -> Result<(), FsError> {
        self.measure();
        let resized = self.inner.set_size(size);
        self.notes.ended(self.number, Op::Resize, "", resized.as_ref().err());
        resized.map(|()| self.notes.resized(self.number, size))
    }

    fn set_times(&self, permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        let set = self.inner.set_times(permit, accessed, modified);
        self.notes.ended(self.number, Op::Times, "", set.as_ref().err());
        set
    }

    fn sync(&self, permit: &Permitted<Write>) -> Result<(), FsError> {
        let synced = self.inner.sync(permit);
        self.notes.ended(self.number, Op::Sync, "", synced.as_ref().err());
        synced
    }
}

#[derive(Debug)]
struct RecordingListing {
    inner: Box<dyn Listing>,
    place: (Number, usize),
    notes: Arc<Notes>,
}

impl Listing for RecordingListing {
    fn next_batch(&mut self) -> Result<Option<Vec<Entry>>, FsError> {
        let next = self.inner.next_batch();
        self.notes.listed(self.place, &next);
        next
    }
}
