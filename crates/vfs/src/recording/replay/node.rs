//! The primitives of a store on what was noted.

use std::any::Any;
use std::sync::{Arc, MutexGuard, PoisonError};

use caplet_policy::{Permitted, Search, Write};

use super::super::fault;
use super::super::tree::{Found, Kind, Listed, Met, Op};
use super::Shared;
use super::file::ReplayFile;
use super::inode::{Entry, Inode};
use crate::store::{Access, Entity, Known, Move};
use crate::{EntryKind, FileRef, FileStat, FsError, Listing, Name, NewTime, Node, NodeId, NodeRef};

/// How many entries one batch of a listing has.
const BATCH_ENTRIES: usize = 256;

/// A handle of an object.
#[derive(Debug)]
pub(super) struct ReplayNode {
    shared: Arc<Shared>,
    inode: Arc<Inode>,
}

impl ReplayNode {
    pub(super) fn new(shared: &Arc<Shared>, inode: Arc<Inode>) -> Self {
        Self { shared: Arc::clone(shared), inode }
    }

    fn ours<'n>(&self, node: &'n dyn Node) -> Result<&'n Self, FsError> {
        let node: &Self = (node as &dyn Any).downcast_ref().ok_or(FsError::CrossDevice)?;
        if Arc::ptr_eq(&self.shared, &node.shared) { Ok(node) } else { Err(FsError::CrossDevice) }
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn facts(&self) -> Option<&Met> {
        self.shared.facts(self.inode.number)
    }

    fn must_be_directory(&self) -> Result<(), FsError> {
        match self.inode.kind {
            EntryKind::Directory => Ok(()),
            EntryKind::File | EntryKind::Link => Err(FsError::NotDirectory),
        }
    }

    /// What `name` is; nothing where that is not known.
    fn child(&self, name: &str) -> Option<Result<Arc<Inode>, FsError>> {
        match self.inode.lock().entries.get(name) {
            Some(Entry::Here(inode, _)) => return Some(Ok(Arc::clone(inode))),
            Some(Entry::Taken) => return Some(Err(FsError::NoEntry)),
            None if self.inode.is_own => return Some(Err(FsError::NoEntry)),
            None => {}
        }
        let facts = self.facts()?;
        let inode = match facts.names.get(name) {
            Some(Found::Absent) => return Some(Err(FsError::NoEntry)),
            Some(Found::Fault(word)) => return Some(Err(fault::error(word))),
            Some(Found::Node(number)) => self.shared.inode(*number)?,
            None => {
                let listed = facts.listings.iter().find(|listed| listed.is_whole)?;
                match listed.entries.iter().find(|entry| entry.0 == name && !entry.2) {
                    Some(entry) => self.shared.shell(entry.1.into()),
                    None => return Some(Err(FsError::NoEntry)),
                }
            }
        };
        self.inode.lock().entries.insert(name.to_owned(), Entry::Here(Arc::clone(&inode), false));
        Some(Ok(inode))
    }

    /// Whether nothing is known to be in the directory.
    fn looks_empty(&self) -> bool {
        let state = self.inode.lock();
        if state.entries.values().any(|entry| matches!(entry, Entry::Here(..))) {
            return false;
        }
        let Some(facts) = self.facts().filter(|_| !self.inode.is_own) else { return true };
        let is_there = |name: &String| !state.entries.contains_key(name);
        let named = facts.names.iter().filter(|(_, found)| matches!(found, Found::Node(_))).map(|(name, _)| name);
        let listed = facts.listings.first().into_iter().flat_map(|listed| &listed.entries);
        !named.chain(listed.filter(|entry| !entry.2).map(|entry| &entry.0)).any(is_there)
    }

    /// The object of `name`, which must be the expected one.
    fn still(&self, name: Name<'_>, expected: &Self) -> Result<Arc<Inode>, FsError> {
        let inode = self.child(name.as_str()).ok_or(FsError::NoEntry)??;
        if Arc::ptr_eq(&inode, &expected.inode) { Ok(inode) } else { Err(FsError::Busy) }
    }

    fn is_taken(&self, name: Name<'_>) -> bool {
        matches!(self.child(name.as_str()), Some(Ok(_)))
    }

    fn enter(&self, name: Name<'_>, inode: Arc<Inode>) -> Result<(), FsError> {
        let mut state = self.inode.lock();
        if state.is_gone {
            return Err(FsError::NoEntry);
        }
        state.entries.insert(name.as_str().to_owned(), Entry::Here(inode, true));
        Ok(())
    }

    fn leave(&self, name: Name<'_>) {
        self.inode.lock().entries.insert(name.as_str().to_owned(), Entry::Taken);
    }

    fn make(&self, kind: Kind, name: Name<'_>, target: Option<&str>) -> Result<Arc<Inode>, FsError> {
        self.must_be_directory()?;
        self.inode.begin(&self.shared, Op::Create, name.as_str())?;
        let _changing = self.changing();
        if self.is_taken(name) {
            return Err(FsError::Exists);
        }
        let inode = self.shared.make(kind, name.as_str(), target);
        self.enter(name, Arc::clone(&inode))?;
        Ok(inode)
    }

    /// The entries of the `nth` reading, as they were then, with what the guest has done to them since.
    fn listed(&self, nth: usize) -> Option<(Vec<crate::Entry>, &Listed)> {
        let listings = &self.facts()?.listings;
        let listed = listings.get(nth).or(listings.last())?;
        let state = self.inode.lock();
        let shown = |entry: &&super::super::tree::ListedEntry| match state.entries.get(&entry.0) {
            Some(Entry::Here(_, is_own)) => *is_own || !entry.2,
            Some(Entry::Taken) => false,
            None => !entry.2 && !self.inode.is_own,
        };
        let entries = listed.entries.iter().filter(shown);
        let mut entries: Vec<_> =
            entries.map(|entry| crate::Entry { kind: entry.1.into(), name: entry.0.clone() }).collect();
        entries.extend(state.own().filter(|own| !listed.entries.iter().any(|entry| entry.0 == own.name)));
        Some((entries, listed))
    }
}

impl super::inode::State {
    /// What the guest put into the directory, in the order of names.
    fn own(&self) -> impl Iterator<Item = crate::Entry> {
        self.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Here(inode, true) => Some(crate::Entry { kind: inode.kind, name: name.clone() }),
            Entry::Here(_, false) | Entry::Taken => None,
        })
    }
}

impl Node for ReplayNode {
    fn kind(&self) -> EntryKind {
        self.inode.kind
    }

    fn id(&self) -> NodeId {
        self.inode.id
    }

    fn stat(&self, known: Known<'_>) -> Result<FileStat, FsError> {
        self.inode.stat(&self.shared, || path_of(known))
    }

    fn read_link(&self, known: Known<'_>) -> Result<String, FsError> {
        if self.inode.kind != EntryKind::Link {
            return Err(FsError::Invalid);
        }
        if let Some(target) = &self.inode.lock().target {
            return Ok(target.clone());
        }
        match self.facts().and_then(|facts| facts.target.as_ref()) {
            Some(target) => target.clone().map_err(|word| fault::error(&word)),
            None => {
                self.shared.unknown.note(format!("read {}", path_of(known)));
                Err(FsError::Io)
            }
        }
    }

    fn open(&self, access: Access<'_>) -> Result<FileRef, FsError> {
        match self.inode.kind {
            EntryKind::File => {}
            EntryKind::Directory => return Err(FsError::IsDirectory),
            EntryKind::Link => return Err(FsError::Loop),
        }
        self.inode.begin(&self.shared, Op::Open, "")?;
        let path = match access {
            Access::Read(read) | Access::Both(read, _) => read.op().0.to_string(),
            Access::Write(write) => write.op().0.to_string(),
        };
        let (shared, inode) = (Arc::clone(&self.shared), Arc::clone(&self.inode));
        Ok(Arc::new(ReplayFile { shared, inode, path, reads: access.reads(), writes: access.writes() }))
    }

    fn set_times(&self, _permit: &Permitted<Write>, _accessed: NewTime, _modified: NewTime) -> Result<(), FsError> {
        self.inode.begin(&self.shared, Op::Times, "")
    }

    fn sync(&self, _permit: &Permitted<Write>) -> Result<(), FsError> {
        self.inode.begin(&self.shared, Op::Sync, "")
    }

    fn lookup(&self, permit: &Permitted<Search>, name: Name<'_>) -> Result<NodeRef, FsError> {
        self.must_be_directory()?;
        match self.child(name.as_str()) {
            Some(found) => Ok(Arc::new(Self::new(&self.shared, found?))),
            None => {
                let path = permit.op().0.join(name.as_str());
                self.shared
                    .unknown
                    .note(path.map_or_else(|_| String::from("a path that is too long"), |path| format!("find {path}")));
                Err(FsError::NoEntry)
            }
        }
    }

    fn list(&self, permit: &Permitted<Search>) -> Result<Box<dyn Listing>, FsError> {
        self.must_be_directory()?;
        self.inode.begin(&self.shared, Op::List, "")?;
        let nth = {
            let mut state = self.inode.lock();
            state.listings += 1;
            state.listings - 1
        };
        let (entries, then) = match self.listed(nth) {
            Some((entries, listed)) => {
                let fault = listed.fault.as_deref().map(fault::error);
                (entries, fault.or((!listed.is_whole).then_some(FsError::Io)))
            }
            None if self.inode.is_own => (self.inode.lock().own().collect(), None),
            None => {
                self.shared.unknown.note(format!("list {}", permit.op().0));
                return Err(FsError::Io);
            }
        };
        Ok(Box::new(ReplayListing { entries: entries.into_iter(), then }))
    }

    fn create_file(&self, permit: &Permitted<Write>, name: Name<'_>) -> Result<FileRef, FsError> {
        let inode = self.make(Kind::File, name, None)?;
        let path = permit.op().0.to_string();
        Ok(Arc::new(ReplayFile { shared: Arc::clone(&self.shared), inode, path, reads: true, writes: true }))
    }

    fn create_directory(&self, _permit: &Permitted<Write>, name: Name<'_>) -> Result<(), FsError> {
        self.make(Kind::Directory, name, None).map(drop)
    }

    fn create_link(&self, _permit: &Permitted<Write>, name: Name<'_>, target: &str) -> Result<(), FsError> {
        self.make(Kind::Link, name, Some(target)).map(drop)
    }

    fn add_name(&self, _permits: [&Permitted<Write>; 2], source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        self.must_be_directory()?;
        self.inode.begin(&self.shared, Op::Create, name.as_str())?;
        let (parent, node) = (self.ours(source.parent)?, self.ours(source.node)?);
        let _changing = self.changing();
        let inode = parent.still(source.name, node)?;
        match inode.kind {
            EntryKind::Directory => Err(FsError::IsDirectory),
            _ if self.is_taken(name) => Err(FsError::Exists),
            _ => self.enter(name, inode),
        }
    }

    fn remove_file(&self, _permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        self.must_be_directory()?;
        self.inode.begin(&self.shared, Op::Remove, name.as_str())?;
        let expected = self.ours(expected)?;
        let _changing = self.changing();
        match self.still(name, expected)?.kind {
            EntryKind::Directory => Err(FsError::IsDirectory),
            EntryKind::File | EntryKind::Link => {
                self.leave(name);
                Ok(())
            }
        }
    }

    fn remove_directory(&self, _permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        self.must_be_directory()?;
        self.inode.begin(&self.shared, Op::Remove, name.as_str())?;
        let expected = self.ours(expected)?;
        let _changing = self.changing();
        self.still(name, expected)?;
        expected.must_be_directory()?;
        if !expected.looks_empty() {
            return Err(FsError::NotEmpty);
        }
        expected.inode.lock().is_gone = true;
        self.leave(name);
        Ok(())
    }

    fn move_here(&self, _permit: Move<'_>, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        self.must_be_directory()?;
        self.inode.begin(&self.shared, Op::Move, name.as_str())?;
        let (parent, node) = (self.ours(source.parent)?, self.ours(source.node)?);
        let _changing = self.changing();
        let inode = parent.still(source.name, node)?;
        if inode.kind == EntryKind::Directory && inode.holds(&self.inode) {
            return Err(FsError::Invalid);
        }
        if let Some(Ok(replaced)) = self.child(name.as_str()) {
            if Arc::ptr_eq(&replaced, &inode) {
                return Ok(());
            }
            make_way(inode.kind, &Self::new(&self.shared, replaced))?;
        }
        self.enter(name, inode)?;
        parent.leave(source.name);
        Ok(())
    }
}

/// Makes room for something of `kind`, in place of what is there.
fn make_way(kind: EntryKind, replaced: &ReplayNode) -> Result<(), FsError> {
    match (kind, replaced.inode.kind) {
        (EntryKind::Directory, EntryKind::Directory) if !replaced.looks_empty() => Err(FsError::NotEmpty),
        (EntryKind::Directory, EntryKind::Directory) => {
            replaced.inode.lock().is_gone = true;
            Ok(())
        }
        (EntryKind::Directory, EntryKind::File | EntryKind::Link) => Err(FsError::NotDirectory),
        (_, EntryKind::Directory) => Err(FsError::IsDirectory),
        (_, EntryKind::File | EntryKind::Link) => Ok(()),
    }
}

fn path_of(known: Known<'_>) -> String {
    match known {
        Known::Search(permit) => permit.op().0.to_string(),
        Known::Read(permit) => permit.op().0.to_string(),
        Known::Write(permit) => permit.op().0.to_string(),
    }
}

/// A directory being read again.
#[derive(Debug)]
struct ReplayListing {
    entries: std::vec::IntoIter<crate::Entry>,
    /// What comes after the last one that is known.
    then: Option<FsError>,
}

impl Listing for ReplayListing {
    fn next_batch(&mut self) -> Result<Option<Vec<crate::Entry>>, FsError> {
        let batch: Vec<crate::Entry> = self.entries.by_ref().take(BATCH_ENTRIES).collect();
        match self.then.clone() {
            _ if !batch.is_empty() => Ok(Some(batch)),
            Some(error) => Err(error),
            None => Ok(None),
        }
    }
}
