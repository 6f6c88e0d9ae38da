//! A folder of private files.
//!
//! What always holds: every file is reached through the open folder and by a single name; no link is followed, and nothing but a lock
//! is waited for, and that not for long; a file that anyone else could have read or written is not used; a file gets its name only when
//! all of it is on the disk.

use std::fs::{DirBuilder, File, Metadata};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, flock, fsync, linkat, openat, renameat, unlinkat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::error::SecretError;

/// The largest file that is read or written, in bytes: some hundred of the longest values, thousands of usual ones.
pub(crate) const MAX_BYTES: u64 = 16 << 20;

/// What the names of files that are being written start with.
const UNFINISHED: &str = ".secrets-new-";

/// How long another process may hold the lock. It does so for one read and one write, each of a small file.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// How often a file is claimed when others claim at the same time. One of them has it after each round.
const CLAIM_TRIES: u32 = 8;

/// How long to sleep between tries of the lock.
const LOCK_STEP: Duration = Duration::from_millis(5);

/// An open folder that nobody else can change.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

/// The right to change the files of a folder. It ends with the process too.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Folder {
    /// Opens the folder at `path`, if there is one.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, SecretError> {
        // Without a slash at the end, through which a link would be followed.
        let path: PathBuf = path.components().collect();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match openat(CWD, &path, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let hint = format!("put a folder of yours at {}", path.display());
                return Err(SecretError::not_safe(&path, "it is a link, or not a folder", hint));
            }
            Err(error) => return Err(SecretError::io(&path, error)),
        };
        let found = file.metadata().map_err(|error| SecretError::io(&path, error))?;
        if !is_own(&found) {
            let hint = format!("put a folder of yours at {}", path.display());
            return Err(SecretError::not_safe(&path, "it belongs to another user", hint));
        }
        // Who can only list it learns names of files. The files in it are private by themselves.
        if found.mode() & 0o022 != 0 {
            let hint = format!("chmod 700 {}", path.display());
            return Err(SecretError::not_safe(&path, "other users may change it", hint));
        }
        Ok(Some(Self { path, fd: file.into() }))
    }

    /// Opens the folder at `path`; makes it, and those above it, where they are not there.
    pub(crate) fn open_or_make(path: &Path) -> Result<Self, SecretError> {
        if let Some(folder) = Self::open(path)? {
            return Ok(folder);
        }
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| SecretError::io(path, error))?;
        Self::open(path)?.ok_or_else(|| SecretError::io(path, Errno::NOENT))
    }

    /// Where the file called `name` is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// All of a private file, if there is one.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SecretError> {
        let path = self.path(name);
        // A pipe is not waited for, and a terminal does not become ours.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            // The latter is what a socket answers.
            Err(Errno::LOOP | Errno::NXIO) => return Err(not_a_file(&path)),
            Err(error) => return Err(SecretError::io(&path, error)),
        };
        let found = file.metadata().map_err(|error| SecretError::io(&path, error))?;
        check(&path, &found)?;
        if found.len() > MAX_BYTES {
            return Err(SecretError::Damaged { path, reason: "it is larger than any file of secrets" });
        }
        // Room for all of it at once: a buffer that moves leaves a copy behind. What grows meanwhile is none of ours.
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0) + 1));
        file.take(found.len()).read_to_end(&mut bytes).map_err(|error| SecretError::io(&path, error))?;
        Ok(Some(bytes))
    }

    /// Puts a private file of these bytes in the place of what is called `name`. It survives a crash of the machine from here on.
    pub(crate) fn replace(&self, _lock: &Lock, name: &str, bytes: &[u8]) -> Result<(), SecretError> {
        let path = self.path(name);
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
            return Err(SecretError::Full { path, max_bytes: MAX_BYTES });
        }
        self.clean();
        let unfinished = self.write(bytes)?;
        let renamed = renameat(&self.fd, unfinished.as_str(), &self.fd, name).and_then(|()| fsync(&self.fd));
        if renamed.is_err() {
            self.discard(&unfinished);
        }
        renamed.map_err(|error| SecretError::io(&path, error))
    }

    /// Makes a private file of these bytes, unless something is called `name` already. Needs no lock.
    pub(crate) fn claim(&self, name: &str, bytes: &[u8]) -> Result<(), SecretError> {
        let mut tries = 0;
        loop {
            self.clean();
            let unfinished = self.write(bytes)?;
            let linked = linkat(&self.fd, unfinished.as_str(), &self.fd, name, AtFlags::empty());
            self.discard(&unfinished);
            tries += 1;
            match linked.and_then(|()| fsync(&self.fd)) {
                Ok(()) | Err(Errno::EXIST) => return Ok(()),
                // Another process that claims took ours for one of a process that is gone.
                Err(Errno::NOENT) if tries < CLAIM_TRIES => {}
                Err(error) => return Err(SecretError::io(&self.path(name), error)),
            }
        }
    }

    /// Removes a file. One that is gone already is removed.
    pub(crate) fn remove(&self, _lock: &Lock, name: &str) -> Result<(), SecretError> {
        match unlinkat(&self.fd, name, AtFlags::empty()).and_then(|()| fsync(&self.fd)) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(SecretError::io(&self.path(name), error)),
        }
    }

    /// Waits for the right to change files here.
    pub(crate) fn lock(&self, name: &str) -> Result<Lock, SecretError> {
        let path = self.path(name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => File::from(fd),
            Err(Errno::LOOP | Errno::NXIO | Errno::ISDIR) => return Err(not_a_file(&path)),
            Err(error) => return Err(SecretError::io(&path, error)),
        };
        check(&path, &file.metadata().map_err(|error| SecretError::io(&path, error))?)?;
        let started = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(Errno::WOULDBLOCK | Errno::INTR) if started.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_STEP),
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Err(SecretError::Busy(path)),
                Err(error) => return Err(SecretError::io(&path, error)),
            }
        }
    }

    /// Writes a private file that has no proper name yet, and says what it is called.
    fn write(&self, bytes: &[u8]) -> Result<String, SecretError> {
        let name = unfinished_name();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(&self.fd, name.as_str(), flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(opened.map_err(|error| SecretError::io(&self.path(&name), error))?);
        match file.write_all(bytes).and_then(|()| file.sync_all()) {
            Ok(()) => Ok(name),
            Err(error) => {
                self.discard(&name);
                Err(SecretError::io(&self.path(&name), error))
            }
        }
    }

    /// Removes what processes that were stopped did not finish.
    fn clean(&self) {
        for listed in Dir::read_from(&self.fd).into_iter().flatten().flatten() {
            if let Ok(name) = listed.file_name().to_str()
                && name.starts_with(UNFINISHED)
            {
                self.discard(name);
            }
        }
    }

    fn discard(&self, unfinished: &str) {
        // What cannot be removed now can be the next time.
        let _ = unlinkat(&self.fd, unfinished, AtFlags::empty());
    }
}

fn check(path: &Path, found: &Metadata) -> Result<(), SecretError> {
    if !found.is_file() {
        return Err(not_a_file(path));
    }
    if !is_own(found) {
        let hint = format!("find out who put it there, then remove {}", path.display());
        return Err(SecretError::not_safe(path, "it belongs to another user", hint));
    }
    if found.mode() & 0o077 != 0 {
        let hint = format!("chmod 600 {}; if others have read it, renew your secrets", path.display());
        return Err(SecretError::not_safe(path, "other users may use it", hint));
    }
    Ok(())
}

fn not_a_file(path: &Path) -> SecretError {
    let hint = format!("find out who put it there, then remove {}", path.display());
    SecretError::not_safe(path, "it is not a plain file", hint)
}

fn is_own(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

/// A name that nobody has. It may be guessed: nobody else can make files here.
fn unfinished_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    // Processes that do not see each other may have one number.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{UNFINISHED}{process}-{count}-{now}")
}
