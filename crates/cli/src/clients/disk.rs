//! Files as a whole: what one holds, and another that takes its place.
//!
//! What always holds: what is to take a file's place is nobody's but the user's until it has that file's owner and mode.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Bytes of a file that is read: more than any client lets its own grow to.
const LARGEST: u64 = 64 << 20;

/// What a file holds, and for whom.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) text: String,
    pub(super) mode: u32,
    /// User and group.
    owner: (u32, u32),
    /// How many names it has.
    pub(super) names: u64,
}

impl Contents {
    /// The regular file at `path`, if there is anything.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        // A pipe would wait for a writer.
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            let why = format!("it has more than {} MiB", LARGEST >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))?;
        let (mode, owner, names) = (facts.mode() & 0o7777, (facts.uid(), facts.gid()), facts.nlink());
        Ok(Some(Self { text, mode, owner, names }))
    }
}

/// A file of another name that is to take the place of one. It is gone if it does not.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) path: PathBuf,
}

impl Fresh {
    /// As new, in the folder of `of`.
    pub(super) fn new(of: &Path, text: &str, mode: u32) -> io::Result<Self> {
        let path = beside(of, &format!(".caplet-{}", std::process::id()));
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
            // Left by a run that was killed: no process of this number is at work on it now.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&path)?;
                OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?
            }
            opened => opened?,
        };
        let fresh = Self { path };
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(fresh)
    }

    /// For whom `like` is, and for nobody else at any time.
    pub(super) fn beside(of: &Path, text: &str, like: &Contents) -> io::Result<Self> {
        let fresh = Self::new(of, text, 0o600)?;
        let (user, group) = like.owner;
        let now = fs::metadata(&fresh.path)?;
        if (now.uid(), now.gid()) != (user, group) {
            fchown(File::open(&fresh.path)?, Some(user), Some(group))?;
        }
        fs::set_permissions(&fresh.path, Permissions::from_mode(like.mode))?;
        Ok(fresh)
    }

    pub(super) fn replace(&self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // It has its other name by now, or is not wanted.
        let _ = fs::remove_file(&self.path);
    }
}

/// A name in the same folder.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}
