//! What was noted of a store, as a store.

mod file;
mod inode;
mod node;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Unknown;
use super::fault;
use super::tree::{Kind, Made, Met, Number, Tree};
use crate::{EntryKind, FileSystem, FsError, NodeId, NodeRef};
use inode::Inode;
use node::ReplayNode;

/// A file system in memory that is as a recorded call found it, as far as the call looked.
///
/// A name that the call never looked up is missing; content that it never read cannot be read; either is told. What the guest changes is
/// changed here and nowhere else.
#[derive(Debug)]
pub struct ReplayStore {
    shared: Arc<Shared>,
}

/// What all objects of a replay have in common.
#[derive(Debug)]
struct Shared {
    tree: Tree,
    unknown: Arc<Unknown>,
    /// The objects that the guest has met again.
    met: Mutex<HashMap<Number, Arc<Inode>>>,
    /// How many things the guest has made.
    made: AtomicUsize,
    last_id: AtomicU64,
    /// Held while names change.
    changes: Mutex<()>,
}

impl ReplayStore {
    /// The store that `tree` was noted of. What is not known of it goes to `unknown`.
    #[must_use]
    pub fn new(tree: Tree, unknown: &Arc<Unknown>) -> Self {
        let shared = Shared {
            tree,
            unknown: Arc::clone(unknown),
            met: Mutex::default(),
            made: AtomicUsize::new(0),
            last_id: AtomicU64::new(0),
            changes: Mutex::new(()),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl FileSystem for ReplayStore {
    fn root(&self) -> Result<NodeRef, FsError> {
        if let Some(word) = &self.shared.tree.broken {
            return Err(fault::error(word));
        }
        let top = self.shared.inode(0).ok_or(FsError::Io)?;
        Ok(Arc::new(ReplayNode::new(&self.shared, top)))
    }

    fn may_block(&self) -> bool {
        false
    }

    fn describe(&self) -> String {
        "recording".to_owned()
    }
}

impl Shared {
    fn facts(&self, number: Option<Number>) -> Option<&Met> {
        self.tree.nodes.get(usize::try_from(number?).ok()?)
    }

    /// The object of this number; the same one every time.
    fn inode(&self, number: Number) -> Option<Arc<Inode>> {
        let facts = self.facts(Some(number))?;
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(met.entry(number).or_insert_with(|| Arc::new(Inode::met(number, facts)))))
    }

    /// An object of which no more is known than that it is there.
    fn shell(&self, kind: EntryKind) -> Arc<Inode> {
        Arc::new(Inode::shell(kind, self.fresh_id()))
    }

    /// What the guest makes now. Where it made the same in the recorded call, it is told the same of it.
    fn make(&self, kind: Kind, name: &str, target: Option<&str>) -> Arc<Inode> {
        let nth = self.made.fetch_add(1, Ordering::Relaxed);
        let is_same = |made: &&Made| made.kind == kind && made.name == name;
        let number = self.tree.made.get(nth).filter(is_same).and_then(|made| made.node);
        let id = self.facts(number).map_or_else(|| self.fresh_id(), |facts| NodeId(facts.id.0, facts.id.1));
        Arc::new(Inode::made(kind.into(), number, id, target))
    }

    /// An identity that nothing else has. Those of most stores have something in both halves.
    fn fresh_id(&self) -> NodeId {
        NodeId(u64::MAX, self.last_id.fetch_add(1, Ordering::Relaxed))
    }
}
