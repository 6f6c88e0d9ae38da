//! One entry: its bytes, then a trailer that says what they are.
//!
//! The bytes come first, so that the file can be mapped as it is. What always holds: an [`Entry`] is a regular file of this user's
//! alone, and was authenticated through the very descriptor that it holds.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

use rustix::io::Errno;

use super::error::BadEntry;
use super::folder::{Folder, is_own, is_private};
use super::key::Key;
use super::mac;

/// What the trailer of this shape begins with.
const MAGIC: &[u8; 16] = b"caplet-entry-v1\n";
const LENGTH_BYTES: usize = 8;
const SHAPE_BYTES: usize = MAGIC.len() + LENGTH_BYTES;
pub(super) const TRAILER_BYTES: usize = SHAPE_BYTES + blake3::OUT_LEN;

/// An authenticated entry, still open.
#[derive(Debug)]
pub struct Entry {
    file: File,
    length: u64,
}

impl Entry {
    /// The entry `name` of `folder`, authenticated; nothing if there is none.
    pub(super) fn open(folder: &Folder, name: &str, key: &Key, max_bytes: u64) -> Result<Option<Self>, BadEntry> {
        let unreadable = |error: io::Error| BadEntry(format!("it cannot be read: {error}"));
        let wrong = |what: &str| Err(BadEntry(what.to_owned()));
        let file = match folder.read(name) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return wrong("it is a link"),
            Err(error) => return Err(BadEntry(format!("it cannot be opened: {error}"))),
        };
        let found = file.metadata().map_err(unreadable)?;
        if !found.is_file() {
            return wrong("it is not a regular file");
        }
        if !is_own(&found) || !is_private(&found) {
            return wrong("it is not this user's alone");
        }
        // It has no name at all when another process has just replaced it; its bytes are as good as they were.
        if found.nlink() > 1 {
            return wrong("it has another name as well");
        }
        if found.len() > max_bytes {
            return wrong("it is larger than the cache keeps");
        }
        let mut trailer = [0; TRAILER_BYTES];
        let Some(length) = found.len().checked_sub(mac::size(&trailer)) else { return wrong("it is torn") };
        file.read_exact_at(&mut trailer, length).map_err(unreadable)?;
        let (shape, written) = trailer.split_at(SHAPE_BYTES);
        if shape != shape_of(length) {
            return wrong("it is torn, or of another version");
        }
        let expected = mac::of_file(key, name, &file, length).map_err(unreadable)?;
        // In constant time, as hashes compare.
        if blake3::Hash::from_slice(written).is_ok_and(|written| written == expected) {
            Ok(Some(Self { file, length }))
        } else {
            wrong("it is not what was written under this name with this key")
        }
    }

    /// The open file. The entry's bytes are the first [`Entry::len`] of it.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// How many bytes the entry has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether the entry has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The entry's bytes.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// A path to this very file, whatever has become of its name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

/// What comes after the bytes of an entry.
pub(super) fn trailer(name: &str, payload: &[u8], key: &Key) -> io::Result<Vec<u8>> {
    let mac = mac::of_bytes(key, name, payload)?;
    Ok([shape_of(mac::size(payload)).as_slice(), mac.as_bytes()].concat())
}

fn shape_of(length: u64) -> Vec<u8> {
    [MAGIC.as_slice(), &length.to_le_bytes()].concat()
}
