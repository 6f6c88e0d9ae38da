//! What the calls of a session share: files and buckets in memory, and what a person allowed for it; gone with the session.

use std::io::{self, Write};
use std::sync::Arc;

use caplet_keyvalue::Store;
use caplet_policy::Allowance;
use caplet_vfs::{FileSystem, MemoryStore, write_tar};

use crate::approval::Answers;
use crate::buckets::{BucketOptions, in_memory};
use crate::mount::StoreName;
use crate::shared::NamedStores;

/// The files behind `session` mounts and the buckets behind `session` stores, of all tools that a session lets at them.
///
/// Nothing of it is ever on a disk, unless it is written out with [`SessionData::write_tar`]. Cheap to make; each is apart from
/// all others, and has no name that could be guessed.
///
/// Stores of a session that a [`Toolbox`](crate::Toolbox) names are in it too, each apart from the others and with a quota of its own.
#[derive(Debug)]
pub struct SessionData {
    quota: u64,
    /// What it may hold together with the data of other sessions.
    together: Option<Arc<Allowance>>,
    files: NamedStores<MemoryStore>,
    buckets: NamedStores<caplet_keyvalue::MemoryStore>,
    pub(crate) answers: Arc<Answers>,
}

impl SessionData {
    /// Empty data of at most `quota` bytes of files, with 1 KiB and its name for each entry, and as much again of keys and values.
    #[must_use]
    pub fn new(quota: u64) -> Self {
        Self {
            quota,
            together: None,
            files: NamedStores::default(),
            buckets: NamedStores::default(),
            answers: Arc::default(),
        }
    }

    /// The same, where all that it holds is also taken from `together`, which other sessions have too.
    #[must_use]
    pub fn within(self, together: Arc<Allowance>) -> Self {
        Self { together: Some(together), ..self }
    }

    fn allowance(&self, quota: Option<u64>) -> Allowance {
        Allowance::new(quota.unwrap_or(self.quota)).part_of(self.together.clone())
    }

    /// Writes all files to `out`, as a tar archive; not those of stores that a toolbox names.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write_tar(&self, out: &mut dyn Write) -> io::Result<()> {
        write_tar(self.files(None, None).as_ref(), out)
    }

    /// The files behind `session`, or behind the store of that name, which is made with `quota` when it is first asked for.
    pub(crate) fn files(&self, name: Option<StoreName>, quota: Option<u64>) -> Arc<dyn FileSystem> {
        self.files.get_or_make(name, || MemoryStore::within(self.allowance(quota)))
    }

    /// The buckets behind `session`, or behind the store of that name, which is made when it is first asked for.
    pub(crate) fn buckets(&self, name: Option<StoreName>, options: BucketOptions) -> Arc<dyn Store> {
        self.buckets.get_or_make(name, || in_memory(options, self.allowance(options.quota)))
    }
}
