//! Reading a directory of the host, one buffer of the kernel at a time.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, RawDir, statat};
use rustix::io::Errno;

use crate::{Entry, EntryKind, FsError, Listing};

/// What one batch takes from the kernel: a few hundred entries.
const BATCH_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct HostListing {
    directory: OwnedFd,
}

impl HostListing {
    /// Reads `directory`, which must be open to be read and at its start.
    pub(super) fn new(directory: OwnedFd) -> Self {
        Self { directory }
    }

    /// Whether an entry of exactly this name is there.
    pub(super) fn has(&self, name: &str) -> Result<bool, FsError> {
        let mut found = false;
        while !found && self.each(|entry, _| found |= entry == name.as_bytes())? {}
        Ok(found)
    }

    /// Whether there are entries that are not listed.
    pub(super) fn has_unseen(&self) -> Result<bool, FsError> {
        let mut unseen = false;
        let mut look = |name: &[u8], kind| {
            let own = matches!(name, b"." | b"..");
            let shown = std::str::from_utf8(name).is_ok_and(|name| self.kind(name, kind).is_some());
            unseen |= !own && !shown;
        };
        while self.each(&mut look)? {}
        Ok(unseen)
    }

    /// Calls `act` with the entries of one buffer. Gives whether there was one.
    fn each(&self, mut act: impl FnMut(&[u8], FileType)) -> Result<bool, FsError> {
        let mut buffer = [MaybeUninit::uninit(); BATCH_BYTES];
        let mut entries = RawDir::new(&self.directory, &mut buffer);
        loop {
            match entries.next() {
                None => return Ok(false),
                Some(Ok(entry)) => act(entry.file_name().to_bytes(), entry.file_type()),
                // The directory was removed meanwhile.
                Some(Err(Errno::NOENT)) => return Ok(false),
                Some(Err(error)) => return Err(error.into()),
            }
            if entries.is_buffer_empty() {
                return Ok(true);
            }
        }
    }

    fn kind(&self, name: &str, kind: FileType) -> Option<EntryKind> {
        match kind {
            FileType::RegularFile => Some(EntryKind::File),
            FileType::Directory => Some(EntryKind::Directory),
            FileType::Symlink => Some(EntryKind::Link),
            FileType::Unknown => {
                let stat = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
                super::node::file_stat(&stat).ok().map(|stat| stat.kind)
            }
            _ => None,
        }
    }
}

impl Listing for HostListing {
    fn next_batch(&mut self) -> Result<Option<Vec<Entry>>, FsError> {
        let mut found = Vec::new();
        let more = self.each(|name, kind| {
            if let Ok(name) = std::str::from_utf8(name)
                && !matches!(name, "." | "..")
            {
                found.push((name.to_owned(), kind));
            }
        })?;
        let batch =
            found.into_iter().filter_map(|(name, kind)| Some(Entry { kind: self.kind(&name, kind)?, name })).collect();
        Ok(more.then_some(batch))
    }
}
