//! Replaces a file as a whole, one process at a time.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::Error;

/// The mode of a new file that holds nothing secret; less what the user's mask takes away.
pub(crate) const READABLE: u32 = 0o666;

/// The mode of a new file that may hold secrets.
pub(crate) const PRIVATE: u32 = 0o600;

/// The folder of a file, in which no other process of Caplet changes files meanwhile.
#[derive(Debug)]
pub(crate) struct Held {
    folder: File,
}

impl Held {
    /// Waits for the folder of `path`.
    ///
    /// # Errors
    ///
    /// When there is no such folder.
    pub(crate) fn new(path: &Path) -> Result<Self, Error> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = File::open(folder).map_err(|error| unwritten(path, &error))?;
        flock(&folder, FlockOperation::LockExclusive).map_err(|error| unwritten(path, &error.into()))?;
        Ok(Self { folder })
    }

    /// Puts `bytes` in the place of the file at `path`, or makes it with `mode`. Where a link is, what it leads to is replaced. A file
    /// that is there keeps its mode.
    ///
    /// # Errors
    ///
    /// When it cannot be written; then it is as it was.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
        let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let beside = beside(&place);
        let written = self.write(&place, &beside, bytes, mode);
        written.map_err(|error| {
            // It was made here, and holds perhaps only a part.
            let _ = fs::remove_file(&beside);
            unwritten(path, &error)
        })
    }

    fn write(&self, place: &Path, beside: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        // What a process that died left here.
        let _ = fs::remove_file(beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(beside)?;
        if let Ok(found) = fs::metadata(place) {
            file.set_permissions(Permissions::from_mode(found.permissions().mode() & 0o777))?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(beside, place)?;
        self.folder.sync_all()
    }
}

/// A name beside `path`, which nobody else uses while the folder is held.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".caplet-new");
    path.with_file_name(name)
}

fn unwritten(path: &Path, error: &io::Error) -> Error {
    Error::Host(format!("{} cannot be written: {error}", path.display()))
}
