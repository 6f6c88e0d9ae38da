//! Taking out of the upper layer what is not needed any more.

use std::collections::BTreeSet;

use super::names::{self, LEDGER, MARKER, ORIGIN, SOURCE, Stored, stored};
use super::shared::{Changing, Shared};
use super::survey::{Action, Item, parent};
use super::trail::Trail;
use crate::{EntryKind, FsError, Name, NodeRef};

impl Shared {
    /// The upper directory of `path`, if there is one.
    pub(super) fn upper_at(&self, path: &str) -> Result<Option<NodeRef>, FsError> {
        let mut here = NodeRef::clone(&self.upper);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match self.find(&here, &stored(Name::parse(name)?))? {
                Some(next) if next.kind() == EntryKind::Directory => here = next,
                Some(_) | None => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    /// Forgets what was applied, or makes no difference.
    pub(super) fn forget(&self, item: &Item) -> Result<(), FsError> {
        let Some((above, name)) = self.above(&item.path)? else { return self.forget_base(&item.path) };
        // First, so that the lower layer's shows as soon as there is nothing above it.
        self.drop_record(&above, &names::whiteout(name))?;
        let node = self.find(&above, &stored(name))?;
        match (item.action, item.what, node) {
            // What came in the place of what was removed is another item.
            (Action::Remove, ..) | (_, _, None) => {}
            // From now on it continues the directory that was made.
            (_, EntryKind::Directory, Some(node)) => {
                self.show_all(&node)?;
                self.set_origin(&node, &item.path)?;
                self.drop_record(&above, &names::mode(name))?;
            }
            (_, _, Some(node)) => {
                self.remove(&above, &stored(name), &node)?;
                self.tidy(&above, name)?;
            }
        }
        self.forget_base(&item.path)
    }

    /// Removes the upper directories on the way to `paths` that say nothing any more.
    pub(super) fn prune(&self, changing: &Changing<'_>, paths: &BTreeSet<String>) -> Result<(), FsError> {
        for path in paths.iter().rev() {
            let mut path = path.clone();
            while !path.is_empty() && self.prune_one(changing, &path)? {
                path = parent(&path);
            }
        }
        Ok(())
    }

    fn prune_one(&self, changing: &Changing<'_>, path: &str) -> Result<bool, FsError> {
        let Some(node) = self.upper_at(path)? else { return Ok(true) };
        let idle = self.entries(&node)?.iter().all(|(name, _)| name == ORIGIN || name == SOURCE)
            && self.origin(&node)?.as_deref() == Some(path)
            && self.lower_at(path)?.is_some();
        if idle {
            self.drop_directory(changing, path)?;
        }
        Ok(idle)
    }

    /// Removes an upper directory with everything in it, and what is remembered of its place.
    pub(super) fn drop_directory(&self, changing: &Changing<'_>, path: &str) -> Result<(), FsError> {
        let Some((above, name)) = self.above(path)? else { return Ok(()) };
        self.drop_record(&above, &names::whiteout(name))?;
        if let Some(node) = self.find(&above, &stored(name))? {
            let aside = self.set_aside(changing, &above, &stored(name), &node)?;
            self.clear(&above, &aside)?;
        }
        self.tidy(&above, name)?;
        self.forget_base(path)
    }

    /// Forgets everything. What is gone comes back first: should this be cut short, nothing is shown as removed that was moved.
    pub(super) fn forget_all(&self, changing: &Changing<'_>) -> Result<(), FsError> {
        self.forget_whiteouts()?;
        for (name, kind) in self.entries(&self.upper)? {
            if name == MARKER || name == LEDGER {
                continue;
            }
            match self.find(&self.upper, &name)? {
                Some(node) if kind == EntryKind::Directory => {
                    let aside = self.set_aside(changing, &self.upper, &name, &node)?;
                    self.clear(&self.upper, &aside)?;
                }
                Some(_) => self.clear(&self.upper, &name)?,
                None => {}
            }
        }
        for (name, _) in self.entries(&self.ledger)? {
            self.clear(&self.ledger, &name)?;
        }
        Ok(())
    }

    fn forget_whiteouts(&self) -> Result<(), FsError> {
        let mut trail = Trail::new(NodeRef::clone(&self.upper));
        let mut left: Vec<(usize, String)> = Vec::new();
        let mut here = Some((0, NodeRef::clone(&self.upper)));
        while let Some((depth, directory)) = here.take() {
            self.show_all(&directory)?;
            let inner = self.entries(&directory)?.into_iter().filter(|(name, kind)| {
                *kind == EntryKind::Directory && matches!(Stored::of(name), Stored::Plain(_) | Stored::Hashed { .. })
            });
            left.extend(inner.map(|(name, _)| (depth, name)));
            let Some((depth, name)) = left.pop() else { break };
            let step = |above: &NodeRef, _: &str, name: &str| self.find(above, name)?.ok_or(FsError::NoEntry);
            here = Some((depth + 1, trail.go(depth, &name, step)?));
        }
        Ok(())
    }

    /// The upper directory that `path` is in, and its name there.
    pub(super) fn above<'p>(&self, path: &'p str) -> Result<Option<(NodeRef, Name<'p>)>, FsError> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let name = Name::parse(name)?;
        Ok(self.upper_at(above)?.map(|node| (node, name)))
    }

    /// Removes every record that a name is gone from an upper directory.
    pub(super) fn show_all(&self, upper: &NodeRef) -> Result<(), FsError> {
        for (name, kind) in self.entries(upper)? {
            if kind == EntryKind::Link && Stored::of(&name) == Stored::Whiteout {
                self.drop_record(upper, &name)?;
            }
        }
        Ok(())
    }
}
