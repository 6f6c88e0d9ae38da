//! Bringing objects of the lower layer to the upper one, at their first change.
//!
//! What is copied is prepared under a name that nobody looks for and then gets its own in one step. Before that step nothing is
//! shown of it, after it all is; there is nothing to be repaired in between.

use std::sync::{Arc, PoisonError};

use sha2::{Digest as _, Sha256};

use super::ledger::{HASHED_BYTES, pieces};
use super::names::{self, hex};
use super::record::{self, Base};
use super::shared::{Changing, Shared, count};
use super::spot::{Core, Place, Spot};
use super::upper::Draft;
use super::view::Lower;
use crate::host::facts::Facts;
use crate::{EntryKind, FsError, Name, NewTime, NodeRef};

/// How often a file that changes while it is copied is copied again.
const COPY_ATTEMPTS: usize = 3;

/// All of a file.
pub(super) const WHOLE: u64 = u64::MAX;

impl Core {
    /// The object in the upper layer; brought there, if it is a file or link that is not. Of a file, only the first `keep` bytes
    /// are wanted.
    pub(super) fn raised(self: &Arc<Self>, keep: u64) -> Result<NodeRef, FsError> {
        if let Some(upper) = self.upper() {
            return Ok(upper);
        }
        let shared = self.shared();
        if self.spot.kind == EntryKind::Directory {
            return shared.raise_directory(&shared.changing(), &self.spot);
        }
        let _copying = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        match self.upper() {
            Some(upper) => Ok(upper),
            None => self.copy(keep),
        }
    }

    fn copy(self: &Arc<Self>, keep: u64) -> Result<NodeRef, FsError> {
        let shared = self.shared();
        let lower = self.view().lower.ok_or(FsError::Io)?;
        let before = self.spot.place();
        let (draft, base) = shared.copy_object(&lower, keep)?;
        let changing = shared.changing();
        let settled = match (before, self.spot.place()) {
            (Place::In(parent, name), Place::In(still, same)) if Arc::ptr_eq(&parent, &still) && name == same => {
                self.show(&changing, &draft, &lower, &base)
            }
            // It has no name: it is copied for those who hold it, and no name leads to the copy either.
            (_, Place::Gone) => self.keep_nameless(&draft),
            // The host has moved it in the lower directory.
            _ => Err(FsError::Busy),
        };
        match settled {
            Ok(()) => {
                self.spot.rose(&draft.node);
                Ok(draft.node)
            }
            Err(error) => {
                // What cannot be cleared now is when the store is opened again.
                drop(shared.clear(&draft.place, &draft.name));
                Err(error)
            }
        }
    }

    /// Lets a copy take the place of what it is a copy of.
    fn show(&self, changing: &Changing<'_>, draft: &Draft, lower: &Lower, base: &Base) -> Result<(), FsError> {
        let Place::In(parent, name) = self.spot.place() else { return Err(FsError::NoEntry) };
        let (shared, name) = (self.shared(), Name::parse(&name)?);
        let directory = shared.raise_directory(changing, &parent)?;
        shared.remember_as(lower, base)?;
        let named = shared.undisturbed(&directory, || shared.name(changing, draft, &directory, name));
        named.inspect_err(|_| drop(shared.forget_base(&lower.path)))
    }

    /// Takes the name from a copy, which goes on taking room until it is let go.
    fn keep_nameless(&self, draft: &Draft) -> Result<(), FsError> {
        let shared = self.shared();
        let mut size = self.size();
        let bytes = match draft.node.kind() {
            EntryKind::File => shared.read(&draft.node)?.size()?,
            EntryKind::Directory | EntryKind::Link => 0,
        };
        let found = shared.find(&draft.place, &draft.name)?.ok_or(FsError::Busy)?;
        shared.remove(&draft.place, &draft.name, &found)?;
        shared.budget.replace(0, bytes);
        *size = Some(bytes);
        Ok(())
    }
}

impl Shared {
    /// Copies a file or link of the lower layer to a draft. Gives what it was.
    pub(super) fn copy_object(&self, lower: &Lower, keep: u64) -> Result<(Draft, Base), FsError> {
        for _ in 0..COPY_ATTEMPTS {
            let facts = Facts::of(lower.node.as_ref())?;
            let (draft, content) = match lower.node.kind() {
                EntryKind::Link => self.copy_link(lower)?,
                EntryKind::File => self.copy_file(lower, keep)?,
                EntryKind::Directory => return Err(FsError::IsDirectory),
            };
            let copied = Facts::of(lower.node.as_ref())
                .and_then(|after| Ok((after.is_still(&facts), self.copy_times(lower, &draft.node)?)));
            match copied {
                Ok((true, ())) => return Ok((draft, Base { facts, content })),
                Ok((false, ())) => self.clear(&draft.place, &draft.name)?,
                Err(error) => {
                    drop(self.clear(&draft.place, &draft.name));
                    return Err(error);
                }
            }
        }
        Err(FsError::Busy)
    }

    fn copy_link(&self, lower: &Lower) -> Result<(Draft, Option<String>), FsError> {
        let target = lower.node.read_link(self.known())?;
        let make = |draft: Name<'_>| self.ledger.create_link(&self.tokens.write, draft, &target);
        let draft = self.draft(&self.ledger, make, count(target.len()))?;
        Ok((draft, Some(names::hash(target.as_bytes()))))
    }

    fn copy_file(&self, lower: &Lower, keep: u64) -> Result<(Draft, Option<String>), FsError> {
        let size = lower.node.stat(self.known())?.size;
        // At once, and not after most of it was copied.
        self.budget.paying(size.min(keep), || Ok(()))?;
        self.budget.give_back(size.min(keep));
        let make = |draft: Name<'_>| self.ledger.create_file(&self.tokens.write, draft).map(drop);
        let draft = self.draft(&self.ledger, make, 0)?;
        match self.copy_content(lower, &draft.node, size, keep) {
            Ok(content) => Ok((draft, content)),
            Err(error) => {
                drop(self.clear(&draft.place, &draft.name));
                Err(error)
            }
        }
    }

    /// Copies the first `keep` bytes of a file of `size` bytes. Gives the hash of all of it, if it was read.
    fn copy_content(&self, lower: &Lower, node: &NodeRef, size: u64, keep: u64) -> Result<Option<String>, FsError> {
        let (from, to) = (self.read(&lower.node)?, self.read_and_write(node)?);
        let (mut hasher, mut at) = (Sha256::new(), 0);
        let end = pieces(&from, if size <= HASHED_BYTES { WHOLE } else { keep }, |bytes| {
            hasher.update(bytes);
            let wanted = usize::try_from(keep.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
            let mut left = bytes.get(..wanted).unwrap_or_default();
            self.budget.take(count(wanted))?;
            while !left.is_empty() {
                let written = to.write_at(at, left).inspect_err(|_| self.budget.give_back(count(left.len())))?;
                left = left.get(written..).unwrap_or_default();
                at += count(written);
            }
            Ok(())
        })?;
        // What a crash of the host leaves must be the whole file or none.
        to.sync(&self.tokens.write)?;
        Ok((end >= size).then(|| hex(hasher.finalize().as_slice())))
    }

    /// The directory of `spot` in the upper layer, made there with those above it where they are not there yet.
    pub(super) fn raise_directory(&self, changing: &Changing<'_>, spot: &Arc<Spot>) -> Result<NodeRef, FsError> {
        let (mut way, mut here) = (Vec::new(), Arc::clone(spot));
        let mut upper = loop {
            let held = here.held().and_then(|core| core.upper());
            here = match (here.place(), held) {
                (Place::Gone, _) => return Err(FsError::NoEntry),
                (_, Some(upper)) => break upper,
                (Place::Top, None) => break NodeRef::clone(&self.upper),
                (Place::In(parent, name), None) => {
                    way.push((here, name));
                    parent
                }
            };
        };
        for (spot, name) in way.into_iter().rev() {
            upper = self.raise_one(changing, &upper, &spot, Name::parse(&name)?)?;
        }
        Ok(upper)
    }

    /// The directory of `spot`, `name` in `parent`.
    fn raise_one(
        &self,
        changing: &Changing<'_>,
        parent: &NodeRef,
        spot: &Arc<Spot>,
        name: Name<'_>,
    ) -> Result<NodeRef, FsError> {
        match self.find(parent, &names::stored(name))? {
            Some(node) if node.kind() == EntryKind::Directory => return Ok(node),
            Some(_) => return Err(FsError::Busy),
            None => {}
        }
        let path = spot.lower_path.clone().ok_or(FsError::Io)?;
        let node = match spot.held().and_then(|core| core.view().lower) {
            Some(lower) => lower.node,
            None => self.lower_at(&path)?.ok_or(FsError::NoEntry)?,
        };
        let upper = self.raise_lower(changing, parent, &Lower { node, path }, name)?;
        spot.rose(&upper);
        Ok(upper)
    }

    /// Makes a directory in the upper layer that continues `lower`.
    pub(super) fn raise_lower(
        &self,
        changing: &Changing<'_>,
        parent: &NodeRef,
        lower: &Lower,
        name: Name<'_>,
    ) -> Result<NodeRef, FsError> {
        let facts = Facts::of(lower.node.as_ref())?;
        let make = |draft: Name<'_>| self.ledger.create_directory(&self.tokens.write, draft);
        let draft = self.draft(&self.ledger, make, 0)?;
        let settled = self
            .set_origin(&draft.node, &lower.path)
            .and_then(|()| self.copy_times(lower, &draft.node))
            .and_then(|()| self.remember_as(lower, &Base { facts, content: None }))
            .and_then(|()| self.undisturbed(parent, || self.name(changing, &draft, parent, name)));
        match settled {
            Ok(()) => Ok(draft.node),
            Err(error) => {
                drop(self.clear(&draft.place, &draft.name));
                Err(error)
            }
        }
    }

    /// Gives a draft the guest's name.
    pub(super) fn name(
        &self,
        _changing: &Changing<'_>,
        draft: &Draft,
        directory: &NodeRef,
        name: Name<'_>,
    ) -> Result<(), FsError> {
        self.spell(directory, name)?;
        self.settle(draft, directory, &names::stored(name))
    }

    /// Records how `name` is spelt, where it is kept under another one.
    pub(super) fn spell(&self, directory: &NodeRef, name: Name<'_>) -> Result<(), FsError> {
        match names::spelling(name) {
            Some(spelling) => self.put_record(directory, &spelling, &record::spelling(name)),
            None => Ok(()),
        }
    }

    /// Does `act` without a trace in the times of `directory`: for the guest, nothing has changed there.
    pub(super) fn undisturbed<T>(
        &self,
        directory: &NodeRef,
        act: impl FnOnce() -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let before = directory.stat(self.known())?;
        let done = act()?;
        self.set_times(directory, before.accessed.zip(before.modified))?;
        Ok(done)
    }

    fn copy_times(&self, lower: &Lower, upper: &NodeRef) -> Result<(), FsError> {
        let times = lower.node.stat(self.known())?;
        self.set_times(upper, times.accessed.zip(times.modified))
    }

    fn set_times(&self, node: &NodeRef, times: Option<(crate::Timestamp, crate::Timestamp)>) -> Result<(), FsError> {
        // Times before 1970 are not told, and so not kept.
        let Some((accessed, modified)) = times else { return Ok(()) };
        match node.set_times(&self.tokens.write, NewTime::At(accessed), NewTime::At(modified)) {
            // Of some objects a store cannot set them.
            Err(FsError::Unsupported) => Ok(()),
            done => done,
        }
    }
}
