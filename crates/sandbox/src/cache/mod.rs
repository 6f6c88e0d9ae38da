//! A folder of entries that are used only if this user wrote them, whole.
//!
//! It holds compiled code, which runs with all of this process's authority, and facts about tools, which say what is run. What
//! always holds: an entry is given out only after its MAC was checked in the very file that is given out; the MAC speaks of the name
//! as well as of the bytes, so that no entry stands in for another; the key never leaves the folder, which only its user can read.
//! Any number of processes may use a folder at once, and may end at any time: an entry appears whole, under its name, or not at all.

mod entry;
mod error;
mod key;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

pub use entry::Entry;
pub use error::{BadEntry, CacheError};
use key::Key;

/// The name of the key's file. No entry can have it: entries have a dot in their name.
const KEY_FILE: &str = "key";

/// What files that are being written start with.
const UNFINISHED: &str = ".new-";

/// After this long, a file that is still being written belongs to a process that is gone.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// How long an entry's time of use may be behind.
const USE_NOTED: Duration = Duration::from_secs(60 * 60);

/// The longest name of an entry, in bytes: with what is put before it, still a file name.
const NAME_BYTES: usize = 200;

/// A folder of authenticated entries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    key: Key,
    max_bytes: u64,
    written: AtomicU64,
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
    /// When the folder cannot be made, or is not this user's alone, or its key is not what it should be.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Self, CacheError> {
        let failed = |error: io::Error| CacheError::io(folder, &error);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let found = fs::symlink_metadata(folder).map_err(failed)?;
        if !found.is_dir() {
            return Err(CacheError::folder(folder, "it is a link, not a folder"));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(CacheError::folder(folder, "it belongs to another user"));
        }
        if found.mode() & 0o077 != 0 {
            return Err(CacheError::folder(folder, "other users may use it"));
        }
        let key = Key::load_or_make(&folder.join(KEY_FILE))?;
        Ok(Self(Arc::new(Folder { path: folder.to_owned(), key, max_bytes, written: AtomicU64::new(0) })))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.path
    }

    /// The entry called `name`; nothing if there is none.
    ///
    /// # Errors
    ///
    /// When there is one that is not to be used: torn, changed, another's, or no file of this user's. It is for the caller to tell and
    /// to write a new one.
    pub fn get(&self, name: &str) -> Result<Option<Entry>, BadEntry> {
        let path = self.path(name).map_err(|error| BadEntry(error.to_string()))?;
        let entry = Entry::open(&path, name, &self.0.key, self.0.max_bytes)?;
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
        let path = self.path(name)?;
        let trailer = entry::trailer(name, payload, &self.0.key);
        let size = u64::try_from(payload.len() + trailer.len()).unwrap_or(u64::MAX);
        if size > self.0.max_bytes {
            return Err(CacheError::TooLarge { bytes: size, max_bytes: self.0.max_bytes });
        }
        let number = self.0.written.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.0.path.join(format!("{UNFINISHED}{}-{number}-{name}", std::process::id()));
        let written = write_new(&unfinished, &[payload, &trailer]).and_then(|()| fs::rename(&unfinished, &path));
        written.map_err(|error| {
            // What is left of it is cleared away later, if not now.
            let _ = fs::remove_file(&unfinished);
            CacheError::io(&path, &error)
        })?;
        self.evict(&path)
    }

    /// Removes the entry called `name`, if it is there.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), CacheError> {
        let path = self.path(name)?;
        gone(fs::remove_file(&path)).map_err(|error| CacheError::io(&path, &error))
    }

    /// How much the cache holds.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn stats(&self) -> Result<CacheStats, CacheError> {
        let files = self.files()?;
        Ok(self.sum(&files))
    }

    /// Removes every entry; gives what was removed. The key stays.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read, or an entry not removed.
    pub fn clear(&self) -> Result<CacheStats, CacheError> {
        let files = self.files()?;
        for file in &files {
            gone(fs::remove_file(&file.path)).map_err(|error| CacheError::io(&file.path, &error))?;
        }
        Ok(self.sum(&files))
    }

    fn sum(&self, files: &[Held]) -> CacheStats {
        CacheStats {
            entries: u64::try_from(files.len()).unwrap_or(u64::MAX),
            bytes: files.iter().map(|file| file.bytes).sum(),
            max_bytes: self.0.max_bytes,
        }
    }

    /// Where an entry is. A name is one file name that is no other thing's.
    fn path(&self, name: &str) -> Result<PathBuf, CacheError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let sound = (1..=NAME_BYTES).contains(&name.len()) && !name.starts_with('.') && name.contains('.');
        if sound && name.bytes().all(is_plain) {
            Ok(self.0.path.join(name))
        } else {
            Err(CacheError::Name(name.to_owned()))
        }
    }

    /// Lets go of what was not used for longest until the rest fits, but not of `newest`; and of what gone processes left behind.
    fn evict(&self, newest: &Path) -> Result<(), CacheError> {
        let mut files = self.files()?;
        files.sort_unstable_by_key(|file| file.used);
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        for file in files.iter().filter(|file| file.path != newest) {
            if bytes <= self.0.max_bytes {
                break;
            }
            gone(fs::remove_file(&file.path)).map_err(|error| CacheError::io(&file.path, &error))?;
            bytes = bytes.saturating_sub(file.bytes);
        }
        Ok(())
    }

    /// All entries. Unfinished files are not among them; those of gone processes are removed on the way.
    fn files(&self) -> Result<Vec<Held>, CacheError> {
        let failed = |error: io::Error| CacheError::io(&self.0.path, &error);
        let mut files = Vec::new();
        for listed in fs::read_dir(&self.0.path).map_err(failed)? {
            let listed = listed.map_err(failed)?;
            // Another process may have removed it since.
            let Ok(found) = listed.metadata() else { continue };
            let used = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let name = listed.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(UNFINISHED) {
                if used.elapsed().is_ok_and(|age| age > ABANDONED) {
                    let _ = fs::remove_file(listed.path());
                }
            } else if name != KEY_FILE && !found.is_dir() {
                files.push(Held { path: listed.path(), bytes: found.len(), used });
            }
        }
        Ok(files)
    }
}

/// An entry in the folder.
struct Held {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// What is gone already is removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn write_new(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))
}

/// Notes that an entry is in use, for the choice of what to let go of. A folder that cannot be written is still of use.
fn note_use(file: &File) {
    let stale = |used: SystemTime| used.elapsed().is_ok_and(|age| age > USE_NOTED);
    if file.metadata().and_then(|found| found.modified()).is_ok_and(stale) {
        let _ = file.set_modified(SystemTime::now());
    }
}
