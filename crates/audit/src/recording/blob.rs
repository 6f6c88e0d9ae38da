//! Files of a recording, under the SHA-256 of what is in them.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use super::index::hex;
use super::{MOST_BYTES, RecordingError, is_there};

/// The blobs of a folder, on behalf of one recording.
pub(super) struct Blobs<'a> {
    folder: &'a Path,
    /// For errors.
    id: String,
    bytes: u64,
}

impl<'a> Blobs<'a> {
    pub(super) fn new(folder: &'a Path, id: &str) -> Self {
        Self { folder, id: id.to_owned(), bytes: 0 }
    }

    /// Bytes of the blobs that were put, whether they were there already or not.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn failed(&self, path: &Path, error: io::Error) -> RecordingError {
        RecordingError::Io { id: self.id.clone(), path: path.to_owned(), error }
    }

    pub(super) fn changed(&self, what: String) -> RecordingError {
        RecordingError::Changed { id: self.id.clone(), what }
    }

    /// Makes the folders, and makes sure that they are the user's own.
    pub(super) fn ready(&self) -> Result<(), RecordingError> {
        let blobs = self.folder.join("blobs");
        for folder in [self.folder, blobs.as_path()] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.and_then(|()| must_be_own(folder)).map_err(|error| self.failed(folder, error))?;
        }
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest)
    }

    pub(super) fn has(&self, digest: &str) -> bool {
        is_digest(digest) && is_there(&self.path(digest))
    }

    /// Packs `bytes`, and keeps what comes of it; gives its digest.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<String, RecordingError> {
        let packed = lz4_flex::compress_prepend_size(bytes);
        let digest = hex(&Sha256::digest(&packed));
        self.put_as(&digest, &packed)?;
        self.bytes = self.bytes.saturating_add(u64::try_from(packed.len()).unwrap_or(u64::MAX));
        Ok(digest)
    }

    /// Keeps `bytes` as they are. A file of the right length that is there already is taken for them; if it is not, reading it says so.
    pub(super) fn put_as(&self, digest: &str, bytes: &[u8]) -> Result<(), RecordingError> {
        let path = self.path(digest);
        let length = fs::symlink_metadata(&path).map(|found| found.len());
        if length.is_ok_and(|length| usize::try_from(length) == Ok(bytes.len())) {
            return Ok(());
        }
        self.write(&path, bytes)
    }

    /// Writes a whole file, or none.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RecordingError> {
        let draft = path.with_file_name(format!("{}.draft", Ulid::generate()));
        let written = create(&draft).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&draft, path));
        written.map_err(|error| {
            // What is left of it is nobody's.
            let _ = fs::remove_file(&draft);
            self.failed(path, error)
        })
    }

    /// What was put under `digest`, if it unpacks to at most `most` bytes.
    pub(super) fn get(&self, digest: &str, most: usize) -> Result<Vec<u8>, RecordingError> {
        let packed = self.get_raw(digest)?;
        let wrong = || self.changed(format!("the part {digest} cannot be unpacked"));
        let (size, packed) = lz4_flex::block::uncompressed_size(&packed).map_err(|_| wrong())?;
        if size > most {
            return Err(wrong());
        }
        lz4_flex::decompress(packed, size).map_err(|_| wrong())
    }

    /// What was kept under `digest` as it is.
    pub(super) fn get_raw(&self, digest: &str) -> Result<Vec<u8>, RecordingError> {
        if !is_digest(digest) {
            return Err(self.changed(format!("{digest:?} is no digest")));
        }
        let path = self.path(digest);
        let bytes = match read(&path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.changed(format!("the part {digest} is missing")));
            }
            Err(error) => return Err(self.failed(&path, error)),
        };
        if hex(&Sha256::digest(&bytes)) != digest {
            return Err(self.changed(format!("the part {digest} is not as it was written")));
        }
        Ok(bytes)
    }
}

/// The file at `path` itself, at most `most` bytes of it.
pub(super) fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(CWD, path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > most { Err(io::Error::other("it is larger than any recording")) } else { Ok(bytes) }
}

fn create(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(CWD, path, flags, Mode::RUSR | Mode::WUSR)?))
}

fn must_be_own(folder: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() {
        return Err(io::Error::other("it is not a folder of the user's own"));
    }
    if found.mode() & 0o077 != 0 {
        return Err(io::Error::other("others may enter it: give it mode 0700"));
    }
    Ok(())
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
