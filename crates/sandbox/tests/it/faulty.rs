//! A store's object that panics whatever is asked of it.

use caplet_policy::{Permitted, Search, Write};
use caplet_vfs::store::{Access, Entity, Known, Move};
use caplet_vfs::{EntryKind, FileRef, FileStat, FsError, Listing, Name, NewTime, Node, NodeId, NodeRef};

/// Where a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panics {
    AtOnce,
    InAHostFunction,
    OnAnotherThread,
}

/// Panics.
#[derive(Debug)]
pub struct FaultyNode;

fn fault() -> ! {
    panic!("on purpose")
}

impl Node for FaultyNode {
    fn kind(&self) -> EntryKind {
        EntryKind::Directory
    }
    fn id(&self) -> NodeId {
        fault()
    }
    fn stat(&self, _: Known<'_>) -> Result<FileStat, FsError> {
        fault()
    }
    fn read_link(&self, _: Known<'_>) -> Result<String, FsError> {
        fault()
    }
    fn open(&self, _: Access<'_>) -> Result<FileRef, FsError> {
        fault()
    }
    fn set_times(&self, _: &Permitted<Write>, _: NewTime, _: NewTime) -> Result<(), FsError> {
        fault()
    }
    fn sync(&self, _: &Permitted<Write>) -> Result<(), FsError> {
        fault()
    }
    fn lookup(&self, _: &Permitted<Search>, _: Name<'_>) -> Result<NodeRef, FsError> {
        fault()
    }
    fn list(&self, _: &Permitted<Search>) -> Result<Box<dyn Listing>, FsError> {
        fault()
    }
    fn create_file(&self, _: &Permitted<Write>, _: Name<'_>) -> Result<FileRef, FsError> {
        fault()
    }
    fn create_directory(&self, _: &Permitted<Write>, _: Name<'_>) -> Result<(), FsError> {
        fault()
    }
    fn create_link(&self, _: &Permitted<Write>, _: Name<'_>, _: &str) -> Result<(), FsError> {
        fault()
    }
    fn add_name(&self, _: [&Permitted<Write>; 2], _: Entity<'_>, _: Name<'_>) -> Result<(), FsError> {
        fault()
    }
    fn remove_file(&self, _: &Permitted<Write>, _: Name<'_>, _: &dyn Node) -> Result<(), FsError> {
        fault()
    }
    fn remove_directory(&self, _: &Permitted<Write>, _: Name<'_>, _: &dyn Node) -> Result<(), FsError> {
        fault()
    }
    fn move_here(&self, _: Move<'_>, _: Entity<'_>, _: Name<'_>) -> Result<(), FsError> {
        fault()
    }
}
