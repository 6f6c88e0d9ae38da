//! One entry: its bytes, then a trailer that says what they are.
//!
//! The bytes come first, so that the file can be mapped as it is.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::error::BadEntry;
use super::key::Key;

/// What an entry of this shape ends with.
const MAGIC: &[u8; 16] = b"caplet-entry-v1\n";
const LENGTH_BYTES: usize = 8;
const MAC_BYTES: usize = blake3::OUT_LEN;
const TRAILER_BYTES: usize = MAC_BYTES + LENGTH_BYTES + MAGIC.len();

/// How much is read at a time: enough that threads share the hashing of it, little enough that the buffer stays in the processor's
/// own cache.
const CHUNK_BYTES: usize = 2 << 20;

/// From this size on, hashing on several threads is faster than on one.
const SHARED_BYTES: usize = 512 << 10;

/// An authenticated entry, still open.
#[derive(Debug)]
pub struct Entry {
    file: File,
    length: u64,
}

impl Entry {
    pub(super) fn open(path: &Path, name: &str, key: &Key, max_bytes: u64) -> Result<Option<Self>, BadEntry> {
        // Neither a link nor a pipe is followed or waited for.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BadEntry(format!("it cannot be opened: {error}"))),
        };
        let unreadable = |error: io::Error| BadEntry(format!("it cannot be read: {error}"));
        let found = file.metadata().map_err(unreadable)?;
        let wrong = |what: &str| Err(BadEntry(what.to_owned()));
        if !found.is_file() {
            return wrong("it is not a regular file");
        }
        if found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o077 != 0 {
            return wrong("it is not this user's alone");
        }
        if found.nlink() > 1 {
            return wrong("it has another name as well");
        }
        if found.len() > max_bytes {
            return wrong("it is larger than the cache keeps");
        }
        let trailer_bytes = u64::try_from(TRAILER_BYTES).unwrap_or(u64::MAX);
        let Some(length) = found.len().checked_sub(trailer_bytes) else { return wrong("it is torn") };
        let mut trailer = [0; TRAILER_BYTES];
        file.read_exact_at(&mut trailer, length).map_err(unreadable)?;
        let (mac, shape) = trailer.split_at(MAC_BYTES);
        if shape != shape_of(length) {
            return wrong("it is torn, or of another version");
        }
        let expected = mac_of_file(&file, name, length, key).map_err(unreadable)?;
        // In constant time, as hashes compare.
        if <[u8; MAC_BYTES]>::try_from(mac).is_ok_and(|mac| expected == blake3::Hash::from_bytes(mac)) {
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
pub(super) fn trailer(name: &str, payload: &[u8], key: &Key) -> Vec<u8> {
    let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    let mut hasher = hasher(name, length, key);
    update(&mut hasher, payload);
    let mut trailer = hasher.finalize().as_bytes().to_vec();
    trailer.extend(shape_of(length));
    trailer
}

fn shape_of(length: u64) -> Vec<u8> {
    [length.to_le_bytes().as_slice(), MAGIC].concat()
}

fn mac_of_file(file: &File, name: &str, length: u64, key: &Key) -> io::Result<blake3::Hash> {
    let mut hasher = hasher(name, length, key);
    let chunk = usize::try_from(length).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
    let mut buffer = vec![0; chunk];
    let mut offset = 0;
    while offset < length {
        let left = usize::try_from(length - offset).unwrap_or(chunk).min(chunk);
        let part = buffer.get_mut(..left).unwrap_or_default();
        file.read_exact_at(part, offset)?;
        update(&mut hasher, part);
        offset += u64::try_from(left).unwrap_or(u64::MAX);
    }
    Ok(hasher.finalize())
}

/// The MAC's beginning: what the bytes are the bytes of. The lengths make it read one way only.
fn hasher(name: &str, length: u64, key: &Key) -> blake3::Hasher {
    let mut hasher = key.hasher();
    hasher.update(MAGIC);
    hasher.update(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.update(name.as_bytes());
    hasher.update(&length.to_le_bytes());
    hasher
}

fn update(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    if bytes.len() < SHARED_BYTES {
        hasher.update(bytes);
    } else {
        hasher.update_rayon(bytes);
    }
}
