//! Crashes: the store for the changes stops in the middle of anything. Opened again, each operation was done or was not.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use caplet_policy::{Permitted, Search, Write};
use caplet_vfs::overlay::{Choice, OverlayError};
use caplet_vfs::store::{Access, Entity, File, FileRef, FileSystem, Known, Listing, Move, Node, NodeId, NodeRef};
use caplet_vfs::{EntryKind, FileStat, FsError, Name, NewTime};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::differential::{Op, op, run};
use crate::overlay::{Aside, Opened, UNBOUNDED, upper};
use crate::overlay_laws::{CONTENT, memory, on_host, shown};

/// A store that does so many changes, and then none any more.
#[derive(Debug)]
struct Stopping {
    store: Arc<dyn FileSystem>,
    left: Arc<AtomicI64>,
}

#[derive(Debug)]
struct StoppingNode {
    node: NodeRef,
    left: Arc<AtomicI64>,
}

#[derive(Debug)]
struct StoppingFile {
    file: FileRef,
    left: Arc<AtomicI64>,
}

fn step(left: &AtomicI64) -> Result<(), FsError> {
    if left.fetch_sub(1, Ordering::Relaxed) > 0 { Ok(()) } else { Err(FsError::Io) }
}

fn inner(node: &dyn Node) -> &dyn Node {
    (node as &dyn Any).downcast_ref::<StoppingNode>().unwrap().node.as_ref()
}

fn entity(source: Entity<'_>) -> Entity<'_> {
    Entity { parent: inner(source.parent), node: inner(source.node), ..source }
}

impl StoppingNode {
    fn wrap(&self, node: NodeRef) -> NodeRef {
        Arc::new(Self { node, left: Arc::clone(&self.left) })
    }

    fn wrap_file(&self, file: FileRef) -> FileRef {
        Arc::new(StoppingFile { file, left: Arc::clone(&self.left) })
    }
}

impl FileSystem for Stopping {
    fn root(&self) -> Result<NodeRef, FsError> {
        Ok(Arc::new(StoppingNode { node: self.store.root()?, left: Arc::clone(&self.left) }))
    }

    fn may_block(&self) -> bool {
        false
    }

    fn describe(&self) -> String {
        "a store that stops".to_owned()
    }

    fn claim(&self) -> Result<Box<dyn Any + Send + Sync>, FsError> {
        self.store.claim()
    }
}

impl Node for StoppingNode {
    fn kind(&self) -> EntryKind {
        self.node.kind()
    }

    fn id(&self) -> NodeId {
        self.node.id()
    }

    fn stat(&self, known: Known<'_>) -> Result<FileStat, FsError> {
        self.node.stat(known)
    }

    fn read_link(&self, known: Known<'_>) -> Result<String, FsError> {
        self.node.read_link(known)
    }

    fn open(&self, access: Access<'_>) -> Result<FileRef, FsError> {
        Ok(self.wrap_file(self.node.open(access)?))
    }

    fn set_times(&self, permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        step(&self.left)?;
        self.node.set_times(permit, accessed, modified)
    }

    fn sync(&self, permit: &Permitted<Write>) -> Result<(), FsError> {
        step(&self.left)?;
        self.node.sync(permit)
    }

    fn lookup(&self, permit: &Permitted<Search>, name: Name<'_>) -> Result<NodeRef, FsError> {
        Ok(self.wrap(self.node.lookup(permit, name)?))
    }

    fn list(&self, permit: &Permitted<Search>) -> Result<Box<dyn Listing>, FsError> {
        self.node.list(permit)
    }

    fn create_file(&self, permit: &Permitted<Write>, name: Name<'_>) -> Result<FileRef, FsError> {
        step(&self.left)?;
        Ok(self.wrap_file(self.node.create_file(permit, name)?))
    }

    fn create_directory(&self, permit: &Permitted<Write>, name: Name<'_>) -> Result<(), FsError> {
        step(&self.left)?;
        self.node.create_directory(permit, name)
    }

    fn create_link(&self, permit: &Permitted<Write>, name: Name<'_>, target: &str) -> Result<(), FsError> {
        step(&self.left)?;
        self.node.create_link(permit, name, target)
    }

    fn add_name(&self, permits: [&Permitted<Write>; 2], source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        step(&self.left)?;
        self.node.add_name(permits, entity(source), name)
    }

    fn remove_file(&self, permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        step(&self.left)?;
        self.node.remove_file(permit, name, inner(expected))
    }

    fn remove_directory(&self, permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        step(&self.left)?;
        self.node.remove_directory(permit, name, inner(expected))
    }

    fn move_here(&self, permit: Move<'_>, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        step(&self.left)?;
        self.node.move_here(permit, entity(source), name)
    }
}

impl File for StoppingFile {
    fn id(&self) -> NodeId {
        self.file.id()
    }

    fn stat(&self) -> Result<FileStat, FsError> {
        self.file.stat()
    }

    fn size(&self) -> Result<u64, FsError> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, FsError> {
        self.file.read_at(offset, length)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize, FsError> {
        step(&self.left)?;
        self.file.write_at(offset, bytes)
    }

    fn append(&self, bytes: &[u8]) -> Result<usize, FsError> {
        step(&self.left)?;
        self.file.append(bytes)
    }

    fn set_size(&self, size: u64) -> Result<(), FsError> {
        step(&self.left)?;
        self.file.set_size(size)
    }

    fn set_times(&self, permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        step(&self.left)?;
        self.file.set_times(permit, accessed, modified)
    }

    fn sync(&self, permit: &Permitted<Write>) -> Result<(), FsError> {
        step(&self.left)?;
        self.file.sync(permit)
    }
}

/// An overlay whose store for the changes stops when it is told to.
fn stopping(aside: &Aside) -> (Opened, Arc<AtomicI64>) {
    let left = Arc::new(AtomicI64::new(i64::MAX));
    let store = Stopping { store: aside.store(), left: Arc::clone(&left) };
    (Opened::new(&aside.lower(), Arc::new(store), UNBOUNDED), left)
}

/// Operations that change one thing. (To make a file and to write it are two.)
fn one_thing(op: &Op) -> bool {
    !matches!(op, Op::Write(..) | Op::SetSize(..))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_operation_is_done_or_not_whenever_it_is_cut_short(upper in upper(), ops in vec(op(), 1..30), steps in 0..80i64) {
        let (aside, plain) = (Aside::keeping(upper, &CONTENT), memory());
        let before = aside.below();
        let (opened, left) = stopping(&aside);
        left.store(steps, Ordering::Relaxed);
        let (guest, twin) = (opened.guest(), plain.admin());
        let mut states = vec![plain.snapshot()];
        for op in ops.iter().filter(|op| one_thing(op)) {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&guest, op)));
            let stopped = left.load(Ordering::Relaxed) <= 0;
            drop(run(&twin, op));
            if stopped || done.is_err() {
                states.push(plain.snapshot());
                // What is replaced by a directory goes before that comes.
                if let Op::Rename(_, new) = op {
                    let mut between = states[0].clone();
                    let gone = names(new);
                    between.retain(|path, _| *path != gone);
                    states.push(between);
                }
                break;
            }
            states[0] = plain.snapshot();
        }
        drop(guest);
        drop(opened);
        let opened = aside.open();
        let found = shown(&opened);
        prop_assert!(states.contains(&found), "{:?}\n{:?}", found, states);
        prop_assert_eq!(aside.below(), before);
        let done = opened.commit();
        prop_assert!(done.conflicts.is_empty(), "{:?}", done.conflicts);
        prop_assert_eq!(on_host(&aside), found);
    }

    #[test]
    fn applying_goes_on_where_it_was_cut_short(upper in upper(), ops in vec(op(), 1..30), steps in vec(0..60i64, 1..4)) {
        let (aside, plain) = (Aside::keeping(upper, &CONTENT), memory());
        {
            let opened = aside.open();
            let (guest, twin) = (opened.guest(), plain.admin());
            for op in &ops {
                prop_assert_eq!(run(&guest, op), run(&twin, op), "{:?}", op);
            }
        }
        for steps in steps {
            let (opened, left) = stopping(&aside);
            left.store(steps, Ordering::Relaxed);
            if let Ok(done) = opened.overlay.commit(Choice::All) {
                prop_assert!(done.conflicts.is_empty(), "{:?}", done.conflicts);
            }
            drop(opened);
            prop_assert_eq!(shown(&aside.open()), plain.snapshot(), "what is shown never changes");
        }
        let opened = aside.open();
        let done = opened.commit();
        prop_assert!(done.conflicts.is_empty(), "{:?}", done.conflicts);
        prop_assert_eq!(on_host(&aside), plain.snapshot());
        prop_assert_eq!(opened.changes(), Vec::<String>::new());
        aside.outside_is_unharmed();
    }

    #[test]
    fn dropping_goes_on_where_it_was_cut_short(upper in upper(), ops in vec(op(), 1..30), steps in vec(0..60i64, 1..4)) {
        let aside = Aside::keeping(upper, &CONTENT);
        let (before, original) = (aside.below(), on_host(&aside));
        {
            let opened = aside.open();
            let guest = opened.guest();
            for op in &ops {
                drop(run(&guest, op));
            }
        }
        for steps in steps {
            let (opened, left) = stopping(&aside);
            left.store(steps, Ordering::Relaxed);
            let dropped = opened.overlay.discard(Choice::All);
            prop_assert!(matches!(dropped, Ok(_) | Err(OverlayError::Store { .. })), "{:?}", dropped);
        }
        let opened = aside.open();
        opened.overlay.discard(Choice::All).unwrap();
        prop_assert_eq!(shown(&opened), original);
        prop_assert_eq!(aside.below(), before);
    }
}

/// The names of a path, without what means nothing.
fn names(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/")
}
