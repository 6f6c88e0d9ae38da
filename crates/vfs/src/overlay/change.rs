//! Changes of names. Each comes down to one step in the upper store: before it nothing has changed, after it all has. What is
//! written before that step means nothing without it, and what is cleared away after it means nothing any more.

use std::sync::Arc;

use caplet_policy::{Permitted, Write};

use super::names::{self, join, own, stored};
use super::node::OverlayNode;
use super::record;
use super::shared::{Shared, count, entry_cost};
use super::spot::Core;
use super::view::{Lower, View};
use crate::host::facts::Facts;
use crate::store::Entity;
use crate::{EntryKind, FsError, Name, Node, NodeRef};

/// What a file and a directory have without more being said, as in a directory of the host.
pub(super) const PLAIN_FILE: u32 = 0o644;
pub(super) const PLAIN_DIRECTORY: u32 = 0o755;

impl OverlayNode {
    /// Makes something new as `name`.
    pub(super) fn make<T>(
        &self,
        name: Name<'_>,
        target_bytes: usize,
        act: impl FnOnce(&NodeRef, Name<'_>) -> Result<T, FsError>,
    ) -> Result<(Arc<Core>, T), FsError> {
        let shared = self.shared();
        let changing = shared.changing();
        self.vacant(name)?;
        let upper = shared.raise_directory(&changing, &self.core.spot)?;
        shared.spell(&upper, name)?;
        let kept = stored(name);
        let made = shared.budget.paying(entry_cost(&kept, count(target_bytes)), || act(&upper, own(&kept)?))?;
        let node = shared.find(&upper, &kept)?.ok_or(FsError::Busy)?;
        Ok((shared.made(&self.core.spot, name.as_str(), node)?, made))
    }

    /// One more name for a file or link.
    pub(super) fn link(
        &self,
        permits: [&Permitted<Write>; 2],
        source: Entity<'_>,
        name: Name<'_>,
    ) -> Result<(), FsError> {
        let (parent, node) = (self.ours(source.parent)?, self.ours(source.node)?);
        if node.kind() == EntryKind::Directory {
            return Err(FsError::IsDirectory);
        }
        self.directory()?;
        node.core.raised(super::copy::WHOLE)?;
        let shared = self.shared();
        let changing = shared.changing();
        let found = parent.still(source.name, node)?;
        self.vacant(name)?;
        let (from, to) = (
            shared.raise_directory(&changing, &parent.core.spot)?,
            shared.raise_directory(&changing, &self.core.spot)?,
        );
        let mode = shared.mode(&parent.directory()?, source.name, &found)?;
        let upper = found.upper.ok_or(FsError::Busy)?;
        shared.spell(&to, name)?;
        let (old, new) = (stored(source.name), stored(name));
        let entity = Entity { parent: from.as_ref(), name: own(&old)?, node: upper.as_ref() };
        shared.budget.paying(entry_cost(&new, 0), || to.add_name(permits, entity, own(&new)?))?;
        shared.set_mode(&to, name, EntryKind::File, mode)
    }

    /// Removes a file or link.
    pub(super) fn unlink(&self, permit: &Permitted<Write>, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        let expected = self.ours(expected)?;
        let shared = self.shared();
        let changing = shared.changing();
        let found = self.still(name, expected)?;
        if found.kind() == Some(EntryKind::Directory) {
            return Err(FsError::IsDirectory);
        }
        let upper = shared.raise_directory(&changing, &self.core.spot)?;
        self.hide(&upper, name, &found)?;
        let Some(node) = &found.upper else {
            expected.core.spot.went();
            return Ok(());
        };
        let kept = stored(name);
        let stat = node.stat(shared.known())?;
        // The lock is held so that nobody writes between the two.
        let mut size = expected.core.size();
        upper.remove_file(permit, own(&kept)?, node.as_ref())?;
        let last = stat.links <= 1;
        let target = if last && node.kind() == EntryKind::Link { stat.size } else { 0 };
        shared.budget.give_back(entry_cost(&kept, target));
        if last {
            *size = Some(size.unwrap_or(stat.size));
            expected.core.spot.went();
        }
        drop(size);
        shared.tidy(&upper, name)
    }

    /// Removes an empty directory.
    pub(super) fn rmdir(&self, name: Name<'_>, expected: &dyn Node) -> Result<(), FsError> {
        let expected = self.ours(expected)?;
        let shared = self.shared();
        let changing = shared.changing();
        let found = self.still(name, expected)?;
        if found.kind() != Some(EntryKind::Directory) {
            return Err(FsError::NotDirectory);
        }
        if !found.is_empty(shared)? {
            return Err(FsError::NotEmpty);
        }
        let upper = shared.raise_directory(&changing, &self.core.spot)?;
        self.hide(&upper, name, &found)?;
        let aside = match &found.upper {
            Some(node) => Some(shared.set_aside(&changing, &upper, &stored(name), node)?),
            None => None,
        };
        expected.core.spot.went();
        if let Some(aside) = aside {
            shared.clear(&upper, &aside)?;
        }
        shared.tidy(&upper, name)
    }

    /// Sees to it that the lower layer's `name` does not show when the upper layer has none, provided that this overlay has seen
    /// it. What came to be there without its knowledge is not its own to hide.
    pub(super) fn hide(&self, upper: &NodeRef, name: Name<'_>, found: &View) -> Result<(), FsError> {
        let shared = self.shared();
        let Some(directory) = self.core.view().lower else { return Ok(()) };
        let path = join(&directory.path, name.as_str());
        match (&found.upper, &found.lower) {
            (None, Some(lower)) => shared.remember(lower)?,
            _ if shared.base(&path)?.is_none() => return Ok(()),
            _ => {}
        }
        shared.put_record(upper, &names::whiteout(name), &record::whiteout(name))
    }

    /// The object of `name`, which must be the expected one.
    pub(super) fn still(&self, name: Name<'_>, expected: &Self) -> Result<View, FsError> {
        let shared = self.shared();
        let found = self.directory()?.find(shared, name)?;
        if found.kind().is_none() {
            return Err(FsError::NoEntry);
        }
        let same = shared.is(&expected.core, &self.core.spot, name.as_str(), &found)?;
        if same { Ok(found) } else { Err(FsError::Busy) }
    }

    fn vacant(&self, name: Name<'_>) -> Result<(), FsError> {
        match self.directory()?.find(self.shared(), name) {
            Ok(View { upper: None, lower: None }) => Ok(()),
            Ok(_) | Err(FsError::Refused(_)) => Err(FsError::Exists),
            Err(error) => Err(error),
        }
    }
}

impl Shared {
    /// Removes what is recorded about a name that nothing has any more in the upper layer.
    pub(super) fn tidy(&self, upper: &NodeRef, name: Name<'_>) -> Result<(), FsError> {
        self.drop_record(upper, &names::mode(name))?;
        names::spelling(name).map_or(Ok(()), |spelling| self.drop_record(upper, &spelling))
    }

    /// The permissions that an object is to have where the changes are applied, if anything says so.
    pub(super) fn mode(&self, directory: &View, name: Name<'_>, found: &View) -> Result<Option<u32>, FsError> {
        if let Some(recorded) = self.recorded_mode(directory, name)? {
            return Ok(Some(recorded));
        }
        match (&found.upper, &found.lower, &directory.lower) {
            (_, Some(lower), _) => Facts::of(lower.node.as_ref()).map(|facts| Some(facts.mode)),
            (Some(upper), None, Some(Lower { path, .. })) => {
                let base = self.base(&join(path, name.as_str()))?;
                Ok(base.filter(|base| base.facts.kind == upper.kind()).map(|base| base.facts.mode))
            }
            _ => Ok(None),
        }
    }

    /// The permissions that are on record for `name`.
    pub(super) fn recorded_mode(&self, directory: &View, name: Name<'_>) -> Result<Option<u32>, FsError> {
        let Some(upper) = &directory.upper else { return Ok(None) };
        Ok(self.record(upper, &names::mode(name))?.as_deref().and_then(record::parse_mode))
    }

    /// Room for what [`Shared::set_mode`] will record, so that it does not fail for want of it when there is no way back.
    pub(super) fn room_for_mode(&self, name: Name<'_>, kind: EntryKind, mode: Option<u32>) -> Result<u64, FsError> {
        let cost = worth_recording(kind, mode)
            .map_or(0, |mode| entry_cost(&names::mode(name), count(record::mode(mode).len())));
        self.budget.take(cost).map(|()| cost)
    }

    /// Records the permissions that `name` is to have, where they are not the usual ones.
    pub(super) fn set_mode(
        &self,
        upper: &NodeRef,
        name: Name<'_>,
        kind: EntryKind,
        mode: Option<u32>,
    ) -> Result<(), FsError> {
        match worth_recording(kind, mode) {
            Some(mode) => self.put_record(upper, &names::mode(name), &record::mode(mode)),
            None => Ok(()),
        }
    }
}

/// Permissions that are not the usual ones.
fn worth_recording(kind: EntryKind, mode: Option<u32>) -> Option<u32> {
    let plain = if kind == EntryKind::Directory { PLAIN_DIRECTORY } else { PLAIN_FILE };
    mode.filter(|mode| *mode != plain && kind != EntryKind::Link)
}
