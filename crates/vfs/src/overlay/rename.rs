//! Moving. A directory of the lower layer is not copied: an upper directory that says which one it continues takes its place, and
//! goes wherever it is moved.

use super::copy::WHOLE;
use super::names::{self, own, stored};
use super::node::OverlayNode;
use super::shared::{Changing, Shared, count, entry_cost};
use super::spot::Core;
use super::upper::Draft;
use super::view::View;
use crate::store::{Entity, Move};
use crate::{EntryKind, FsError, Name, Node as _, NodeRef};

/// What had the new name, and makes way.
enum Replaced {
    Nothing,
    /// In the lower layer only: the new object hides it.
    Lower,
    /// A file or link, replaced in the one step.
    File {
        cost: u64,
        last: Option<u64>,
    },
    /// An empty directory, set aside under this name.
    Directory(String),
}

impl OverlayNode {
    /// Moves `source` to `name` here.
    pub(super) fn take(&self, permit: Move<'_>, source: Entity<'_>, name: Name<'_>) -> Result<(), FsError> {
        let (parent, node) = (self.ours(source.parent)?, self.ours(source.node)?);
        self.directory()?;
        if node.kind() != EntryKind::Directory {
            parent.directory()?;
            node.core.raised(WHOLE)?;
        }
        let shared = self.shared();
        let changing = shared.changing();
        let found = parent.still(source.name, node)?;
        if node.kind() == EntryKind::Directory && self.core.spot.lies_within(&node.core.spot) {
            return Err(FsError::Invalid);
        }
        let target = self.directory()?.find(shared, name)?;
        if target.kind().is_some() && shared.is(&node.core, &self.core.spot, name.as_str(), &target)? {
            return Ok(());
        }
        self.check_target(node, &target)?;
        let from = shared.raise_directory(&changing, &parent.core.spot)?;
        let to = shared.raise_directory(&changing, &self.core.spot)?;
        let mode = shared.mode(&parent.directory()?, source.name, &found)?;
        let moved = match &found.upper {
            Some(upper) => NodeRef::clone(upper),
            None => shared.raise_directory(&changing, &node.core.spot)?,
        };
        // These mean nothing as long as the upper layer has the old name.
        parent.hide(&from, source.name, &View { upper: Some(NodeRef::clone(&moved)), lower: None })?;
        shared.spell(&to, name)?;
        shared.drop_record(&to, &names::mode(name))?;
        let held = target.kind().map(|_| shared.core(&self.core.spot, name.as_str(), target.clone())).transpose()?;
        let replaced = self.make_way(&changing, &to, name, &target)?;
        let old = stored(source.name);
        let entity = Entity { parent: from.as_ref(), name: own(&old)?, node: moved.as_ref() };
        let shifted = shared.room_for_mode(name, node.kind(), mode).and_then(|room| {
            let shifted = shared.shift(permit, entity, &to, name);
            shared.budget.give_back(room);
            shifted
        });
        if let Err(error) = shifted {
            self.take_back(&to, name, &replaced);
            return Err(error);
        }
        node.core.spot.move_to(&self.core.spot, name.as_str());
        shared.tidy(&from, source.name)?;
        shared.set_mode(&to, name, node.kind(), mode)?;
        held.map_or(Ok(()), |core| shared.let_go(&to, &core, replaced))
    }

    fn check_target(&self, node: &Self, target: &View) -> Result<(), FsError> {
        match (node.kind(), target.kind()) {
            (_, None) => Ok(()),
            (EntryKind::Directory, Some(EntryKind::Directory)) => {
                if target.is_empty(self.shared())? {
                    Ok(())
                } else {
                    Err(FsError::NotEmpty)
                }
            }
            (EntryKind::Directory, Some(_)) => Err(FsError::NotDirectory),
            (_, Some(EntryKind::Directory)) => Err(FsError::IsDirectory),
            (_, Some(_)) => Ok(()),
        }
    }

    fn make_way(
        &self,
        changing: &Changing<'_>,
        to: &NodeRef,
        name: Name<'_>,
        target: &View,
    ) -> Result<Replaced, FsError> {
        let shared = self.shared();
        match (&target.upper, &target.lower) {
            (None, None) => Ok(Replaced::Nothing),
            (None, Some(lower)) => shared.remember(lower).map(|()| Replaced::Lower),
            (Some(upper), _) if upper.kind() == EntryKind::Directory => {
                // Were there a crash right after, it would be gone, and not come back with what was removed from it.
                self.hide(to, name, target)?;
                shared.set_aside(changing, to, &stored(name), upper).map(Replaced::Directory)
            }
            (Some(upper), _) => {
                let stat = upper.stat(shared.known())?;
                let last = stat.links <= 1;
                let target = if last && upper.kind() == EntryKind::Link { stat.size } else { 0 };
                let cost = entry_cost(&stored(name), target);
                Ok(Replaced::File { cost, last: last.then_some(stat.size) })
            }
        }
    }

    /// Undoes what was done to make way. Where that fails, too, the name is gone: it was to be replaced.
    fn take_back(&self, to: &NodeRef, name: Name<'_>, replaced: &Replaced) {
        let shared = self.shared();
        match replaced {
            Replaced::Directory(aside) => {
                if let Ok(Some(node)) = shared.find(to, aside) {
                    let draft = Draft { place: NodeRef::clone(to), name: aside.clone(), node };
                    drop(shared.settle(&draft, to, &stored(name)));
                }
            }
            Replaced::Nothing | Replaced::Lower | Replaced::File { .. } => {}
        }
    }
}

impl Shared {
    /// Lets go of what was replaced.
    fn let_go(&self, to: &NodeRef, core: &Core, replaced: Replaced) -> Result<(), FsError> {
        match replaced {
            Replaced::Nothing => {}
            Replaced::Lower => core.spot.went(),
            Replaced::File { cost, last } => {
                self.budget.give_back(cost);
                if let Some(bytes) = last {
                    let mut size = core.size();
                    *size = Some(size.unwrap_or(bytes));
                    drop(size);
                    core.spot.went();
                }
            }
            Replaced::Directory(aside) => {
                core.spot.went();
                self.clear(to, &aside)?;
            }
        }
        Ok(())
    }

    /// The one step of a move.
    fn shift(&self, permit: Move<'_>, entity: Entity<'_>, to: &NodeRef, name: Name<'_>) -> Result<(), FsError> {
        let kept = stored(name);
        let (old, new) = (entity.name.as_str().len(), kept.len());
        let growth = count(new.saturating_sub(old));
        self.budget.paying(growth, || to.move_here(permit, entity, own(&kept)?))?;
        self.budget.give_back(count(old.saturating_sub(new)));
        Ok(())
    }
}
