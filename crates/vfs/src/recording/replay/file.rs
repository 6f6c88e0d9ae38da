//! Open files of a replay.

use std::sync::Arc;

use caplet_policy::{Permitted, Write};

use super::super::tree::Op;
use super::Shared;
use super::inode::{Inode, State};
use crate::{File, FileStat, FsError, NewTime, NodeId};

#[derive(Debug)]
pub(super) struct ReplayFile {
    pub(super) shared: Arc<Shared>,
    pub(super) inode: Arc<Inode>,
    /// What the guest calls it.
    pub(super) path: String,
    pub(super) reads: bool,
    pub(super) writes: bool,
}

impl ReplayFile {
    fn unknown(&self, what: &str) -> FsError {
        self.shared.unknown.note(format!("{what} {}", self.path));
        FsError::Io
    }

    /// How long it is by now; a file of which that is not known cannot be changed in the middle.
    fn known_size(&self, state: &State) -> Result<u64, FsError> {
        state.size.ok_or_else(|| self.unknown("read"))
    }

    fn begin_write(&self, op: Op) -> Result<(), FsError> {
        if !self.writes {
            return Err(FsError::BadDescriptor);
        }
        self.inode.begin(&self.shared, op, "")
    }

    fn put(&self, state: &mut State, offset: u64, bytes: &[u8]) -> usize {
        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        state.content.write(offset, bytes);
        let start = state.size.map_or(offset, |size| size.min(offset));
        state.known.insert(start, end);
        state.size = state.size.map(|size| size.max(end));
        bytes.len()
    }
}

impl File for ReplayFile {
    fn id(&self) -> NodeId {
        self.inode.id
    }

    fn stat(&self) -> Result<FileStat, FsError> {
        self.inode.stat(&self.shared, || self.path.clone())
    }

    fn size(&self) -> Result<u64, FsError> {
        self.known_size(&self.inode.lock())
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, FsError> {
        if !self.reads {
            return Err(FsError::BadDescriptor);
        }
        self.inode.begin(&self.shared, Op::Read, "")?;
        let state = self.inode.lock();
        let end = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let end = state.size.map_or(end, |size| end.min(size));
        if offset >= end {
            return Ok(Vec::new());
        }
        let known = state.known.reach(offset).min(end);
        if known == offset {
            drop(state);
            return Err(self.unknown("read"));
        }
        // What is known goes first; the rest is not known when it is asked for.
        Ok(state.content.read(offset, usize::try_from(known - offset).unwrap_or(length)))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize, FsError> {
        self.begin_write(Op::Write)?;
        Ok(self.put(&mut self.inode.lock(), offset, bytes))
    }

    fn append(&self, bytes: &[u8]) -> Result<usize, FsError> {
        self.begin_write(Op::Write)?;
        let mut state = self.inode.lock();
        let size = self.known_size(&state)?;
        Ok(self.put(&mut state, size, bytes))
    }

    fn set_size(&self, size: u64) -> Result<(), FsError> {
        self.begin_write(Op::Resize)?;
        let mut state = self.inode.lock();
        let before = state.size.unwrap_or(size);
        state.content.set_size(size);
        state.known.insert(before.min(size), u64::MAX);
        state.size = Some(size);
        Ok(())
    }

    fn set_times(&self, _permit: &Permitted<Write>, _accessed: NewTime, _modified: NewTime) -> Result<(), FsError> {
        self.inode.begin(&self.shared, Op::Times, "")
    }

    fn sync(&self, _permit: &Permitted<Write>) -> Result<(), FsError> {
        self.inode.begin(&self.shared, Op::Sync, "")
    }
}
