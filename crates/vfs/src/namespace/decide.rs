//! Asking the guard, in the words of the walk.

use std::sync::Arc;

use caplet_policy::{Denied, FsOp, GuestPath, Permitted, Read, Search, Write, WriteTree};

use super::World;
use crate::FsError;
use crate::descriptor::Place;

/// What a guest wants with the object at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Search,
    Read,
    Write,
}

impl World {
    pub(super) fn search(&self, path: &GuestPath) -> Result<Permitted<Search>, FsError> {
        Ok(self.guard.check(Search(path.clone()))?)
    }

    pub(super) fn read(&self, path: &GuestPath) -> Result<Permitted<Read>, FsError> {
        self.permit(Read(path.clone()))
    }

    pub(super) fn write(&self, path: &GuestPath) -> Result<Permitted<Write>, FsError> {
        self.changeable(path)?;
        self.permit(Write(path.clone()))
    }

    pub(super) fn write_tree(&self, path: &GuestPath) -> Result<Permitted<WriteTree>, FsError> {
        self.changeable(path)?;
        self.permit(WriteTree(path.clone()))
    }

    /// As [`World::write`], where the answer is a failure in any case, which nobody needs to be asked about.
    pub(super) fn write_unasked(&self, path: &GuestPath) -> Result<Permitted<Write>, FsError> {
        self.changeable(path)?;
        Ok(self.guard.check(Write(path.clone()))?)
    }

    /// Whether somebody would have to be asked before `path` may be written.
    pub(super) fn asks_to_write(&self, path: &GuestPath) -> bool {
        self.guard.question(&Write(path.clone())).is_some()
    }

    fn permit<O: Clone + Into<FsOp>>(&self, op: O) -> Result<Permitted<O>, FsError> {
        match self.guard.question(&op) {
            Some(question) => Err(FsError::Asks(Box::new(question))),
            None => Ok(self.guard.check(op)?),
        }
    }

    /// Refuses what lies in a mount that is only there to be read. Nothing is told of a path that may not be written anyway.
    fn changeable(&self, path: &GuestPath) -> Result<(), FsError> {
        // Of several mounts at one place the last counts.
        let above = self.mounts.iter().filter(|mount| path.starts_with(&mount.at));
        let mount = above.max_by_key(|mount| mount.at.as_str().len());
        if mount.is_some_and(|mount| mount.read_only) && self.guard.would_permit(&Write(path.clone())) {
            return Err(self.refuse(Want::Write, path, "it is mounted read-only"));
        }
        Ok(())
    }

    /// Whether anything at or below `path` could be permitted, so that its existence may be known. Not recorded.
    pub(super) fn sees(&self, path: &GuestPath) -> bool {
        self.guard.would_permit(&Search(path.clone()))
    }

    /// Whether `path` could be read, so that a file or link there may be known to exist. Not recorded.
    pub(super) fn reads(&self, path: &GuestPath) -> bool {
        self.guard.would_permit(&Read(path.clone()))
    }

    /// The answer for a name that is missing: the same as for a file there that is refused.
    pub(super) fn absent(&self, want: Want, path: &GuestPath) -> FsError {
        self.decide(want, path).err().unwrap_or(FsError::NoEntry)
    }

    /// The answer where a directory is needed and something else is there; where that may not be known, it is as good as missing.
    pub(super) fn not_a_directory(&self, path: &GuestPath) -> FsError {
        if self.reads(path) { FsError::NotDirectory } else { FsError::NoEntry }
    }

    /// The token to ask `place` for names, decided once for a mount point or a handle.
    pub(super) fn searched(&self, place: &mut Place) -> Result<Arc<Permitted<Search>>, Denied> {
        if let Some(token) = &place.search {
            return Ok(Arc::clone(token));
        }
        let mount = place.mount().and_then(|mount| self.mounts.get(mount)).filter(|mount| mount.at == place.path);
        let token = match mount.and_then(|mount| mount.search.get()) {
            Some(token) => Arc::clone(token),
            None => Arc::new(self.guard.check(Search(place.path.clone()))?),
        };
        if let Some(mount) = mount {
            mount.search.get_or_init(|| Arc::clone(&token));
        }
        place.search = Some(Arc::clone(&token));
        Ok(token)
    }

    /// Records that what the guest wants is refused by the host itself, whatever the rules say.
    pub(super) fn refuse(&self, want: Want, path: &GuestPath, reason: &str) -> FsError {
        let denied = match want {
            Want::Search => self.guard.refuse(Search(path.clone()), reason),
            Want::Read => self.guard.refuse(Read(path.clone()), reason),
            Want::Write => self.guard.refuse(Write(path.clone()), reason),
        };
        denied.into()
    }

    /// The answer to a walk that may not go to `blocked`. Recorded is what the guest meant, where that is known to lie below, so
    /// that the hint names the one file and not the directory.
    pub(super) fn deny(&self, want: Want, blocked: &GuestPath, meant: Option<&GuestPath>) -> FsError {
        if let Some(meant) = meant.filter(|meant| meant.starts_with(blocked))
            && let Err(denied) = self.decide(want, meant)
        {
            return denied;
        }
        match self.search(blocked) {
            Err(denied) => denied,
            Ok(_) => self.refuse(want, blocked, "the rules permit nothing here"),
        }
    }

    fn decide(&self, want: Want, path: &GuestPath) -> Result<(), FsError> {
        match want {
            Want::Search => self.search(path).map(drop),
            Want::Read => self.read(path).map(drop),
            Want::Write => self.write(path).map(drop),
        }
    }
}
