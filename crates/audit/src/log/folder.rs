//! A folder of the log's own, held by handle: the one of the segments, and the one of the key and the checkpoints.
//!
//! What always holds: files are reached through the open folder and by single names; no link is followed; a folder or file of another
//! user's, one that others may change or read, or one with a second name is refused rather than used.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::fs::{flock, fstat, fstatvfs, fsync, openat, statat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::SinkError;
use crate::record::LINE_BYTES;

/// Bits of a mode that let anyone but the owner in.
const OTHERS: u32 = 0o077;

/// Bits of a mode that let anyone but the owner change names in a folder.
const OTHERS_WRITE: u32 = 0o022;

/// How long another process may hold a lock. It does so for one write, and at most for one that makes a segment durable.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Tries of a lock before the first sleep: who has it is done within microseconds.
const LOCK_SPINS: u32 = 50;

/// How long to sleep between tries.
const LOCK_STEP: Duration = Duration::from_micros(100);

/// What segments are called: this, eight digits or more, and [`SEGMENT_END`].
const SEGMENT: &str = "audit-";

/// The end of a segment's name.
const SEGMENT_END: &str = ".jsonl";

/// The name of a segment.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{SEGMENT}{number:08}{SEGMENT_END}")
}

/// The number of the segment that is called `name`, if it is one.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let number = name.strip_prefix(SEGMENT)?.strip_suffix(SEGMENT_END)?.parse().ok()?;
    (number > 0 && segment_name(number) == name).then_some(number)
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

impl Folder {
    /// Opens the folder; makes it where there is none, with mode 0700.
    pub(crate) fn open_or_make(path: &Path) -> Result<Self, SinkError> {
        let failed = |action, source: io::Error| SinkError::Io { action, path: path.to_owned(), source };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| failed("make the folder of", error))?;
        let folder = Self::open(path).map_err(|error| failed("open the folder of", error))?;
        let stat = fstat(&folder.fd).map_err(|error| failed("look at the folder of", error.into()))?;
        let refuse = |reason| Err(SinkError::Unsafe { path: path.to_owned(), reason });
        if stat.st_uid != geteuid().as_raw() {
            return refuse("its folder belongs to another user");
        }
        if stat.st_mode & OTHERS_WRITE != 0 {
            return refuse("others may write to its folder; `chmod 700` it");
        }
        Ok(folder)
    }

    /// Opens a folder to read in it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let fd = openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { path: path.to_owned(), fd })
    }

    /// The path of what is called `name`, to say in messages.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn failed(&self, action: &'static str, name: &str, source: impl Into<io::Error>) -> SinkError {
        SinkError::Io { action, path: self.path_of(name), source: source.into() }
    }

    /// Whether the folder's path still leads to it.
    pub(crate) fn is_current(&self) -> bool {
        let (Ok(held), Ok(named)) = (fstat(&self.fd), statat(CWD, &self.path, AtFlags::empty())) else { return false };
        is_same(&held, &named)
    }

    /// What is called `name` here, without following a link.
    pub(crate) fn stat(&self, name: &str) -> Result<Stat, Errno> {
        statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Opens a file of ours to append to, or makes it with mode 0600.
    pub(crate) fn open_to_append(&self, name: &str) -> Result<File, SinkError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND;
        let file = self.open_file(name, flags).map_err(|error| match error {
            Errno::LOOP => self.not_safe(name, "it is a symbolic link; remove it"),
            error => self.failed("open", name, error),
        })?;
        self.must_be_safe(name, &file)?;
        Ok(file)
    }

    /// Opens a file to read, if it is there.
    pub(crate) fn open_to_read(&self, name: &str) -> io::Result<Option<File>> {
        let file = match self.open_file(name, OFlags::RDONLY) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(Some(file))
    }

    /// Opens a file without following a link, and without waiting for the other end of a pipe.
    pub(crate) fn open_file(&self, name: &str, flags: OFlags) -> Result<File, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// Refuses a file that others could read, change or redirect.
    pub(crate) fn must_be_safe(&self, name: &str, file: &File) -> Result<(), SinkError> {
        let stat = fstat(file).map_err(|error| self.failed("look at", name, error))?;
        file_fault(&stat).map_or(Ok(()), |reason| Err(self.not_safe(name, reason)))
    }

    pub(crate) fn not_safe(&self, name: &str, reason: &'static str) -> SinkError {
        SinkError::Unsafe { path: self.path_of(name), reason }
    }

    /// Whether a record would fit into the file system.
    pub(crate) fn must_have_room(&self) -> Result<(), SinkError> {
        let room = fstatvfs(&self.fd).map_err(|error| self.failed("look at", "", error))?;
        if room.f_bavail.saturating_mul(room.f_frsize) < LINE_BYTES as u64 {
            return Err(SinkError::Full { path: self.path.clone() });
        }
        Ok(())
    }

    /// The numbers of all segments that are here, in order.
    pub(crate) fn segments(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for listed in Dir::read_from(&self.fd)? {
            numbers.extend(listed?.file_name().to_str().ok().and_then(segment_number));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Makes names that were added survive a crash of the machine.
    pub(crate) fn sync(&self) -> Result<(), SinkError> {
        fsync(&self.fd).map_err(|error| self.failed("sync the folder of", "", error))
    }

    /// Another name for the handle, for system calls that are not wrapped here.
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

/// Why a file must not be used.
pub(crate) fn file_fault(stat: &Stat) -> Option<&'static str> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Some("it is not a regular file; move it away");
    }
    if stat.st_uid != geteuid().as_raw() {
        return Some("it belongs to another user; move it away");
    }
    if stat.st_mode & OTHERS != 0 {
        return Some("others may read or write it; `chmod 600` it");
    }
    if stat.st_nlink != 1 {
        return Some("it has a second name elsewhere; move it away");
    }
    None
}

/// Whether both are one file.
pub(crate) fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Waits for the right to append to `file`. It goes with the handle, so a crash cannot leave it behind.
pub(crate) fn lock(file: &File) -> Result<(), Errno> {
    let mut tries = 0_u32;
    let mut started = None;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            done => return done,
        }
        tries = tries.saturating_add(1);
        if tries < LOCK_SPINS {
            std::thread::yield_now();
            continue;
        }
        if started.get_or_insert_with(Instant::now).elapsed() > LOCK_WAIT {
            return Err(Errno::WOULDBLOCK);
        }
        std::thread::sleep(LOCK_STEP);
    }
}

/// Gives the right back.
pub(crate) fn unlock(file: &File) {
    // What could not be unlocked is when the handle is closed, and who waits says so.
    let _ = flock(file, FlockOperation::Unlock);
}
