//! Where stores stand in the guest's world.

use std::collections::BTreeMap;
use std::sync::Arc;

use caplet_policy::GuestPath;

use crate::FileSystem;

/// A store at a place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mount {
    /// The guest path of the store's top directory.
    pub at: GuestPath,
    /// What stands there.
    pub store: Arc<dyn FileSystem>,
    /// Whether nothing in it can be changed through this mount, whatever the rules say. A mount below has its own word.
    pub read_only: bool,
}

impl Mount {
    /// Puts `store` at `at`.
    #[must_use]
    pub fn new(at: GuestPath, store: Arc<dyn FileSystem>) -> Self {
        Self { at, store, read_only: false }
    }

    /// Shows the store without a way to change it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}

/// The names that lead to mount points, as a tree. A name on the way to a mount point is a directory, whatever the store above
/// has there: its own directory where it has one, a synthetic one otherwise.
#[derive(Debug)]
pub(crate) struct MountTree {
    nodes: Vec<TreeNode>,
}

/// A place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeIndex(usize);

#[derive(Debug, Default)]
struct TreeNode {
    mount: Option<usize>,
    children: BTreeMap<String, TreeIndex>,
}

impl MountTree {
    /// Of several mounts at one place the last counts.
    pub(crate) fn new<'a>(points: impl IntoIterator<Item = &'a GuestPath>) -> Self {
        let mut tree = Self { nodes: vec![TreeNode::default()] };
        for (mount, point) in points.into_iter().enumerate() {
            let mut at = Self::ROOT;
            for name in point.components() {
                at = tree.child_or_new(at, name);
            }
            if let Some(node) = tree.nodes.get_mut(at.0) {
                node.mount = Some(mount);
            }
        }
        tree
    }

    pub(crate) const ROOT: TreeIndex = TreeIndex(0);

    fn child_or_new(&mut self, at: TreeIndex, name: &str) -> TreeIndex {
        if let Some(child) = self.child(at, name) {
            return child;
        }
        let child = TreeIndex(self.nodes.len());
        self.nodes.push(TreeNode::default());
        if let Some(node) = self.nodes.get_mut(at.0) {
            node.children.insert(name.to_owned(), child);
        }
        child
    }

    pub(crate) fn child(&self, at: TreeIndex, name: &str) -> Option<TreeIndex> {
        self.nodes.get(at.0)?.children.get(name).copied()
    }

    pub(crate) fn mount(&self, at: TreeIndex) -> Option<usize> {
        self.nodes.get(at.0)?.mount
    }

    pub(crate) fn names(&self, at: TreeIndex) -> Vec<String> {
        self.nodes.get(at.0).map(|node| node.children.keys().cloned().collect()).unwrap_or_default()
    }
}
