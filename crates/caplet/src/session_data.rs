//! What the calls of a session share: files and buckets in memory, gone with the session.

use std::io::{self, Write};
use std::sync::Arc;

use caplet_keyvalue::Store;
use caplet_vfs::{FileSystem, MemoryStore, write_tar};

/// The files behind `session` mounts and the buckets behind `session` stores, of all tools that a session lets at them.
///
/// Nothing of it is ever on a disk, unless it is written out with [`SessionData::write_tar`]. Cheap to make; each is apart from
/// all others, and has no name that could be guessed.
#[derive(Debug)]
pub struct SessionData {
    files: Arc<MemoryStore>,
    buckets: Arc<caplet_keyvalue::MemoryStore>,
}

impl SessionData {
    /// Empty data of at most `quota` bytes of files, with 1 KiB and its name for each entry, and as much again of keys and values.
    #[must_use]
    pub fn new(quota: u64) -> Self {
        let files = Arc::new(MemoryStore::new(quota));
        Self { files, buckets: Arc::new(caplet_keyvalue::MemoryStore::new(quota)) }
    }

    /// Writes all files to `out`, as a tar archive.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write_tar(&self, out: &mut dyn Write) -> io::Result<()> {
        write_tar(self.files.as_ref(), out)
    }

    pub(crate) fn files(&self) -> Arc<dyn FileSystem> {
        Arc::clone(&self.files) as _
    }

    pub(crate) fn buckets(&self) -> Arc<dyn Store> {
        Arc::clone(&self.buckets) as _
    }
}
