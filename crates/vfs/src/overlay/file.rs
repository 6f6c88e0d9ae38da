//! Open files. A file of the lower layer is copied to the upper one when it is first changed, and not when it is opened: whoever
//! has it open by then goes on with the copy.

use std::sync::{Arc, OnceLock};

use caplet_policy::{Permitted, Write};

use super::copy::WHOLE;
use super::shared::{Shared, count};
use super::spot::Core;
use crate::store::Access;
use crate::{File, FileRef, FileStat, FsError, NewTime, NodeId};

#[derive(Debug)]
pub(super) struct OverlayFile {
    core: Arc<Core>,
    reads: bool,
    writes: bool,
    /// Where it was found in the lower layer.
    lower: Option<FileRef>,
    upper: OnceLock<FileRef>,
}

impl OverlayFile {
    /// A file of the upper layer, open already.
    pub(super) fn of_upper(core: Arc<Core>, file: FileRef, access: [bool; 2]) -> Self {
        let [reads, writes] = access;
        Self { core, reads, writes, lower: None, upper: OnceLock::from(file) }
    }

    /// A file of the lower layer, open to be read, whatever it may be used for.
    pub(super) fn of_lower(core: Arc<Core>, file: FileRef, access: [bool; 2]) -> Self {
        let [reads, writes] = access;
        Self { core, reads, writes, lower: Some(file), upper: OnceLock::new() }
    }

    fn shared(&self) -> &Arc<Shared> {
        self.core.shared()
    }

    /// The file where it is now.
    fn current(&self) -> Result<&FileRef, FsError> {
        match (&self.lower, self.upper.get()) {
            (_, Some(upper)) => Ok(upper),
            (Some(lower), None) if !self.core.has_upper() => Ok(lower),
            (_, None) => self.upper(WHOLE),
        }
    }

    /// The file in the upper layer, brought there if need be.
    fn upper(&self, keep: u64) -> Result<&FileRef, FsError> {
        if let Some(upper) = self.upper.get() {
            return Ok(upper);
        }
        let node = self.core.raised(keep)?;
        let tokens = &self.shared().tokens;
        let file = match (self.reads, self.writes) {
            (_, false) => node.open(Access::Read(&tokens.read))?,
            (false, true) => node.open(Access::Write(&tokens.write))?,
            (true, true) => node.open(Access::Both(&tokens.read, &tokens.write))?,
        };
        Ok(self.upper.get_or_init(|| file))
    }

    /// Changes the file. `act` is given its size, and gives the new one; the difference is counted.
    fn change<T>(&self, keep: u64, act: impl FnOnce(&FileRef, u64) -> Result<(T, u64), FsError>) -> Result<T, FsError> {
        if !self.writes {
            return Err(FsError::BadDescriptor);
        }
        let file = self.upper(keep)?;
        let mut size = self.core.size();
        let before = match *size {
            Some(size) => size,
            None => file.size()?,
        };
        let done = act(file, before);
        *size = match &done {
            Ok((_, after)) => Some(*after),
            Err(_) => None,
        };
        done.map(|(value, _)| value)
    }

    fn write(&self, bytes: &[u8], place: impl FnOnce(u64) -> u64, appends: bool) -> Result<usize, FsError> {
        if bytes.is_empty() && self.writes {
            return Ok(0);
        }
        let budget = &self.shared().budget;
        self.change(WHOLE, |file, size| {
            let offset = place(size);
            let growth = offset.saturating_add(count(bytes.len())).saturating_sub(size);
            let written =
                budget.paying(growth, || if appends { file.append(bytes) } else { file.write_at(offset, bytes) })?;
            let after = if written == 0 { size } else { size.max(offset.saturating_add(count(written))) };
            budget.give_back((size + growth).saturating_sub(after));
            Ok((written, after))
        })
    }
}

impl File for OverlayFile {
    fn id(&self) -> NodeId {
        self.core.spot.id
    }

    fn stat(&self) -> Result<FileStat, FsError> {
        let stat = self.current()?.stat()?;
        // In the lower layer, other names of the file are other files here.
        let links = if self.core.has_upper() { stat.links } else { 1 };
        Ok(FileStat { links, ..stat })
    }

    fn size(&self) -> Result<u64, FsError> {
        self.current()?.size()
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, FsError> {
        if self.reads { self.current()?.read_at(offset, length) } else { Err(FsError::BadDescriptor) }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize, FsError> {
        self.write(bytes, |_| offset, false)
    }

    fn append(&self, bytes: &[u8]) -> Result<usize, FsError> {
        self.write(bytes, |size| size, true)
    }

    fn set_size(&self, size: u64) -> Result<(), FsError> {
        let budget = &self.shared().budget;
        self.change(size, |file, before| {
            budget.paying(size.saturating_sub(before), || file.set_size(size))?;
            budget.give_back(before.saturating_sub(size));
            Ok(((), size))
        })
    }

    fn set_times(&self, permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        self.upper(WHOLE)?.set_times(permit, accessed, modified)
    }

    fn sync(&self, permit: &Permitted<Write>) -> Result<(), FsError> {
        // What was not changed has nothing to lose.
        if self.core.has_upper() { self.upper(WHOLE)?.sync(permit) } else { Ok(()) }
    }
}
