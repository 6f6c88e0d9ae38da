//! A file system in memory, gone with its last handle.
//!
//! Several calls may use one at the same time. What always holds: names and contents together never take more than the quota, in
//! logical bytes, so a sparse file costs what it pretends to be; and a directory is in the tree at most once and never below
//! itself.

pub(crate) mod content;
mod inode;
mod node;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use caplet_policy::Allowance;

use crate::{FileSystem, FsError, NodeRef};
use inode::Inode;
use node::MemoryNode;

/// A file system in memory.
#[derive(Debug)]
pub struct MemoryStore {
    root: Arc<Inode>,
}

/// What all objects of a store have in common.
#[derive(Debug)]
struct Shared {
    allowance: Allowance,
    last_id: AtomicU64,
    /// Held while names change. Readers look at one directory at a time and do not need it.
    changes: Mutex<()>,
}

impl MemoryStore {
    /// An empty file system that holds at most `quota` bytes: contents by their size, and 1 KiB and its name for each entry.
    #[must_use]
    pub fn new(quota: u64) -> Self {
        Self::within(Allowance::new(quota))
    }

    /// The same for `allowance`, which may be a part of what several stores have together. It gets all back with the store's last handle.
    #[must_use]
    pub fn within(allowance: Allowance) -> Self {
        let shared = Shared { allowance, last_id: AtomicU64::new(0), changes: Mutex::new(()) };
        Self { root: Inode::directory(&Arc::new(shared)) }
    }
}

impl FileSystem for MemoryStore {
    fn root(&self) -> Result<NodeRef, FsError> {
        Ok(Arc::new(MemoryNode::new(Arc::clone(&self.root))))
    }

    fn may_block(&self) -> bool {
        false
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

impl Shared {
    fn take(&self, bytes: u64) -> Result<(), FsError> {
        if self.allowance.take(bytes) { Ok(()) } else { Err(FsError::Quota) }
    }

    fn give_back(&self, bytes: u64) {
        self.allowance.give_back(bytes);
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
