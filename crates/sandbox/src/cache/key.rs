//! The key that entries are authenticated with.

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::error::CacheError;

const KEY_BYTES: usize = blake3::KEY_LEN;

/// A secret of one user's.
pub(super) struct Key([u8; KEY_BYTES]);

impl Key {
    /// The key in the file at `path`, made first if it is not there. Processes that make it at the same time agree on one.
    pub(super) fn load_or_make(path: &Path) -> Result<Self, CacheError> {
        match Self::load(path) {
            Err(CacheError::Io { ref source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::make(path).map_err(|error| CacheError::io(path, &error))?;
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    fn load(path: &Path) -> Result<Self, CacheError> {
        let failed = |error: io::Error| CacheError::io(path, &error);
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
        let mut file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let is_own = found.is_file() && found.uid() == rustix::process::geteuid().as_raw();
        if !is_own || found.mode() & 0o077 != 0 || found.len() != u64::try_from(KEY_BYTES).unwrap_or(u64::MAX) {
            return Err(CacheError::Key(path.to_owned()));
        }
        let mut key = [0; KEY_BYTES];
        file.read_exact(&mut key).map_err(failed)?;
        Ok(Self(key))
    }

    /// Puts a new key at `path`, whole, unless there is one by then.
    fn make(path: &Path) -> io::Result<()> {
        let mut key = [0; KEY_BYTES];
        let made = rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())?;
        if made != KEY_BYTES {
            return Err(io::Error::other("the system gave too little randomness for a key"));
        }
        let unfinished = path.with_file_name(format!("{}{}-{}", super::UNFINISHED, std::process::id(), unique()));
        super::write_new(&unfinished, &[&key])?;
        let linked = fs::hard_link(&unfinished, path);
        fs::remove_file(&unfinished)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    }

    pub(super) fn hasher(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.0)
    }
}

/// A number that this process has not used yet.
fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
