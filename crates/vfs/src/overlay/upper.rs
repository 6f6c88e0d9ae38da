//! The overlay's own work in the directories of the upper store: records, drafts, and clearing away.

use std::sync::atomic::Ordering;

use super::names::{self, DRAFT, own};
use super::record;
use super::shared::{Changing, Shared, count, entry_cost};
use crate::store::{Entity, Move};
use crate::{EntryKind, FsError, Name, NodeRef};

/// How many names that are taken are passed over. The store is the overlay's own, so that there are none.
const DRAFT_ATTEMPTS: usize = 16;

/// Something that is prepared, under a name that nobody looks for.
#[derive(Debug)]
pub(super) struct Draft {
    /// The directory that it is in.
    pub(super) place: NodeRef,
    pub(super) name: String,
    pub(super) node: NodeRef,
}

impl Shared {
    /// What `name` is in an upper directory, or in the lower one.
    pub(super) fn find(&self, directory: &NodeRef, name: &str) -> Result<Option<NodeRef>, FsError> {
        match directory.lookup(&self.tokens.search, own(name)?) {
            Ok(node) => Ok(Some(node)),
            Err(FsError::NoEntry) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The text of the record `name`.
    pub(super) fn record(&self, directory: &NodeRef, name: &str) -> Result<Option<String>, FsError> {
        let node = match self.find(directory, name) {
            // What is no link is no record, whoever put it there.
            Ok(Some(node)) if node.kind() == EntryKind::Link => node,
            Ok(_) | Err(FsError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        match node.read_link(self.known()) {
            Ok(text) => Ok(Some(text)),
            Err(FsError::IllegalByteSequence) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the record `name`, or puts it in the place of another one, in one step.
    pub(super) fn put_record(&self, directory: &NodeRef, name: &str, text: &str) -> Result<(), FsError> {
        if text.len() > record::MAX_BYTES {
            return Err(FsError::NameTooLong);
        }
        if names::Stored::of(name) == names::Stored::Whiteout {
            self.table().hides_nothing.insert(directory.id(), false);
        }
        let cost = entry_cost(name, count(text.len()));
        let made = self.budget.paying(cost, || directory.create_link(&self.tokens.write, own(name)?, text));
        if !matches!(made, Err(FsError::Exists)) {
            return made;
        }
        let there = self.find(directory, name)?.ok_or(FsError::Busy)?;
        if self.record(directory, name)?.as_deref() == Some(text) {
            return Ok(());
        }
        let replaced = entry_cost(name, there.stat(self.known())?.size);
        let make = |draft: Name<'_>| directory.create_link(&self.tokens.write, draft, text);
        let draft = self.draft(directory, make, count(text.len()))?;
        self.settle(&draft, directory, name)?;
        self.budget.give_back(replaced);
        Ok(())
    }

    /// Removes the record `name`, if there is one.
    pub(super) fn drop_record(&self, directory: &NodeRef, name: &str) -> Result<(), FsError> {
        let Some(node) = self.find(directory, name)? else { return Ok(()) };
        if node.kind() == EntryKind::Directory {
            return Err(FsError::Io);
        }
        let size = node.stat(self.known())?.size;
        directory.remove_file(&self.tokens.write, own(name)?, node.as_ref())?;
        self.budget.give_back(entry_cost(name, size));
        Ok(())
    }

    /// Prepares something under a name that nobody looks for, and pays for the entry. `size` is that of a link's target.
    pub(super) fn draft(
        &self,
        place: &NodeRef,
        make: impl Fn(Name<'_>) -> Result<(), FsError>,
        size: u64,
    ) -> Result<Draft, FsError> {
        for _ in 0..DRAFT_ATTEMPTS {
            let name = format!("{DRAFT}{:x}", self.drafts.fetch_add(1, Ordering::Relaxed));
            match self.budget.paying(entry_cost(&name, size), || make(own(&name)?)) {
                Ok(()) => {
                    let node = self.find(place, &name)?.ok_or(FsError::Busy)?;
                    return Ok(Draft { place: NodeRef::clone(place), name, node });
                }
                Err(FsError::Exists) => {}
                Err(error) => return Err(error),
            }
        }
        Err(FsError::Exists)
    }

    /// Gives what was prepared its name, in place of what has it.
    pub(super) fn settle(&self, draft: &Draft, directory: &NodeRef, name: &str) -> Result<(), FsError> {
        let Draft { place, name: old, node } = draft;
        let source = Entity { parent: place.as_ref(), name: own(old)?, node: node.as_ref() };
        let make = || directory.move_here(self.moving(node), source, own(name)?);
        self.budget.paying(count(name.len()), make)?;
        self.budget.give_back(count(old.len()));
        Ok(())
    }

    /// Permission for the overlay's own moves.
    fn moving(&self, node: &NodeRef) -> Move<'_> {
        match node.kind() {
            EntryKind::Directory => Move::Tree(&self.tokens.tree, &self.tokens.tree),
            EntryKind::File | EntryKind::Link => Move::File(&self.tokens.write, &self.tokens.write),
        }
    }

    /// Takes `name` out of sight in one step, to be cleared away. Gives the name that it has until then.
    pub(super) fn set_aside(
        &self,
        _changing: &Changing<'_>,
        directory: &NodeRef,
        name: &str,
        node: &NodeRef,
    ) -> Result<String, FsError> {
        let aside = format!("{DRAFT}{:x}", self.drafts.fetch_add(1, Ordering::Relaxed));
        let source = Entity { parent: directory.as_ref(), name: own(name)?, node: node.as_ref() };
        directory.move_here(self.moving(node), source, own(&aside)?)?;
        self.budget.replace(count(name.len()), count(aside.len()));
        Ok(aside)
    }

    /// Removes `name` and everything below it, without going deep: directories are moved up first, so that a tree of any depth
    /// takes one handle. What cannot be removed stays under a name that nobody looks for.
    pub(super) fn clear(&self, directory: &NodeRef, name: &str) -> Result<(), FsError> {
        let mut left = vec![name.to_owned()];
        while let Some(name) = left.pop() {
            let node = match self.find(directory, &name) {
                Ok(Some(node)) => node,
                Ok(None) | Err(FsError::Refused(_)) => continue,
                Err(error) => return Err(error),
            };
            if node.kind() != EntryKind::Directory {
                self.remove(directory, &name, &node)?;
                continue;
            }
            self.empty(directory, &node, &mut left)?;
            if directory.remove_directory(&self.tokens.write, own(&name)?, node.as_ref()).is_ok() {
                self.budget.give_back(entry_cost(&name, 0));
            }
        }
        Ok(())
    }

    /// Removes the files of `node`, and moves its directories up into `directory`, where they are `left` to be cleared.
    fn empty(&self, directory: &NodeRef, node: &NodeRef, left: &mut Vec<String>) -> Result<(), FsError> {
        for (name, kind) in self.entries(node)? {
            let Some(inner) = self.find(node, &name)? else { continue };
            if kind != EntryKind::Directory {
                self.remove(node, &name, &inner)?;
                continue;
            }
            if node.remove_directory(&self.tokens.write, own(&name)?, inner.as_ref()).is_ok() {
                self.budget.give_back(entry_cost(&name, 0));
                continue;
            }
            let up = format!("{DRAFT}{:x}", self.drafts.fetch_add(1, Ordering::Relaxed));
            let source = Entity { parent: node.as_ref(), name: own(&name)?, node: inner.as_ref() };
            directory.move_here(Move::Tree(&self.tokens.tree, &self.tokens.tree), source, own(&up)?)?;
            self.budget.replace(count(name.len()), count(up.len()));
            left.push(up);
        }
        Ok(())
    }

    /// Removes a file or link, and gives back what it took.
    pub(super) fn remove(&self, directory: &NodeRef, name: &str, node: &NodeRef) -> Result<(), FsError> {
        let stat = node.stat(self.known())?;
        directory.remove_file(&self.tokens.write, own(name)?, node.as_ref())?;
        let size = if stat.links <= 1 { stat.size } else { 0 };
        self.budget.give_back(entry_cost(name, size));
        Ok(())
    }

    /// Everything in an upper directory, by the names of the store.
    pub(super) fn entries(&self, directory: &NodeRef) -> Result<Vec<(String, EntryKind)>, FsError> {
        let mut listing = directory.list(&self.tokens.search)?;
        let mut found = Vec::new();
        while let Some(batch) = listing.next_batch()? {
            found.extend(batch.into_iter().map(|entry| (entry.name, entry.kind)));
        }
        Ok(found)
    }

    /// The guest's name that is kept as `name`, if it is one.
    pub(super) fn spelt(&self, directory: &NodeRef, name: &str) -> Result<Option<String>, FsError> {
        let spelling = match names::Stored::of(name) {
            names::Stored::Plain(name) => return Ok(Some(name.to_owned())),
            names::Stored::Hashed { spelling } => spelling,
            names::Stored::Whiteout | names::Stored::Other => return Ok(None),
        };
        let text = self.record(directory, &spelling)?;
        let spelt = text.as_deref().and_then(record::parse_spelling).and_then(|spelt| Name::parse(spelt).ok());
        Ok(spelt.filter(|spelt| names::stored(*spelt) == name).map(|spelt| spelt.as_str().to_owned()))
    }
}
