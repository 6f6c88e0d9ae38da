//! A folder of entries that are used only if this user wrote them, whole.
//!
//! It holds compiled code, which runs with all of this process's authority, and facts about tools, which say what is run. What
//! always holds: an entry is given out only after its MAC was checked in the very file that is given out; the MAC speaks of the name
//! as well as of the bytes, so that no entry stands in for another; the key never leaves the folder, which only its user can read.
//! Any number of processes may use a folder at once, and may end at any time: an entry appears whole, under its name, or not at all.

mod entry;
mod error;
mod folder;
mod key;
mod mac;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use entry::Entry;
pub use error::{BadEntry, CacheError};
use folder::{Folder, Held, is_far_off, is_name};
use key::Key;

/// How long an entry's time of use may be behind: telling every use would write to the disk each time.
const USE_NOTED: Duration = Duration::from_secs(60 * 60);

/// A folder of authenticated entries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    folder: Folder,
    key: Key,
    max_bytes: u64,
}

/// How much a cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Entries.
    pub entries: u64,
    /// Bytes of all entries.
    pub bytes: u64,
    /// The most bytes that the cache keeps.
    pub max_bytes: u64,
}

impl Cache {
    /// Opens the cache in `folder`, and makes it if it is not there. It keeps at most `max_bytes`.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, is not this user's alone, or holds other files, or its key is not what it should be.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Self, CacheError> {
        let folder = Folder::open(folder)?;
        let key = Key::load_or_make(&folder)?;
        Ok(Self(Arc::new(Opened { folder, key, max_bytes })))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.folder.path
    }

    /// The entry called `name`; nothing if there is none.
    ///
    /// # Errors
    ///
    /// When there is one that is not to be used: torn, changed, another's, or no file of this user's. It is for the caller to tell and
    /// to write a new one.
    pub fn get(&self, name: &str) -> Result<Option<Entry>, BadEntry> {
        check(name).map_err(|error| BadEntry(error.to_string()))?;
        let entry = Entry::open(&self.0.folder, name, &self.0.key, self.0.max_bytes)?;
        if let Some(entry) = &entry {
            note_use(entry.file());
        }
        Ok(entry)
    }

    /// Writes the entry called `name`, in place of one that there may be, and lets go of those that were not used for longest when
    /// all together are more than the cache keeps.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or is larger than the whole cache.
    pub fn put(&self, name: &str, payload: &[u8]) -> Result<(), CacheError> {
        check(name)?;
        let Opened { folder, key, max_bytes } = &*self.0;
        let bytes = mac::size(payload).saturating_add(mac::size(&[0; entry::TRAILER_BYTES]));
        if bytes > *max_bytes {
            return Err(CacheError::TooLarge { bytes, max_bytes: *max_bytes });
        }
        let write = |trailer: Vec<u8>| folder.write(&[payload, &trailer], false)?.replace(name);
        entry::trailer(name, payload, key).and_then(write).map_err(|error| self.failed(name, &error))?;
        self.evict(name)
    }

    /// Removes the entry called `name`, if it is there.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), CacheError> {
        check(name)?;
        self.0.folder.remove(name).map_err(|error| self.failed(name, &error))
    }

    /// How much the cache holds.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn stats(&self) -> Result<CacheStats, CacheError> {
        Ok(self.sum(&self.entries()?))
    }

    /// Removes every entry; gives what was removed. The key stays.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read, or an entry not removed.
    pub fn clear(&self) -> Result<CacheStats, CacheError> {
        let entries = self.entries()?;
        entries.iter().try_for_each(|entry| self.remove(&entry.name))?;
        Ok(self.sum(&entries))
    }

    fn sum(&self, entries: &[Held]) -> CacheStats {
        CacheStats {
            entries: u64::try_from(entries.len()).unwrap_or(u64::MAX),
            bytes: entries.iter().map(|entry| entry.bytes).sum(),
            max_bytes: self.0.max_bytes,
        }
    }

    /// Lets go of what was not used for longest until the rest fits, but not of `newest`.
    fn evict(&self, newest: &str) -> Result<(), CacheError> {
        let mut entries = self.entries()?;
        entries.sort_unstable_by_key(|entry| entry.used);
        let mut bytes = self.sum(&entries).bytes;
        for entry in entries.iter().filter(|entry| entry.name != newest) {
            if bytes <= self.0.max_bytes {
                break;
            }
            self.remove(&entry.name)?;
            bytes = bytes.saturating_sub(entry.bytes);
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<Held>, CacheError> {
        self.0.folder.entries().map_err(|error| CacheError::io(self.folder(), &error))
    }

    fn failed(&self, name: &str, error: &io::Error) -> CacheError {
        CacheError::io(&self.folder().join(name), error)
    }
}

fn check(name: &str) -> Result<(), CacheError> {
    if is_name(name) { Ok(()) } else { Err(CacheError::Name(name.to_owned())) }
}

/// Notes that an entry is in use, for the choice of what to let go of. A folder that cannot be written is still of use.
fn note_use(file: &File) {
    let now = SystemTime::now();
    let is_stale = |used: SystemTime| is_far_off(used, now, USE_NOTED);
    if file.metadata().and_then(|found| found.modified()).is_ok_and(is_stale) {
        let _ = file.set_modified(now);
    }
}
