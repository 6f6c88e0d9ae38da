//! Before changes are applied or dropped: every upper directory comes to continue the lower directory of its own path, if there
//! is one. Nothing that a guest sees changes by it.
//!
//! A directory that was moved gets a copy of everything it shows, so that nothing depends on where it came from; then changes can be
//! applied one by one, in any choice, and again after a crash. That takes the room of a copy, whatever the quota.

use super::OverlayError;
use super::copy::WHOLE;
use super::names::{self, SOURCE, join};
use super::record;
use super::shared::{Changing, Shared};
use super::trail::Trail;
use super::view::View;
use crate::{EntryKind, FsError, Name, NodeRef};

/// An upper directory on the way.
type Above = View;

impl Shared {
    /// Brings every upper directory into its place.
    pub(super) fn place_all(&self, changing: &Changing<'_>) -> Result<(), OverlayError> {
        self.each_upper(|path, view| self.fill(changing, path, view))?;
        self.each_upper(|path, view| self.put_in_place(path, view))
    }

    /// Calls `act` with each upper directory below the top, those above first.
    fn each_upper(&self, act: impl Fn(&str, &Above) -> Result<(), FsError>) -> Result<(), OverlayError> {
        let mut trail = Trail::new(self.top());
        let mut left: Vec<(usize, String)> = Vec::new();
        let mut here = Some((0, self.top()));
        while let Some((depth, view)) = here.take() {
            let path = trail.path(depth);
            let failed = OverlayError::new(format!("{path} cannot be prepared"));
            let inner = self.upper_directories(&view).map_err(failed)?;
            left.extend(inner.into_iter().map(|name| (depth, name)));
            let Some((depth, name)) = left.pop() else { break };
            let step = |above: &View, _: &str, name: &str| above.find(self, Name::parse(name)?);
            let view = trail.go(depth, &name, step).and_then(|view| {
                let path = trail.path(depth + 1);
                act(&path, &view).map(|()| view)
            });
            let failed = OverlayError::new(format!("{} cannot be prepared", trail.path(depth + 1)));
            here = Some((depth + 1, view.map_err(failed)?));
        }
        Ok(())
    }

    fn upper_directories(&self, view: &View) -> Result<Vec<String>, FsError> {
        let Some(upper) = &view.upper else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for (name, kind) in self.entries(upper)? {
            if kind == EntryKind::Directory {
                found.extend(self.spelt(upper, &name)?);
            }
        }
        Ok(found)
    }

    /// Gives a directory that was moved what it shows of the lower directory that it came from.
    fn fill(&self, changing: &Changing<'_>, path: &str, view: &View) -> Result<(), FsError> {
        let (Some(upper), Some(lower)) = (&view.upper, &view.lower) else { return Ok(()) };
        if lower.path == path {
            return Ok(());
        }
        for name in view.names(self)? {
            let name = Name::parse(&name)?;
            let shown = view.find(self, name)?;
            let Some(kind) = shown.kind() else { continue };
            let mode = self.mode(view, name, &shown)?;
            if let (None, Some(lower)) = (&shown.upper, &shown.lower) {
                if kind == EntryKind::Directory {
                    drop(self.raise_lower(changing, upper, lower, name)?);
                } else {
                    let (draft, base) = self.copy_object(lower, WHOLE)?;
                    self.remember_as(lower, &base)?;
                    self.name(changing, &draft, upper, name)?;
                }
            }
            self.set_mode(upper, name, kind, mode)?;
        }
        self.put_record(upper, SOURCE, &record::origin(&lower.path))?;
        self.drop_origin(upper)
    }

    /// Lets go of the claim to have moved what is at `path`, which is about to be dropped. Where its directory came from, it was then
    /// never seen: were it removed there as well, nobody would have it any more.
    pub(super) fn disown(&self, path: &str) -> Result<(), FsError> {
        let source = |directory: &NodeRef| -> Result<Option<String>, FsError> {
            let text = self.record(directory, SOURCE)?;
            Ok(text.as_deref().and_then(record::parse_origin).map(str::to_owned))
        };
        let Some((above, name)) = self.above(path)? else { return Ok(()) };
        if let Some(source) = source(&above)? {
            self.forget_base(&join(&source, name.as_str()))?;
        }
        match self.upper_at(path)?.map(|node| source(&node)).transpose()?.flatten() {
            Some(source) => self.forget_base(&source),
            None => Ok(()),
        }
    }

    /// Lets a directory that continues nothing continue the lower one of the same path. What that one has and this one does not
    /// show is said to be gone, if the overlay has seen the lower directory; otherwise it shows from now on.
    fn put_in_place(&self, path: &str, view: &View) -> Result<(), FsError> {
        let Some(upper) = view.upper.as_ref().filter(|_| view.lower.is_none()) else { return Ok(()) };
        if self.origin(upper)?.as_deref() == Some(path) {
            // It is in its place; somebody has moved the lower one away, perhaps for a moment only.
            return Ok(());
        }
        let Some(there) = self.lower_at(path)? else { return Ok(()) };
        // These were about another directory.
        self.show_all(upper)?;
        if self.has_seen_directory(path)? {
            self.hide_all(upper, &there)?;
        }
        self.set_origin(upper, path)
    }

    /// Says that everything in the lower directory `there` is gone that `upper` does not have.
    fn hide_all(&self, upper: &NodeRef, there: &NodeRef) -> Result<(), FsError> {
        for (name, _) in self.entries(there)? {
            let Ok(name) = Name::parse(&name) else { continue };
            if self.find(upper, &names::stored(name))?.is_none() {
                self.put_record(upper, &names::whiteout(name), &record::whiteout(name))?;
            }
        }
        Ok(())
    }

    /// Makes the upper directory of a lower one that is gone, with everything in it gone instead, so that something in it can come
    /// back alone.
    pub(super) fn reopen(&self, changing: &Changing<'_>, path: &str) -> Result<(), OverlayError> {
        let mut here = self.top();
        let mut reached = String::new();
        for text in path.split('/') {
            let failed = || OverlayError::new(format!("{} cannot be prepared", join(&reached, text)));
            let name = Name::parse(text).map_err(failed())?;
            let next = here.find(self, name).map_err(failed())?;
            here = match next.kind() {
                Some(EntryKind::Directory) => next,
                Some(_) => return Err(OverlayError::Whole(join(&reached, text))),
                None => {
                    self.reopen_one(changing, &here, &join(&reached, text), name).map_err(failed())?;
                    here.find(self, name).map_err(failed())?
                }
            };
            reached = join(&reached, text);
        }
        Ok(())
    }

    fn reopen_one(&self, changing: &Changing<'_>, above: &View, path: &str, name: Name<'_>) -> Result<(), FsError> {
        let upper = above.upper.as_ref().ok_or(FsError::NoEntry)?;
        let there = self.lower_at(path)?.ok_or(FsError::NoEntry)?;
        let make = |draft: Name<'_>| self.ledger.create_directory(&self.tokens.write, draft);
        let draft = self.draft(&self.ledger, make, 0)?;
        self.hide_all(&draft.node, &there)?;
        self.set_origin(&draft.node, path)?;
        self.name(changing, &draft, upper, name)?;
        self.drop_record(upper, &names::whiteout(name))
    }
}
