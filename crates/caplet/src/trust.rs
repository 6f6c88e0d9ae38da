//! Which projects' files the user trusts: each by where it really is and by the digest of its bytes.
//!
//! What always holds: a file that has changed, or is elsewhere, is not trusted; the list is used only if nobody but the user could have
//! written it; a list that cannot be understood is an error, and not an empty one; it is replaced as a whole.

use std::fs::{DirBuilder, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, fsync, openat, renameat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::lock::Lock;
use crate::toolbox::ProjectFile;

/// What the list is called.
const FILE: &str = "trust.toml";
/// What is locked while the list changes.
const LOCK: &str = "trust.lock";
/// What a list is called that is being written. Nobody else writes one, under the lock.
const UNFINISHED: &str = "trust.new";
/// The largest list, in bytes: thousands of files.
const LARGEST: u64 = 1 << 20;
/// The version of the format.
const VERSION: u8 = 1;

/// The list of files that a user trusts.
#[derive(Clone, Debug)]
pub struct Trust {
    folder: Option<PathBuf>,
}

/// How a file stands with the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The user trusts exactly these bytes, where they are.
    Trusted,
    /// The user trusted others in this place.
    Changed,
    /// The user said nothing about it.
    Unknown,
}

/// One file that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Trusted {
    /// Where it really is.
    pub path: PathBuf,
    /// The digest of its bytes.
    pub digest: String,
    /// The digest of the lock beside it as the user made it. What any other says was approved by somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
}

/// The list as it is written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct List {
    version: u8,
    #[serde(default)]
    trusted: Vec<Trusted>,
}

impl Trust {
    /// Nothing is trusted, and nothing can be.
    #[must_use]
    pub fn nothing() -> Self {
        Self { folder: None }
    }

    /// The list in `folder`, which no tool may reach: the state folder. Neither need exist.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()) }
    }

    /// Where the list is, or would be.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(FILE))
    }

    /// Whether exactly these bytes are trusted, where they are.
    ///
    /// # Errors
    ///
    /// As for [`Trust::list`].
    pub fn standing(&self, file: &ProjectFile) -> Result<Standing, Error> {
        let list = self.list()?;
        let at = list.iter().find(|trusted| trusted.path == file.real_path());
        Ok(match at {
            Some(trusted) if trusted.digest == file.digest().to_string() => Standing::Trusted,
            Some(_) => Standing::Changed,
            None => Standing::Unknown,
        })
    }

    /// The digest of the lock beside `file` as the user made it, if they made one.
    ///
    /// # Errors
    ///
    /// As for [`Trust::list`].
    pub fn lock_of(&self, file: &ProjectFile) -> Result<Option<String>, Error> {
        let list = self.list()?;
        Ok(list.into_iter().find(|trusted| trusted.path == file.real_path()).and_then(|trusted| trusted.lock))
    }

    /// The lock beside `file` is as the user made it now, if the file is one that is trusted.
    ///
    /// # Errors
    ///
    /// When the lock or the list cannot be read, or the list cannot be written.
    pub fn keep_lock(&self, file: &ProjectFile) -> Result<(), Error> {
        let digest = Lock::read(&Lock::beside(file.path()))?.digest().to_string();
        let keep = |list: &mut Vec<Trusted>| {
            let entry = list.iter_mut().find(|trusted| trusted.path == file.real_path());
            entry.map(|trusted| trusted.lock = Some(digest)).is_some()
        };
        self.change(keep).map(drop)
    }

    /// All that is trusted, in the order of the paths.
    ///
    /// # Errors
    ///
    /// When the list cannot be read or understood, or others than the user may have written it.
    pub fn list(&self) -> Result<Vec<Trusted>, Error> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let path = folder.join(FILE);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(CWD, &path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
            Err(Errno::LOOP) => return Err(unusable(&path, "it is a symbolic link")),
            Err(error) => return Err(failed(&path, error)),
        };
        let found = file.metadata().map_err(|error| failed(&path, error))?;
        if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
            return Err(unusable(&path, "it is no file of yours that nobody else may write"));
        }
        let mut text = String::new();
        file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| failed(&path, error))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > LARGEST) {
            return Err(unusable(&path, "it is larger than any such list"));
        }
        let list: List = toml::from_str(&text).map_err(|error| unusable(&path, error.message()))?;
        if list.version != VERSION {
            return Err(unusable(&path, "another version of Caplet wrote it"));
        }
        Ok(list.trusted)
    }

    /// From now on, `file` is trusted as it was read. What was trusted at its place before is not any more; what the user approved of
    /// its tools stays approved.
    ///
    /// # Errors
    ///
    /// When the list cannot be read or written, or the file's path is not UTF-8.
    pub fn add(&self, file: &ProjectFile) -> Result<(), Error> {
        let path = file.real_path().to_owned();
        if path.to_str().is_none() {
            return Err(Error::grant("caplet trust", &path.to_string_lossy(), "its path is not UTF-8", None));
        }
        let digest = file.digest().to_string();
        self.change(|list| {
            let before = list.iter().position(|other| other.path == path).map(|at| list.remove(at));
            list.push(Trusted { path, digest, lock: before.and_then(|before| before.lock) });
            true
        })
        .map(|_| ())
    }

    /// What is at `path` is not trusted any more, whatever it is now; says whether it was. No link may be on the way there.
    ///
    /// # Errors
    ///
    /// When the list cannot be read or written.
    pub fn revoke(&self, path: &Path) -> Result<bool, Error> {
        self.change(|list| {
            let before = list.len();
            list.retain(|other| other.path != path);
            list.len() < before
        })
    }

    /// Changes the list, and writes it if `change` says so. Others wait meanwhile.
    fn change(&self, change: impl FnOnce(&mut Vec<Trusted>) -> bool) -> Result<bool, Error> {
        let Some(folder) = &self.folder else {
            return Err(Error::Host("there is no folder to keep what is trusted in".to_owned()));
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(folder, error))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = openat(CWD, folder, flags, Mode::empty()).map_err(|error| failed(folder, error))?;
        let lock = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = openat(&handle, LOCK, lock, Mode::RUSR | Mode::WUSR).map_err(|error| failed(folder, error))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(folder, error))?;
        let mut trusted = self.list()?;
        if !change(&mut trusted) {
            return Ok(false);
        }
        trusted.sort_by(|one, other| one.path.cmp(&other.path));
        let list = List { version: VERSION, trusted };
        let text = toml::to_string(&list).map_err(|error| Error::Host(error.to_string()))?;
        replace(&handle, text.as_bytes()).map_err(|error| failed(&folder.join(FILE), error))?;
        Ok(true)
    }
}

/// Puts a private file of these bytes in the place of the list.
fn replace(folder: &impl std::os::fd::AsFd, bytes: &[u8]) -> std::io::Result<()> {
    match unlinkat(folder, UNFINISHED, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, UNFINISHED, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(bytes)?;
    file.sync_all()?;
    renameat(folder, UNFINISHED, folder, FILE)?;
    Ok(fsync(folder)?)
}

fn failed(path: &Path, error: impl Into<std::io::Error>) -> Error {
    Error::Host(format!("what you trust cannot be kept in {}: {}", path.display(), error.into()))
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::Grant {
        asked: format!("the list of what you trust, {}", path.display()),
        reason: reason.to_owned(),
        hint: Some("remove it, and trust again what you want: caplet trust FILE".to_owned()),
    }
}
