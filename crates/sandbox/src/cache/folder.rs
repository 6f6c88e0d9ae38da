//! The folder itself: checked once, then held open.
//!
//! What always holds: every file is reached through the open folder and by a single name, so that nothing that happens to the path can
//! lead elsewhere; no link is followed, and nothing is waited for; a file gets its name only when all of it is written.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, linkat, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use super::error::CacheError;

/// The name of the key's file.
pub(super) const KEY_FILE: &str = "key";

/// What the names of files that are being written start with.
const UNFINISHED: &str = ".new-";

/// From this age on, a file that is still being written belongs to a process that is gone: writing takes seconds.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// The longest name of an entry, in bytes: below the 255 that file systems take.
const NAME_BYTES: usize = 200;

/// An open folder of this user's alone.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    fd: OwnedFd,
}

/// A file in the folder that has an entry's name.
pub(super) struct Held {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) used: SystemTime,
}

/// A file that is being written. It is removed unless it gets a name.
pub(super) struct Unfinished<'a> {
    folder: &'a Folder,
    name: String,
}

impl Folder {
    /// Opens the folder at `path`; makes it, and those above it, where they are not there.
    pub(super) fn open(path: &Path) -> Result<Self, CacheError> {
        // Without a slash at the end, through which a link would be followed.
        let path: PathBuf = path.components().collect();
        let failed = |error: io::Error| CacheError::io(&path, &error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(CWD, &path, flags, Mode::empty());
        let opened = match open() {
            Err(Errno::NOENT) => {
                DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
                open()
            }
            opened => opened,
        };
        let file = match opened {
            Ok(fd) => File::from(fd),
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(CacheError::folder(&path, "it is a link, or not a folder")),
            Err(error) => return Err(failed(error.into())),
        };
        let found = file.metadata().map_err(failed)?;
        if !is_own(&found) {
            return Err(CacheError::folder(&path, "it belongs to another user"));
        }
        if !is_private(&found) {
            return Err(CacheError::folder(&path, "other users may use it"));
        }
        Ok(Self { path, fd: file.into() })
    }

    /// Opens a file to read. It can be of any kind.
    pub(super) fn read(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(openat(&self.fd, name, flags, Mode::empty())?.into())
    }

    /// Writes `parts` to a file that has no proper name yet and that only this user can read. With `lasting`, it survives a crash of the
    /// machine from here on.
    pub(super) fn write(&self, parts: &[&[u8]], lasting: bool) -> io::Result<Unfinished<'_>> {
        let name = format!("{UNFINISHED}{:032x}", u128::from_le_bytes(random()?));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.fd, name.as_str(), flags, Mode::RUSR)?);
        let unfinished = Unfinished { folder: self, name };
        parts.iter().try_for_each(|part| file.write_all(part))?;
        if lasting {
            file.sync_all()?;
        }
        Ok(unfinished)
    }

    /// Removes a file. One that is gone already is removed.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// All files that have an entry's name. What gone processes did not finish is removed on the way; anything else is left alone.
    pub(super) fn entries(&self) -> io::Result<Vec<Held>> {
        let mut entries = Vec::new();
        let now = SystemTime::now();
        for name in self.names()? {
            // Another process may have removed it since.
            let Some(found) = self.look(&name) else { continue };
            let used = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if is_name(&name) && !found.is_dir() {
                entries.push(Held { name, bytes: found.len(), used });
            } else if name.starts_with(UNFINISHED) && found.is_file() && is_far_off(used, now, ABANDONED) {
                // What cannot be removed now can be later.
                let _ = self.remove(&name);
            }
        }
        Ok(entries)
    }

    /// Whether there is something in the folder that no cache would have put there before its key.
    pub(super) fn is_occupied(&self) -> io::Result<bool> {
        Ok(self.names()?.iter().any(|name| !name.starts_with(UNFINISHED)))
    }

    /// Removes the name that a file was written under, if it still has it beside its proper one: whoever gave it the proper name was
    /// stopped before it took the other away.
    pub(super) fn finish(&self, file: &Metadata) -> io::Result<()> {
        let same = |found: Metadata| (found.dev(), found.ino()) == (file.dev(), file.ino());
        for name in self.names()?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            if self.look(name).is_some_and(same) {
                self.remove(name)?;
            }
        }
        Ok(())
    }

    /// What is called `name`, without opening it.
    fn look(&self, name: &str) -> Option<Metadata> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        File::from(openat(&self.fd, name, flags, Mode::empty()).ok()?).metadata().ok()
    }

    /// All names. One that is no text is given as something that is no name of ours either.
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for listed in Dir::read_from(&self.fd)? {
            let name = OsStr::from_bytes(listed?.file_name().to_bytes()).to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }
}

impl Unfinished<'_> {
    /// Calls the file `name`, in place of what may be called so.
    pub(super) fn replace(self, name: &str) -> io::Result<()> {
        Ok(renameat(&self.folder.fd, self.name.as_str(), &self.folder.fd, name)?)
    }

    /// Calls the file `name`, unless something is called so already.
    pub(super) fn claim(self, name: &str) -> io::Result<()> {
        match linkat(&self.folder.fd, self.name.as_str(), &self.folder.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // A renamed file is gone from here; what cannot be removed is removed as abandoned later.
        let _ = self.folder.remove(&self.name);
    }
}

/// Whether an entry can have this name: one plain file name, not hidden, and not the key's however a file system may fold its case.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let fits = (1..=NAME_BYTES).contains(&name.len()) && !name.starts_with('.');
    fits && name.bytes().all(is_plain) && !name.eq_ignore_ascii_case(KEY_FILE)
}

/// Whether this process's user owns it.
pub(super) fn is_own(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

/// Whether nobody but its owner may use it in any way.
pub(super) fn is_private(found: &Metadata) -> bool {
    found.mode() & 0o077 == 0
}

/// Whether `time` is further from `now` than `distance`. A time to come is one of a clock that was wrong.
pub(super) fn is_far_off(time: SystemTime, now: SystemTime, distance: Duration) -> bool {
    now.duration_since(time).unwrap_or_else(|ahead| ahead.duration()) > distance
}

/// Random bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // The system gives up to 256 bytes in one piece.
    if getrandom(&mut bytes, GetRandomFlags::empty())? == N {
        Ok(bytes)
    } else {
        Err(io::Error::other("the system gave too little randomness"))
    }
}
