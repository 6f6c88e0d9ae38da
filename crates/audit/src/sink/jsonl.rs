//! The audit log as a file: one record, one line of JSON.
//!
//! The file is only ever appended to, under a lock, with one write for each record. It belongs to the user who runs Caplet and to
//! nobody else: a link, another owner, a second name, or a mode that lets others in is refused rather than used. The folder is
//! held by handle, and each append makes sure that the file is still the one that its name leads to.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, fstatvfs, openat, statat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::{Sink, SinkError};
use crate::record::{LINE_BYTES, Record};

/// The log's name in its folder.
const FILE_NAME: &str = "audit.jsonl";

/// Bits of a mode that let anyone but the owner in.
const OTHERS: u32 = 0o077;

/// Bits of a mode that let anyone but the owner change names in a folder.
const OTHERS_WRITE: u32 = 0o022;

/// Appends records to `audit.jsonl` in a folder.
#[derive(Debug)]
pub struct JsonlSink {
    folder: PathBuf,
    path: PathBuf,
    open: Mutex<Option<Open>>,
}

/// The log while it is open.
#[derive(Debug)]
struct Open {
    folder: OwnedFd,
    file: File,
}

impl JsonlSink {
    /// A log in `folder`. Nothing is touched until [`Sink::ready`] or [`Sink::append`]; then the folder is made if need be,
    /// with mode 0700, and the file with mode 0600.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let path = folder.join(FILE_NAME);
        Self { folder, path, open: Mutex::new(None) }
    }

    /// The log's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `act` on the open log; opens it first, or again where the name leads to another file by now.
    fn with_open<T>(&self, act: impl FnOnce(&Open) -> Result<T, SinkError>) -> Result<T, SinkError> {
        let mut held = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match held.take() {
            Some(open) if open.is_current() => open,
            _ => self.open()?,
        };
        let done = act(&open);
        *held = Some(open);
        done
    }

    fn open(&self) -> Result<Open, SinkError> {
        let folder = self.open_folder()?;
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match openat(&folder, FILE_NAME, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP) => return Err(self.unsafe_file("it is a symbolic link; remove it")),
            Err(error) => return Err(self.failed("open", error)),
        };
        let stat = fstat(&file).map_err(|error| self.failed("look at", error))?;
        if let Some(reason) = file_fault(&stat) {
            return Err(self.unsafe_file(reason));
        }
        Ok(Open { folder, file })
    }

    fn open_folder(&self) -> Result<OwnedFd, SinkError> {
        let failed = |action, source: io::Error| SinkError::Io { action, path: self.folder.clone(), source };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(|error| failed("make the folder of", error))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, &self.folder, flags, Mode::empty())
            .map_err(|error| failed("open the folder of", error.into()))?;
        let stat = fstat(&folder).map_err(|error| failed("look at the folder of", error.into()))?;
        let refuse = |reason| Err(SinkError::Unsafe { path: self.folder.clone(), reason });
        if stat.st_uid != geteuid().as_raw() {
            return refuse("its folder belongs to another user");
        }
        if stat.st_mode & OTHERS_WRITE != 0 {
            return refuse("others may write to its folder; `chmod 700` it");
        }
        Ok(folder)
    }

    fn append_line(&self, open: &Open, line: &[u8]) -> Result<(), SinkError> {
        let failed = |error: io::Error| self.failed("write to", error);
        // Another process may append too. The lock goes with the handle, so a crash cannot leave it behind.
        open.file.lock().map_err(|error| self.failed("lock", error))?;
        let appended = append_under_lock(&open.file, line);
        let unlocked = open.file.unlock();
        appended.and(unlocked).map_err(failed)
    }

    fn failed(&self, action: &'static str, source: impl Into<io::Error>) -> SinkError {
        SinkError::Io { action, path: self.path.clone(), source: source.into() }
    }

    fn unsafe_file(&self, reason: &'static str) -> SinkError {
        SinkError::Unsafe { path: self.path.clone(), reason }
    }
}

impl Sink for JsonlSink {
    fn ready(&self) -> Result<(), SinkError> {
        self.with_open(|open| {
            let room = fstatvfs(&open.file).map_err(|error| self.failed("look at", error))?;
            if room.f_bavail.saturating_mul(room.f_frsize) < LINE_BYTES as u64 {
                return Err(SinkError::Full { path: self.folder.clone() });
            }
            Ok(())
        })
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        let mut line = record.to_line()?.into_bytes();
        line.push(b'\n');
        self.with_open(|open| self.append_line(open, &line))
    }

    fn location(&self) -> Option<&Path> {
        Some(&self.folder)
    }
}

impl Open {
    /// Whether the log's name still leads to this file, and nothing about it has become unsafe.
    fn is_current(&self) -> bool {
        let (Ok(held), Ok(named)) = (fstat(&self.file), statat(&self.folder, FILE_NAME, AtFlags::SYMLINK_NOFOLLOW))
        else {
            return false;
        };
        (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino) && file_fault(&held).is_none()
    }
}

/// Why a file must not be used as the log.
fn file_fault(stat: &Stat) -> Option<&'static str> {
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

/// Appends `line` whole or not at all. A torn last line, left by a crash, is closed first so that it stays the only broken one.
fn append_under_lock(mut file: &File, line: &[u8]) -> io::Result<()> {
    let end = file.metadata()?.len();
    let torn = end > 0 && {
        let mut last = [0];
        file.read_exact_at(&mut last, end - 1)?;
        last != *b"\n"
    };
    let closed;
    let bytes = if torn {
        closed = [b"\n", line].concat();
        &closed
    } else {
        line
    };
    match file.write(bytes) {
        Ok(written) if written == bytes.len() => Ok(()),
        Ok(_) => {
            // The disk filled up in the middle. Under the lock, what follows `end` is ours alone.
            file.set_len(end)?;
            Err(io::Error::new(io::ErrorKind::StorageFull, "only a part of the record could be written"))
        }
        Err(error) => Err(error),
    }
}
