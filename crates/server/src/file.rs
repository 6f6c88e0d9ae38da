//! Files that settings are in: read as a whole, or refused.
//!
//! What always holds: only a regular file is read, and never more of it than was said. To open a pipe would wait for somebody to write
//! to it, for ever; a device may have no end.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// A regular file that is open to be read.
#[derive(Debug)]
pub(crate) struct Regular {
    file: File,
    /// What the system says of it.
    pub(crate) found: Metadata,
}

impl Regular {
    /// The file at `path`, also by a link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(Self { file, found })
    }

    /// All of it, if it is no more than `most` bytes. It may grow while it is read.
    pub(crate) fn read(self, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other(format!("it is more than {} KiB", most / 1024)));
        }
        Ok(bytes)
    }
}

/// The regular file at `path`, of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    Regular::open(path)?.read(most)
}

/// The same as text.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|_| io::Error::other("it is not UTF-8"))
}
