//! The primitives of a store on an overlay.

use std::any::Any;
use std::sync::Arc;

use caplet_policy::{Permitted, Search, Write};

use super::copy::WHOLE;
use super::file::OverlayFile;
use super::list::OverlayListing;
use super::shared::Shared;
use super::spot::Core;
use super::view::View;
use crate::store::{Access, Entity, Known, Move};
use crate::{EntryKind, FileRef, FileStat, FsError, Listing, Name, NewTime, Node, NodeId, NodeRef};

/// A handle of an object.
#[derive(Debug)]
pub(super) struct OverlayNode {
    pub(super) core: Arc<Core>,
    /// The object as it was found by this handle; stores tell of a file what it was then.
    seen: NodeRef,
    /// It was found in the upper layer.
    seen_above: bool,
}

impl OverlayNode {
    /// The directory at the top.
    pub(super) fn top(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), seen: NodeRef::clone(&core.shared().upper), seen_above: true }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.core.shared()
    }

    /// The view of a directory that still has a name.
    pub(super) fn directory(&self) -> Result<View, FsError> {
        match self.core.spot.kind {
            EntryKind::Directory if self.core.spot.is_gone() => Err(FsError::NoEntry),
            EntryKind::Directory => Ok(self.core.view()),
            EntryKind::File | EntryKind::Link => Err(FsError::NotDirectory),
        }
    }

    /// `node` as an object of this overlay.
    pub(super) fn ours<'n>(&self, node: &'n dyn Node) -> Result<&'n Self, FsError> {
        let node: &Self = (node as &dyn Any).downcast_ref().ok_or(FsError::CrossDevice)?;
        if Arc::ptr_eq(self.shared(), node.shared()) { Ok(node) } else { Err(FsError::CrossDevice) }
    }

    /// The object as it is now.
    fn current(&self) -> NodeRef {
        match self.core.upper() {
            Some(upper) if !self.seen_above => upper,
            _ => NodeRef::clone(&self.seen),
        }
    }
}

impl Node for OverlayNode {
    fn kind(&self) -> EntryKind {
        self.core.spot.kind
    }

    fn id(&self) -> NodeId {
        self.core.spot.id
    }

    fn stat(&self, known: Known<'_>) -> Result<FileStat, FsError> {
        let now = self.current();
        let above = self.seen_above || self.core.has_upper();
        let stat = match self.kind() {
            // It was copied since it was found, and may have been written since.
            EntryKind::File if above && !self.seen_above => self.shared().read(&now)?.stat()?,
            _ => now.stat(known)?,
        };
        // In the lower layer, other names of the file are other files here.
        Ok(FileStat { links: if above { stat.links } else { 1 }, ..stat })
    }

    fn read_link(&self, known: Known<'_>) -> Result<String, FsError> {
        self.seen.read_link(known)
    }

    fn open(&self, access: Access<'_>) -> Result<FileRef, FsError> {
        let wanted = [access.reads(), access.writes()];
        let now = self.current();
        let above = self.seen_above || self.core.has_upper();
        let core = Arc::clone(&self.core);
        if above || self.kind() != EntryKind::File {
            return Ok(Arc::new(OverlayFile::of_upper(core, now.open(access)?, wanted)));
        }
        let file = match access {
            Access::Read(_) => now.open(access)?,
            // To write, it is copied first; and only when it is written.
            Access::Write(_) | Access::Both(..) => self.shared().read(&now)?,
        };
        Ok(Arc::new(OverlayFile::of_lower(core, file, wanted)))
    }

    fn set_times(&self, permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        self.core.raised(WHOLE)?.set_times(permit, accessed, modified)
    }

    fn sync(&self, permit: &Permitted<Write>) -> Result<(), FsError> {
        if self.kind() != EntryKind::Directory {
            return Err(FsError::NotDirectory);
        }
        // What was not changed has nothing to lose.
        self.core.upper().map_or(Ok(()), |upper| upper.sync(permit))
    }

    fn lookup(&self, _permit: &Permitted<Search>, name: Name<'_>) -> Result<NodeRef, FsError> {
        let shared = self.shared();
        let _names = shared.reading();
        let found = self.directory()?.find(shared, name)?;
        let seen = NodeRef::clone(found.node().ok_or(FsError::NoEntry)?);
        let seen_above = found.upper.is_some();
        let core = shared.core(&self.core.spot, name.as_str(), found)?;
        Ok(Arc::new(Self { core, seen, seen_above }))
    }

    fn list(&self, _permit: &Permitted<Search>) -> Result<Box<dyn Listing>, FsError> {
        if self.kind() != EntryKind::Directory {
            return Err(FsError::NotDirectory);
        }
        Ok(Box::new(OverlayListing::new(&self.core)?))
    }

    fn create_file(&self, permit: &Permitted<Write>, name: Name<'_>) -> Result<FileRef, FsError> {
        let (core, file) = self.make(name, 0, |upper, stored| upper.create_file(permit, stored))?;
        Ok(Arc::new(OverlayFile::of_upper(core, file, [true, true])))
    }

    fn create_directory(&self, permit: &Permitted<Write>, name: Name<'_>) -> Result<(), FsError> {
        self.make(name, 0, |upper, stored| upper.create_directory(permit, stored)).map(drop)
    }

    fn create_link(&self, permit: &Permitted<Write>, name: Name<'_>, target: &str) -> Result<(), FsError> {
        self.make(name, target.len(), |upper, stored| upper.create_link(permit, stored, target)).map(drop)
    }

    fn add_name(&self, permits: [&Permitted<Write>; 2], source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        self.link(permits, source, name)
    }

    fn remove_file(&self, permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        self.unlink(permit, name, expected)
    }

    fn remove_directory(&self, _permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        self.rmdir(name, expected)
    }

    fn move_here(&self, permit: Move<'_>, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        self.take(permit, source, name)
    }
}
