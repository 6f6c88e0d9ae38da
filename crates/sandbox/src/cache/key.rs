//! The key that entries are authenticated with.
//!
//! What always holds: all processes that use a folder have the same key; it is never seen half written, and never used when anyone
//! but this user could have read or chosen it.

use std::fmt;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use rustix::io::Errno;

use super::error::CacheError;
use super::folder::{Folder, KEY_FILE, is_own, is_private, random};

const KEY_BYTES: usize = blake3::KEY_LEN;

/// What the two keys that are derived from the secret are for. A change in how entries are authenticated changes both.
const FOR_PARTS: &str = "caplet 2026-11 cache v1: a part of an entry";
const FOR_ENTRIES: &str = "caplet 2026-11 cache v1: an entry";

/// A secret of one user's.
pub(super) struct Key {
    parts: [u8; KEY_BYTES],
    entries: [u8; KEY_BYTES],
}

impl Key {
    /// The key of `folder`, made first if there is none. Processes that make it at the same time agree on one.
    pub(super) fn load_or_make(folder: &Folder) -> Result<Self, CacheError> {
        let failed = |error: io::Error| CacheError::io(&folder.path.join(KEY_FILE), &error);
        if let Some(key) = Self::load(folder)? {
            return Ok(key);
        }
        if folder.is_occupied().map_err(failed)? {
            // What is there may be somebody's files, which a cache would let go of; unless another process was faster.
            return Self::load(folder)?.ok_or_else(|| CacheError::Occupied(folder.path.clone()));
        }
        let secret: [u8; KEY_BYTES] = random().map_err(failed)?;
        // A key that a crash of the machine left empty would be in the way for good.
        folder.write(&[&secret], true).and_then(|written| written.claim(KEY_FILE)).map_err(failed)?;
        Self::load(folder)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    fn load(folder: &Folder) -> Result<Option<Self>, CacheError> {
        let path = folder.path.join(KEY_FILE);
        let failed = |error: io::Error| CacheError::io(&path, &error);
        let file = match folder.read(KEY_FILE) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(CacheError::Key(path)),
            Err(error) => return Err(failed(error.into())),
        };
        let mut found = file.metadata().map_err(failed)?;
        if found.nlink() > 1 {
            folder.finish(&found).map_err(failed)?;
            found = file.metadata().map_err(failed)?;
        }
        let is_sound = found.is_file() && is_own(&found) && is_private(&found) && found.nlink() <= 1;
        if !is_sound || usize::try_from(found.len()) != Ok(KEY_BYTES) {
            return Err(CacheError::Key(path));
        }
        let mut secret = [0; KEY_BYTES];
        file.read_exact_at(&mut secret, 0).map_err(failed)?;
        Ok(Some(Self {
            parts: blake3::derive_key(FOR_PARTS, &secret),
            entries: blake3::derive_key(FOR_ENTRIES, &secret),
        }))
    }

    /// What one part of an entry's bytes is authenticated with.
    pub(super) fn for_part(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.parts)
    }

    /// What an entry as a whole is authenticated with.
    pub(super) fn for_entry(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.entries)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
