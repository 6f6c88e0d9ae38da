//! Applying changes to the directory.
//!
//! All that was chosen is checked first; where anything is not as the overlay once saw it, nothing is applied. Then each object is
//! applied in one step, directories before what is in them and removals after, and forgotten. So it can be cut short anywhere and
//! done again: what was applied already is the same on both sides, and that is no conflict.

use std::collections::BTreeSet;

use super::change::PLAIN_DIRECTORY;
use super::changes::{Change, Conflict};
use super::ledger::pieces;
use super::names::stored;
use super::shared::{Changing, Shared, count};
use super::survey::{Action, Item, Survey, parent};
use super::{OverlayError, OverlayStore};
use crate::host::replace::{Replacing, sync};
use crate::{EntryKind, File, FsError, Name, NewTime, NodeRef};

/// After how many changes in one directory it is synced, and they are forgotten.
const BATCH: usize = 64;

/// Which changes are meant.
#[derive(Clone, Copy, Debug)]
pub enum Choice<'c> {
    /// All of them.
    All,
    /// Those at these paths and below, as [`Change::path`] has them.
    Paths(&'c [String]),
}

/// What came of applying changes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[must_use]
pub struct Committed {
    /// What was applied.
    pub applied: Vec<Change>,
    /// What stood in the way. Where `applied` is empty, nothing has been done; otherwise the directory was changed by somebody
    /// else in the meantime, and what is left can be applied when that is settled.
    pub conflicts: Vec<Change>,
}

impl OverlayStore {
    /// Applies changes to the directory. Directories that what was chosen lies in are made with it.
    ///
    /// Files are replaced as a whole, with the permissions that the old one had; a new one has the usual ones. Times alone are no
    /// change. It may be called again after it was cut short; a process that is killed leaves at most one prepared file beside the
    /// one that it was for, which the next attempt takes away.
    ///
    /// # Errors
    ///
    /// [`OverlayError::Open`], [`OverlayError::NoChange`], [`OverlayError::TooDeep`], or when a store fails.
    pub fn commit(&self, choice: Choice<'_>) -> Result<Committed, OverlayError> {
        self.alone(|changing| {
            let shared = &self.shared;
            let mut survey = shared.survey()?;
            let mut chosen = chosen(&survey, choice)?;
            if survey.displaced && conflicts(&chosen).is_empty() {
                shared.place_all(changing)?;
                survey = shared.survey()?;
                chosen = self::chosen(&survey, choice)?;
            }
            let conflicts = conflicts(&chosen);
            if !conflicts.is_empty() {
                return Ok(Committed { applied: Vec::new(), conflicts });
            }
            let done = Commit { shared, pending: Vec::new(), touched: BTreeSet::new(), done: Committed::default() };
            let done = done.run(changing, chosen)?;
            if matches!(choice, Choice::All) && done.conflicts.is_empty() {
                let failed = OverlayError::new("what was applied cannot be forgotten");
                shared.forget_all(changing).map_err(failed)?;
            }
            Ok(done)
        })
    }

    /// Does `act` while nobody else does anything, and with no regard to the quota.
    pub(super) fn alone<T>(
        &self,
        act: impl FnOnce(&Changing<'_>) -> Result<T, OverlayError>,
    ) -> Result<T, OverlayError> {
        let changing = self.shared.changing();
        match self.shared.held() {
            0 => {}
            held => return Err(OverlayError::Open(held)),
        }
        self.shared.budget.lift(true);
        let done = act(&changing);
        // Directories have gone, whose identity others may come to have.
        self.shared.table().origins.clear();
        self.shared.budget.lift(false);
        done
    }
}

/// The items that are meant by `choice`.
pub(super) fn meant(survey: &Survey, choice: Choice<'_>) -> Result<Vec<Item>, OverlayError> {
    let Choice::Paths(paths) = choice else { return Ok(survey.items.clone()) };
    let paths: Vec<&str> = paths.iter().map(|path| path.trim_end_matches('/')).collect();
    if let Some(nothing) = paths.iter().find(|path| !survey.items.iter().any(|item| is_within(&item.path, path))) {
        return Err(OverlayError::NoChange((*nothing).to_owned()));
    }
    let meant = survey.items.iter().filter(|item| paths.iter().any(|path| is_within(&item.path, path)));
    Ok(meant.cloned().collect())
}

/// The items that are meant by `choice`, with those above them that they need.
fn chosen(survey: &Survey, choice: Choice<'_>) -> Result<Vec<Item>, OverlayError> {
    let mut chosen = meant(survey, choice)?;
    let additions = chosen.iter().filter(|item| item.action != Action::Remove);
    let needed: BTreeSet<String> = additions.flat_map(|item| parents(&item.path)).collect();
    let have: BTreeSet<&str> = chosen.iter().map(|item| item.path.as_str()).collect();
    let missing = |item: &&Item| needed.contains(&item.path) && !have.contains(item.path.as_str());
    let above: Vec<Item> = survey.items.iter().filter(missing).cloned().collect();
    chosen.extend(above);
    chosen.sort_by(|one, other| (&one.path, one.action).cmp(&(&other.path, other.action)));
    Ok(chosen)
}

/// Whether `path` is `chosen` or lies below it.
pub(super) fn is_within(path: &str, chosen: &str) -> bool {
    let below = || path.strip_prefix(chosen).is_some_and(|rest| rest.starts_with('/'));
    matches!(chosen, "" | ".") || path == chosen || below()
}

/// The paths of all directories that `path` is in, but the top.
fn parents(path: &str) -> impl Iterator<Item = String> + use<> {
    let mut here = path.to_owned();
    std::iter::from_fn(move || {
        here = parent(&here);
        (!here.is_empty()).then(|| here.clone())
    })
}

fn conflicts(chosen: &[Item]) -> Vec<Change> {
    chosen.iter().filter(|item| item.conflict.is_some()).filter_map(Item::change).collect()
}

/// Changes being applied.
struct Commit<'c> {
    shared: &'c Shared,
    /// Applied in one directory, which is not synced yet.
    pending: Vec<Item>,
    /// Directories of the overlay in which something was forgotten.
    touched: BTreeSet<String>,
    done: Committed,
}

impl Commit<'_> {
    fn run(mut self, changing: &Changing<'_>, chosen: Vec<Item>) -> Result<Committed, OverlayError> {
        for item in in_order(chosen) {
            let failed = OverlayError::new(format!("{} cannot be applied", item.path));
            match self.apply(&item) {
                Ok(()) => self.applied(item)?,
                // It has changed since it was looked at, a moment ago.
                Err(FsError::Busy | FsError::NotEmpty | FsError::Exists | FsError::NotDirectory) => {
                    let change = Item { conflict: Some(Conflict::Changed), ..item }.change();
                    self.done.conflicts.extend(change);
                    break;
                }
                Err(error) => {
                    self.flush()?;
                    return Err(failed(error));
                }
            }
        }
        self.flush()?;
        let failed = OverlayError::new("what was applied cannot be forgotten");
        self.shared.prune(changing, &self.touched).map_err(failed)?;
        Ok(self.done)
    }

    fn apply(&self, item: &Item) -> Result<(), FsError> {
        if item.action == Action::Settle {
            return Ok(());
        }
        let (above, name) = item.path.rsplit_once('/').unwrap_or(("", &item.path));
        let directory = match above {
            "" => NodeRef::clone(&self.shared.lower),
            above => self.shared.lower_at(above)?.ok_or(FsError::Busy)?,
        };
        let expected = item.before.as_ref();
        let replacing = Replacing { directory: directory.as_ref(), name: Name::parse(name)?, expected };
        let mode = item.after.and_then(|after| after.mode);
        match (item.action, item.what) {
            (Action::Remove | Action::Settle, _) => match replacing.with_nothing() {
                Err(FsError::NoEntry) => Ok(()),
                done => done,
            },
            (Action::Add | Action::Replace, EntryKind::Directory) => {
                replacing.with_directory(mode.unwrap_or(PLAIN_DIRECTORY))
            }
            (Action::Add | Action::Replace, EntryKind::Link) => {
                replacing.with_link(&self.source(item)?.read_link(self.shared.known())?)
            }
            (Action::Add | Action::Replace, EntryKind::File) => {
                let source = self.source(item)?;
                replacing.with_file(mode, &mut |file| self.fill(&source, file))
            }
        }
    }

    /// The object that the overlay has at the path of `item`.
    fn source(&self, item: &Item) -> Result<NodeRef, FsError> {
        let (above, name) = self.shared.above(&item.path)?.ok_or(FsError::Io)?;
        self.shared.find(&above, &stored(name))?.ok_or(FsError::Io)
    }

    fn fill(&self, source: &NodeRef, file: &dyn File) -> Result<(), FsError> {
        let from = self.shared.read(source)?;
        let mut at = 0;
        pieces(&from, u64::MAX, |bytes| {
            let mut left = bytes;
            while !left.is_empty() {
                let written = file.write_at(at, left)?;
                left = left.get(written..).unwrap_or_default();
                at += count(written);
            }
            Ok(())
        })?;
        let modified = from.stat()?.modified.map_or(NewTime::Keep, NewTime::At);
        file.set_times(&self.shared.tokens.write, NewTime::Keep, modified)
    }

    fn applied(&mut self, item: Item) -> Result<(), OverlayError> {
        let elsewhere = self.pending.last().is_some_and(|last| parent(&last.path) != parent(&item.path));
        if elsewhere || self.pending.len() >= BATCH {
            self.flush()?;
        }
        self.pending.push(item);
        Ok(())
    }

    /// Makes what was applied in one directory last, and forgets it.
    fn flush(&mut self) -> Result<(), OverlayError> {
        let Some(last) = self.pending.last() else { return Ok(()) };
        let above = parent(&last.path);
        let failed = || OverlayError::new(format!("what was applied in {above:?} cannot be forgotten"));
        let directory = match above.as_str() {
            "" => Some(NodeRef::clone(&self.shared.lower)),
            above => self.shared.lower_at(above).map_err(failed())?,
        };
        if let Some(directory) = directory {
            sync(directory.as_ref()).map_err(failed())?;
        }
        for item in std::mem::take(&mut self.pending) {
            self.shared.forget(&item).map_err(failed())?;
            self.done.applied.extend(item.change());
            self.touched.insert(parent(&item.path));
        }
        Ok(())
    }
}

/// Removals that make room for something else, those below first; then what is added and changed, those above first; then the
/// other removals.
fn in_order(chosen: Vec<Item>) -> Vec<Item> {
    let added: BTreeSet<String> =
        chosen.iter().filter(|item| item.action == Action::Add).map(|item| item.path.clone()).collect();
    let (removals, others): (Vec<Item>, Vec<Item>) = chosen.into_iter().partition(|item| item.action == Action::Remove);
    let makes_room = |item: &Item| added.contains(&item.path) || parents(&item.path).any(|path| added.contains(&path));
    let (mut first, mut last): (Vec<Item>, Vec<Item>) = removals.into_iter().partition(makes_room);
    first.reverse();
    last.reverse();
    first.into_iter().chain(others).chain(last).collect()
}
