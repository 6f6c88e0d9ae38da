//! Forgetting changes without applying them.

use std::collections::BTreeSet;

use super::changes::Change;
use super::commit::{Choice, is_within, meant};
use super::names;
use super::shared::Changing;
use super::survey::{Action, Item, parent};
use super::{OverlayError, OverlayStore};
use crate::host::replace::Replacing;
use crate::{EntryKind, FsError, Name, NodeRef};

impl OverlayStore {
    /// Forgets changes: what was chosen is again as the directory has it. Gives what was forgotten.
    ///
    /// The directory is not written, but for what an attempt to apply the changes left in it that was killed.
    ///
    /// Of a directory that was moved, the two halves are chosen each for itself. Where only what was added is dropped, the removal of
    /// what it was is a conflict from then on, since it would be the last of it.
    ///
    /// # Errors
    ///
    /// [`OverlayError::Open`], [`OverlayError::NoChange`], [`OverlayError::Whole`], [`OverlayError::TooDeep`] unless all are
    /// forgotten, or when a store fails.
    pub fn discard(&self, choice: Choice<'_>) -> Result<Vec<Change>, OverlayError> {
        self.alone(|changing| {
            let shared = &self.shared;
            if let Choice::All = choice {
                // A tree that is too deep to be compared can still be dropped.
                let items = shared.survey().map(|survey| survey.items).unwrap_or_default();
                items.iter().try_for_each(|item| self.take_away_remains(item))?;
                shared.forget_all(changing).map_err(OverlayError::new("the changes cannot be forgotten"))?;
                return Ok(items.iter().filter_map(Item::change).collect());
            }
            let mut survey = shared.survey()?;
            if survey.displaced {
                shared.place_all(changing)?;
                survey = shared.survey()?;
            }
            let items = meant(&survey, choice)?;
            items.iter().try_for_each(|item| self.take_away_remains(item))?;
            let mut touched = BTreeSet::new();
            // What is gone comes back from above; what was added goes from below.
            let (gone, others): (Vec<&Item>, Vec<&Item>) = items.iter().partition(|item| item.action == Action::Remove);
            let mut back: Vec<&str> = Vec::new();
            for item in gone {
                // With a directory comes all that is in it.
                if back.last().is_some_and(|path| is_within(&item.path, path)) {
                    shared.forget_base(&item.path).map_err(failed(item))?;
                } else {
                    self.bring_back(changing, item)?;
                    back.push(&item.path);
                }
                touched.insert(parent(&item.path));
            }
            for item in others.into_iter().rev() {
                let disowned = if item.action == Action::Add { shared.disown(&item.path) } else { Ok(()) };
                let dropped = disowned.and_then(|()| match (item.action, item.what) {
                    (Action::Add, EntryKind::Directory) => shared.drop_directory(changing, &item.path),
                    _ => shared.forget(item),
                });
                dropped.map_err(failed(item))?;
                touched.insert(parent(&item.path));
            }
            shared.prune(changing, &touched).map_err(OverlayError::new("the changes cannot be forgotten"))?;
            Ok(items.iter().filter_map(Item::change).collect())
        })
    }

    /// Takes away what was prepared below for `item` by a process that was killed while it applied it: nobody else will now.
    fn take_away_remains(&self, item: &Item) -> Result<(), OverlayError> {
        if item.what == EntryKind::Directory || !matches!(item.action, Action::Add | Action::Replace) {
            return Ok(());
        }
        let clear = || {
            let (above, name) = item.path.rsplit_once('/').unwrap_or(("", &item.path));
            let directory = match above {
                "" => Some(NodeRef::clone(&self.shared.lower)),
                above => self.shared.lower_at(above)?,
            };
            let Some(directory) = directory else { return Ok(()) };
            Replacing { directory: directory.as_ref(), name: Name::parse(name)?, expected: None }.without_remains()
        };
        clear().map_err(failed(item))
    }

    /// Lets a name of the lower layer show again.
    fn bring_back(&self, changing: &Changing<'_>, item: &Item) -> Result<(), OverlayError> {
        let shared = &self.shared;
        let above = parent(&item.path);
        if !above.is_empty() {
            shared.reopen(changing, &above)?;
        }
        let failed = OverlayError::new(format!("{} cannot be brought back", item.path));
        let shown = shared
            .above(&item.path)
            .and_then(|found| found.map_or(Ok(()), |(above, name)| shared.drop_record(&above, &names::whiteout(name))));
        shown.and_then(|()| shared.forget_base(&item.path)).map_err(failed)
    }
}

fn failed(item: &Item) -> impl FnOnce(FsError) -> OverlayError + use<> {
    OverlayError::new(format!("{} cannot be forgotten", item.path))
}
