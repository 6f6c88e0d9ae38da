//! Content of a file of the host.

use std::io::IoSlice;
use std::os::fd::OwnedFd;

use caplet_policy::{Permitted, Write};
use rustix::buffer::spare_capacity;
use rustix::fs::{fstat, fsync, ftruncate, futimens};
use rustix::io::{Errno, ReadWriteFlags, pread, pwrite, pwritev2, retry_on_intr};

use super::node::{file_stat, timestamps};
use crate::{File, FileStat, FsError, NewTime, NodeId};

/// Up to here a read takes a buffer of the size that was asked for, without a look at the size of the file.
const SMALL_READ_BYTES: usize = 64 * 1024;

/// A regular file, open. The kernel knows whether to read, write or both.
#[derive(Debug)]
pub(super) struct HostFile {
    pub(super) fd: OwnedFd,
    pub(super) id: NodeId,
}

impl File for HostFile {
    fn id(&self) -> NodeId {
        self.id
    }

    fn stat(&self) -> Result<FileStat, FsError> {
        file_stat(&fstat(&self.fd)?)
    }

    fn size(&self) -> Result<u64, FsError> {
        Ok(self.stat()?.size)
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, FsError> {
        if i64::try_from(offset).is_err() {
            return Err(FsError::Invalid);
        }
        let capacity = if length <= SMALL_READ_BYTES {
            length
        } else {
            let left = usize::try_from(self.size()?.saturating_sub(offset)).unwrap_or(usize::MAX);
            length.min(left.max(SMALL_READ_BYTES))
        };
        if capacity == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::with_capacity(capacity);
        retry_on_intr(|| pread(&self.fd, spare_capacity(&mut bytes), offset))?;
        bytes.truncate(length);
        Ok(bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize, FsError> {
        Ok(retry_on_intr(|| pwrite(&self.fd, bytes, offset))?)
    }

    fn append(&self, bytes: &[u8]) -> Result<usize, FsError> {
        let appended = retry_on_intr(|| pwritev2(&self.fd, &[IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND));
        match appended {
            // Some file systems cannot: then two writers at the end may meet.
            Err(Errno::NOSYS | Errno::NOTSUP) => self.write_at(self.size()?, bytes),
            appended => Ok(appended?),
        }
    }

    fn set_size(&self, size: u64) -> Result<(), FsError> {
        Ok(retry_on_intr(|| ftruncate(&self.fd, size))?)
    }

    fn set_times(&self, _permit: &Permitted<Write>, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
        Ok(futimens(&self.fd, &timestamps(accessed, modified))?)
    }

    fn sync(&self, _permit: &Permitted<Write>) -> Result<(), FsError> {
        Ok(fsync(&self.fd)?)
    }
}
