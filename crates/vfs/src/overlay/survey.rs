//! Comparing what the overlay shows with what the directory has, where they can differ.
//!
//! A directory that continues the lower directory of the same path differs only in what the upper layer has and says is gone. Any
//! other one, new or moved, is compared name by name.

use std::collections::{BTreeSet, HashSet};

use super::changes::{Change, ChangeKind, Conflict, Version};
use super::names::{self, Stored, join};
use super::shared::Shared;
use super::trail::Trail;
use super::view::View;
use super::{OverlayError, record};
use crate::host::facts::{Facts, has_unseen};
use crate::{EntryKind, FsError, MAX_PATH_BYTES, Name, NodeRef};

/// What is to be done to one object.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) path: String,
    pub(super) action: Action,
    pub(super) what: EntryKind,
    /// What the directory has there.
    pub(super) before: Option<Facts>,
    pub(super) after: Option<Version>,
    pub(super) conflict: Option<Conflict>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Remove,
    Add,
    Replace,
    /// Nothing: both are the same already. What the overlay has of it can be forgotten.
    Settle,
}

impl Item {
    pub(super) fn change(&self) -> Option<Change> {
        let kind = match self.action {
            Action::Remove => ChangeKind::Removed,
            Action::Add => ChangeKind::Added,
            Action::Replace => ChangeKind::Changed,
            Action::Settle => return None,
        };
        let size = |facts: &Facts| if facts.kind == EntryKind::Directory { 0 } else { facts.size };
        Some(Change {
            path: self.path.clone(),
            kind,
            what: self.what,
            before: self.before.map(|facts| Version { size: size(&facts), mode: Some(facts.mode) }),
            after: self.after,
            conflict: self.conflict,
        })
    }
}

/// All that is to be done.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// By path; a removal before an addition of the same path.
    pub(super) items: Vec<Item>,
    /// Some upper directory is not in its place: new where the directory has one, or moved.
    pub(super) displaced: bool,
    /// Objects of the lower directory that the overlay shows elsewhere, where a directory was moved.
    carried: HashSet<String>,
}

/// A directory on the way.
#[derive(Clone, Debug)]
struct Level {
    view: View,
    /// The directory of the same path in the lower layer.
    target: Option<NodeRef>,
    /// The overlay has seen the lower directory, so that what it does not show of it is to be removed.
    known: bool,
}

impl Level {
    /// Whether the directory continues the lower one of the same path.
    fn in_place(&self, path: &str) -> bool {
        self.target.is_some() && self.view.lower.as_ref().is_some_and(|lower| lower.path == path)
    }
}

impl Shared {
    /// Compares. Names must not change meanwhile.
    pub(super) fn survey(&self) -> Result<Survey, OverlayError> {
        let top = Level { view: self.top(), target: Some(NodeRef::clone(&self.lower)), known: true };
        let mut survey = Survey::default();
        let mut trail = Trail::new(top.clone());
        let mut left: Vec<(usize, String)> = Vec::new();
        let mut here = Some((0, String::new(), top));
        while let Some((depth, path, level)) = here.take() {
            let inner = self.compare_all(&path, &level, &mut survey).map_err(failed(&path))?;
            left.extend(inner.into_iter().map(|name| (depth, name)));
            let Some((depth, name)) = left.pop() else { break };
            let level = trail.go(depth, &name, |above, path, name| self.descend(above, path, name));
            let path = trail.path(depth + 1);
            if path.len() > MAX_PATH_BYTES {
                return Err(OverlayError::TooDeep(path));
            }
            here = Some((depth + 1, path.clone(), level.map_err(failed(&path))?));
        }
        for item in &mut survey.items {
            // What was moved with its directory was not lost sight of.
            if item.conflict == Some(Conflict::Appeared) && survey.carried.contains(&item.path) {
                item.conflict = None;
            }
        }
        survey.items.sort_by(|one, other| (&one.path, one.action).cmp(&(&other.path, other.action)));
        Ok(survey)
    }

    fn descend(&self, above: &Level, path: &str, name: &str) -> Result<Level, FsError> {
        let listed = above.known && !above.in_place(path);
        let path = join(path, name);
        let name = Name::parse(name)?;
        let found = above.view.find(self, name)?;
        let target = self.there(above, &found, &path, name)?.node.filter(|node| node.kind() == EntryKind::Directory);
        let view = if found.kind() == Some(EntryKind::Directory) { found } else { View::default() };
        let known = target.is_some() && (listed || self.has_seen_directory(&path)?);
        Ok(Level { view, target, known })
    }

    /// Whether the overlay has seen a directory at `path` of the lower one.
    pub(super) fn has_seen_directory(&self, path: &str) -> Result<bool, FsError> {
        Ok(self.base(path)?.is_some_and(|base| base.facts.kind == EntryKind::Directory))
    }

    /// Compares the entries of one directory. Gives the directories in it that may differ.
    fn compare_all(&self, path: &str, level: &Level, survey: &mut Survey) -> Result<Vec<String>, FsError> {
        let in_place = level.in_place(path);
        survey.displaced |=
            level.view.upper.is_some() && !in_place && (level.target.is_some() || level.view.lower.is_some());
        let mut inner = Vec::new();
        for name in self.names_to_compare(level, in_place)? {
            let Ok(parsed) = Name::parse(&name) else { continue };
            let shown = match level.view.find(self, parsed) {
                Ok(shown) => shown,
                // Somebody has put a device there: no guest sees it, and no change can be applied from it.
                Err(FsError::Refused(_)) => continue,
                Err(error) => return Err(error),
            };
            if let (false, Some(lower)) = (in_place, &shown.lower) {
                survey.carried.insert(lower.path.clone());
            }
            let path = join(path, &name);
            let there = self.there(level, &shown, &path, parsed)?;
            let one = Compared { path, name: parsed, level, shown, there };
            if self.compare(&one, in_place, survey)? {
                inner.push(name);
            }
        }
        Ok(inner)
    }

    fn names_to_compare(&self, level: &Level, in_place: bool) -> Result<BTreeSet<String>, FsError> {
        let mut found = BTreeSet::new();
        match &level.view.upper {
            Some(upper) if in_place => {
                for (name, _) in self.entries(upper)? {
                    match Stored::of(&name) {
                        Stored::Whiteout => found.extend(self.gone_name(upper, &name)?),
                        Stored::Plain(_) | Stored::Hashed { .. } | Stored::Other => {
                            found.extend(self.spelt(upper, &name)?);
                        }
                    }
                }
            }
            _ => {
                found.extend(level.view.names(self)?);
                if let Some(target) = level.target.as_ref().filter(|_| level.known) {
                    found.extend(self.entries(target)?.into_iter().map(|(name, _)| name));
                }
            }
        }
        Ok(found)
    }

    /// The name that the record `kept` says is gone.
    pub(super) fn gone_name(&self, upper: &NodeRef, kept: &str) -> Result<Option<String>, FsError> {
        let text = self.record(upper, kept)?;
        let name = text.as_deref().and_then(record::parse_whiteout).and_then(|name| Name::parse(name).ok());
        Ok(name.filter(|name| names::whiteout(*name) == kept).map(|name| name.as_str().to_owned()))
    }

    /// What the lower directory has at `path`, which is `name` in `above`. Where `shown` has looked there already, it is what was
    /// found then: were it looked up again, somebody could have moved it meanwhile, and it would be taken for two things.
    fn there(&self, above: &Level, shown: &View, path: &str, name: Name<'_>) -> Result<There, FsError> {
        if let Some(lower) = shown.lower.as_ref().filter(|lower| lower.path == path) {
            return Ok(There { node: Some(NodeRef::clone(&lower.node)), special: false });
        }
        let Some(target) = &above.target else { return Ok(There::default()) };
        match self.find(target, name.as_str()) {
            // It was not there a moment ago.
            Ok(Some(node)) if node.kind() == EntryKind::Directory && self.continues(shown, path)? => {
                Ok(There::default())
            }
            Ok(node) => Ok(There { node, special: false }),
            Err(FsError::Refused(_)) => Ok(There { node: None, special: true }),
            Err(error) => Err(error),
        }
    }
}

/// What the lower directory has of a name.
#[derive(Debug, Default)]
struct There {
    node: Option<NodeRef>,
    /// Something that is neither file, directory nor link.
    special: bool,
}

/// One name on both sides.
struct Compared<'c> {
    path: String,
    name: Name<'c>,
    level: &'c Level,
    shown: View,
    there: There,
}

impl Shared {
    /// Compares one name. Gives whether what is below it is to be compared.
    fn compare(&self, one: &Compared<'_>, in_place: bool, survey: &mut Survey) -> Result<bool, FsError> {
        let item = |action, what, before, after, conflict| Item {
            path: one.path.clone(),
            action,
            what,
            before,
            after,
            conflict,
        };
        let there = one.there.node.as_ref();
        let before = there.map(|node| Facts::of(node.as_ref())).transpose()?;
        let conflict = self.conflict(one, before.as_ref())?;
        match (one.shown.kind(), there.map(|node| node.kind())) {
            (None, None) => {
                // Gone on both sides; or never there, and a device now.
                if in_place && !one.there.special {
                    survey.items.push(item(Action::Settle, EntryKind::File, None, None, None));
                }
                Ok(false)
            }
            (None, Some(what)) => {
                survey.items.push(item(Action::Remove, what, before, None, conflict));
                Ok(what == EntryKind::Directory)
            }
            (Some(EntryKind::Directory), Some(EntryKind::Directory)) => {
                if one.shown.lower.as_ref().is_none_or(|lower| lower.path != one.path) {
                    survey.items.push(item(Action::Settle, EntryKind::Directory, before, None, None));
                }
                Ok(true)
            }
            (Some(what), Some(was)) if what == was => {
                let after = self.version(one, before.as_ref())?;
                let (Some(shown), Some(there)) = (one.shown.node(), there) else { return Ok(false) };
                let same_mode = what == EntryKind::Link || after.mode == before.map(|facts| facts.mode);
                if !same_mode || !self.same_content(shown, there)? {
                    survey.items.push(item(Action::Replace, what, before, Some(after), conflict));
                } else if one.shown.upper.is_some() {
                    survey.items.push(item(Action::Settle, what, before, None, None));
                }
                Ok(false)
            }
            (Some(what), was) => {
                let after = self.version(one, None)?;
                let addition = if was.is_some() { None } else { conflict };
                if let Some(was) = was {
                    survey.items.push(item(Action::Remove, was, before, None, conflict));
                }
                survey.items.push(item(Action::Add, what, None, Some(after), addition));
                Ok(what == EntryKind::Directory || was == Some(EntryKind::Directory))
            }
        }
    }

    /// What an object is to be.
    fn version(&self, one: &Compared<'_>, before: Option<&Facts>) -> Result<Version, FsError> {
        let node = one.shown.node().ok_or(FsError::Io)?;
        let size = if node.kind() == EntryKind::Directory { 0 } else { node.stat(self.known())?.size };
        // Where the directory has the object, it stays as it is there, unless something was moved onto it.
        let mode = match (before, one.shown.upper.is_some()) {
            (Some(before), true) => self.recorded_mode(&one.level.view, one.name)?.or(Some(before.mode)),
            _ => self.mode(&one.level.view, one.name, &one.shown)?,
        };
        Ok(Version { size, mode: mode.filter(|_| node.kind() != EntryKind::Link) })
    }

    /// Whether what is shown at `path` is a directory that says that it continues the lower one there.
    fn continues(&self, shown: &View, path: &str) -> Result<bool, FsError> {
        match &shown.upper {
            Some(upper) if upper.kind() == EntryKind::Directory => Ok(self.origin(upper)?.as_deref() == Some(path)),
            _ => Ok(false),
        }
    }

    /// Whether the directory still has what the overlay once saw there.
    fn conflict(&self, one: &Compared<'_>, before: Option<&Facts>) -> Result<Option<Conflict>, FsError> {
        if one.there.special {
            return Ok(Some(Conflict::Appeared));
        }
        let base = self.base(&one.path)?;
        let (base, facts, node) = match (base, before, &one.there.node) {
            // Nothing is remembered of a directory that is only passed through, but the upper one says which one it continues.
            (None, None, _) => return Ok(self.continues(&one.shown, &one.path)?.then_some(Conflict::Vanished)),
            (None, Some(_), _) => return Ok(Some(Conflict::Appeared)),
            // One kind of object is not put in the place of another in one step. It may have been removed by us.
            (Some(base), None, _) => {
                let same = one.shown.kind() == Some(base.facts.kind);
                return Ok(same.then_some(Conflict::Vanished));
            }
            (Some(base), Some(facts), Some(node)) => (base, facts, node),
            (Some(_), Some(_), None) => return Err(FsError::Io),
        };
        if base.facts.kind != facts.kind {
            return Ok(Some(Conflict::Changed));
        }
        if facts.kind == EntryKind::Directory {
            let removed = one.shown.kind() != Some(EntryKind::Directory);
            return Ok(if removed && has_unseen(node.as_ref())? { Some(Conflict::Unseen) } else { None });
        }
        let same = *facts == base.facts
            || (facts.size == base.facts.size && base.content.is_some() && base.content == self.content(node)?);
        Ok((!same).then_some(Conflict::Changed))
    }
}

fn failed(path: &str) -> impl FnOnce(FsError) -> OverlayError {
    OverlayError::new(format!("{} cannot be compared", if path.is_empty() { "the directory" } else { path }))
}

/// The path of the directory that `path` is in.
pub(super) fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned())
}
