//! Reading directories: in batches of bounded size, without names that no rule could reach.

use std::collections::BTreeSet;
use std::sync::Arc;

use caplet_policy::GuestPath;

use super::decide::Want;
use super::{Namespace, World, repeatable};
use crate::descriptor::{Descriptor, Directory};
use crate::store::Listing;
use crate::{Entry, EntryKind, FsError};

impl Namespace {
    /// The entries of an open directory. Needs `search`; each name shows only if it could lead to something permitted.
    ///
    /// # Errors
    ///
    /// [`FsError::NotDirectory`], or when the store fails.
    pub fn list(&self, descriptor: &Descriptor) -> Result<Entries, FsError> {
        let mut place = self.0.directory(descriptor, Want::Search)?;
        let permit = self.0.searched(&mut place)?;
        let stored = match &place.directory {
            Directory::Stored { node, .. } => Some(node.list(&permit)?),
            Directory::Synthetic => None,
        };
        // Names on the way to mount points come first, in order, and hide what the store has there.
        let ours = place.tree.map(|index| self.0.tree.names(index)).unwrap_or_default();
        let entries = Entries {
            world: Arc::clone(&self.0),
            path: place.path,
            hidden: ours.iter().cloned().collect(),
            batch: ours
                .into_iter()
                .map(|name| Entry { kind: EntryKind::Directory, name })
                .collect::<Vec<_>>()
                .into_iter(),
            ours: true,
            stored,
        };
        if self.0.repeatable.is_some() { entries.in_order() } else { Ok(entries) }
    }
}

/// A directory being read. What is added or removed in between may or may not show.
#[derive(Debug)]
pub struct Entries {
    world: Arc<World>,
    path: GuestPath,
    hidden: BTreeSet<String>,
    batch: std::vec::IntoIter<Entry>,
    /// The batch is of mount points, or of what was chosen already.
    ours: bool,
    stored: Option<Box<dyn Listing>>,
}

impl Entries {
    /// The same in an order that does not hang on the store.
    fn in_order(mut self) -> Result<Self, FsError> {
        let all = repeatable::in_order(&mut self)?;
        Ok(Self { batch: all.into_iter(), ours: true, stored: None, ..self })
    }

    fn shows(&self, entry: &Entry) -> bool {
        (self.ours || !self.hidden.contains(&entry.name))
            && self.path.join(&entry.name).is_ok_and(|path| self.world.shows_in_listing(&path, entry.kind))
    }
}

impl World {
    fn shows_in_listing(&self, path: &GuestPath, kind: EntryKind) -> bool {
        match kind {
            EntryKind::Directory => self.sees(path),
            // What only a directory could be reached through is not shown for a file, whose own name is refused.
            EntryKind::File | EntryKind::Link => self.reads(path),
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, FsError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(entry) = self.batch.next() {
                if self.shows(&entry) {
                    return Some(Ok(entry));
                }
            }
            match self.stored.as_mut()?.next_batch() {
                Ok(Some(batch)) => {
                    self.ours = false;
                    self.batch = batch.into_iter();
                }
                Ok(None) => self.stored = None,
                Err(error) => {
                    self.stored = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
