//! The newest segment, open to append to: found, begun, repaired and followed across other processes' appends.
//!
//! The lock is on the newest segment itself. Whoever has it, and sees that no newer segment is there, is the only one to append.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use super::LogConfig;
use super::checkpoint::Keys;
use super::entry::{Hash, Kind, RawEntry, Remark, line, remark_line};
use super::folder::{Folder, file_fault, is_same, lock, segment_name, unlock};
use super::settle::Known;
use super::tail::{self, Head, TailError};
use crate::SinkError;
use crate::record::{RecordId, now};

/// How often the newest segment is looked for when others begin new ones meanwhile.
const TRIES: u32 = 16;

/// The log while it is open.
#[derive(Debug)]
pub(crate) struct Open {
    folder: Folder,
    keys: Arc<Keys>,
    segment: Segment,
    /// The log's id.
    pub(crate) log: String,
    pub(crate) head: Head,
}

/// The newest segment.
#[derive(Debug)]
struct Segment {
    number: u64,
    name: String,
    /// The name of the one that would follow.
    next: String,
    file: File,
    /// Where its last entry ends.
    end: u64,
    /// When it was begun.
    since: SystemTime,
}

impl Segment {
    fn open(folder: &Folder, number: u64) -> Result<Self, SinkError> {
        let name = segment_name(number);
        let file = folder.open_to_append(&name)?;
        let next = segment_name(number.saturating_add(1));
        Ok(Self { number, name, next, file, end: 0, since: SystemTime::now() })
    }
}

/// How the newest segment was found.
enum Found {
    /// As it was left.
    Same,
    /// With entries of other processes behind what was known.
    Longer(u64),
    /// Not the newest any more, not there, or shorter.
    Other,
}

impl Open {
    /// Opens the newest segment and makes it whole. `known` is what this process saw of the log before.
    pub(crate) fn new(config: &LogConfig, known: Option<&Known>) -> Result<Self, SinkError> {
        let folder = Folder::open_or_make(&config.folder)?;
        let keys = Arc::new(Keys::open_or_make(&config.keys)?);
        for _ in 0..TRIES {
            let failed = |error| folder.failed("list the folder of", "", error);
            let number = folder.segments().map_err(failed)?.last().copied().unwrap_or(1);
            let segment = Segment::open(&folder, number)?;
            lock(&segment.file).map_err(|error| folder.failed("lock", &segment.name, error))?;
            // Another process may have begun the next one before we had the lock.
            if folder.stat(&segment.next).is_ok() {
                continue;
            }
            let mut open = Self { folder, keys, segment, log: String::new(), head: Head { seq: 0, hash: Hash::NONE } };
            let repaired = open.repair().and_then(|()| open.compare(known));
            unlock(&open.segment.file);
            return repaired.map(|()| open);
        }
        Err(folder.failed("find the newest segment of", "", Errno::WOULDBLOCK))
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Whether it is still the newest segment of the folder that is meant, as far as can be seen without the lock.
    pub(crate) fn is_fit(&self) -> bool {
        self.folder.is_current() && matches!(self.look(), Ok(Found::Same | Found::Longer(_)))
    }

    /// The newest segment by another handle.
    pub(crate) fn file(&self) -> Result<File, SinkError> {
        self.segment.file.try_clone().map_err(|error| self.failed("open", error))
    }

    /// Appends a record. The outer error is of the log; the inner says that it must be opened anew first.
    pub(crate) fn append(&mut self, config: &LogConfig, content: &[u8]) -> Result<Result<(), Stale>, SinkError> {
        if !self.folder.is_current() {
            return Ok(Err(Stale));
        }
        lock(&self.segment.file).map_err(|error| self.failed("lock", error))?;
        let appended = self.append_locked(config, content);
        unlock(&self.segment.file);
        appended
    }

    fn append_locked(&mut self, config: &LogConfig, content: &[u8]) -> Result<Result<(), Stale>, SinkError> {
        match self.look()? {
            Found::Same => {}
            Found::Longer(size) => {
                if !self.catch_up(size)? {
                    return Ok(Err(Stale));
                }
            }
            Found::Other => return Ok(Err(Stale)),
        }
        let (line, hash) = line(self.head.seq.saturating_add(1), self.head.hash, Kind::Record, content);
        if self.is_over(config, line.len()) {
            self.begin_next()?;
            return Ok(Err(Stale));
        }
        self.write(&line, hash).map(Ok)
    }

    /// Whether it is time for a new segment. The first entry of one is no reason to begin another.
    fn is_over(&self, config: &LogConfig, more: usize) -> bool {
        let age = self.segment.since.elapsed().unwrap_or(Duration::ZERO);
        let is_full = self.segment.end.saturating_add(more as u64) > config.segment_bytes;
        self.segment.end > super::entry::AROUND_BYTES as u64 * 2 && (is_full || age > config.segment_age)
    }

    /// Makes the file of the next segment. Its first entry is written by who opens it, which may be another process.
    fn begin_next(&self) -> Result<(), SinkError> {
        self.segment.file.sync_data().map_err(|error| self.failed("sync", error))?;
        self.folder.open_to_append(&self.segment.next)?;
        self.folder.sync()
    }

    /// Looks at what is there under the segment's name now.
    fn look(&self) -> Result<Found, SinkError> {
        let held = rustix::fs::fstat(&self.segment.file).map_err(|error| self.failed("look at", error))?;
        let named = match self.folder.stat(&self.segment.name) {
            Ok(named) => named,
            Err(Errno::NOENT) => return Ok(Found::Other),
            Err(error) => return Err(self.failed("look at", error)),
        };
        let has_next = self.folder.stat(&self.segment.next).is_ok();
        if has_next || !is_same(&held, &named) || file_fault(&held).is_some() {
            return Ok(Found::Other);
        }
        let size = u64::try_from(held.st_size).unwrap_or(0);
        Ok(match size.cmp(&self.segment.end) {
            std::cmp::Ordering::Equal => Found::Same,
            std::cmp::Ordering::Greater => Found::Longer(size),
            std::cmp::Ordering::Less => Found::Other,
        })
    }

    /// Takes in what other processes appended. False where it does not follow what was known, or is not whole.
    fn catch_up(&mut self, size: u64) -> Result<bool, SinkError> {
        let start = self.segment.end;
        let first = tail::bytes_at(&self.segment.file, start, (size - start).min(super::entry::ENTRY_BYTES as u64));
        let first = first.map_err(|error| self.failed("read", error))?;
        let first = first.split(|byte| *byte == b'\n').next().and_then(RawEntry::parse);
        let follows = first.is_some_and(|first| first.prev == self.head.hash && first.seq == self.head.seq + 1);
        if !follows {
            return Ok(false);
        }
        let tail = self.tail(size)?;
        let Some(head) = tail.head.filter(|_| tail.torn.is_empty()) else { return Ok(false) };
        self.head = head;
        self.segment.end = tail.end;
        Ok(true)
    }

    fn tail(&self, size: u64) -> Result<tail::Tail, SinkError> {
        tail::read(&self.segment.file, size).map_err(|error| self.damaged(error))
    }

    /// Reads the end of the log, cuts off what a crash left, and writes the first entry of the segment where it has none.
    fn repair(&mut self) -> Result<(), SinkError> {
        let size = self.segment.file.metadata().map_err(|error| self.failed("look at", error))?.len();
        let tail = self.tail(size)?;
        self.segment.end = tail.end;
        match tail.head {
            Some(head) => {
                let (log, time) = tail::start(&self.segment.file, size).map_err(|error| self.damaged(error))?;
                (self.log, self.head) = (log, head);
                self.segment.since = humantime::parse_rfc3339(&time).unwrap_or_else(|_| SystemTime::now());
            }
            None => self.follow_former()?,
        }
        if self.completes(&tail.torn)? {
            return Ok(());
        }
        if !tail.torn.is_empty() {
            self.segment.file.set_len(tail.end).map_err(|error| self.failed("repair", error))?;
        }
        if tail.head.is_none() {
            let remark = Remark::Start { log: self.log.clone(), segment: self.segment.number, time: now() };
            self.remark(&remark)?;
        }
        if !tail.torn.is_empty() {
            let (bytes, sha256) = (tail.torn.len() as u64, Hash::of(&[&tail.torn]).to_string());
            self.remark(&Remark::Torn { bytes, sha256, time: now() })?;
        }
        Ok(())
    }

    /// Takes the head and the id from the segment before this one, which has no entry yet. A first segment gets an id of its own.
    fn follow_former(&mut self) -> Result<(), SinkError> {
        if self.segment.number == 1 {
            self.log = RecordId::generate().to_string();
            return Ok(());
        }
        let former = segment_name(self.segment.number - 1);
        let failed = |error: io::Error| self.folder.failed("read", &former, error);
        let missing = || failed(io::Error::from(io::ErrorKind::NotFound));
        let file = self.folder.open_to_read(&former).map_err(failed)?.ok_or_else(missing)?;
        let size = file.metadata().map_err(failed)?.len();
        let damaged = |error| self.damaged(error);
        let head = tail::read(&file, size).map_err(damaged)?.head.ok_or(TailError::Damaged).map_err(damaged)?;
        let (log, _) = tail::start(&file, size).map_err(damaged)?;
        (self.log, self.head) = (log, head);
        Ok(())
    }

    /// Whether what is behind the last entry is all of the next one but its line break. Then it gets that.
    fn completes(&mut self, torn: &[u8]) -> Result<bool, SinkError> {
        let Some(entry) = RawEntry::parse(torn).filter(RawEntry::is_sealed) else { return Ok(false) };
        if entry.prev != self.head.hash || entry.seq != self.head.seq + 1 {
            return Ok(false);
        }
        self.segment.file.write_all(b"\n").map_err(|error| self.failed("repair", error))?;
        self.head = Head { seq: entry.seq, hash: entry.hash };
        self.segment.end += torn.len() as u64 + 1;
        if let Some(Remark::Start { log, .. }) = entry.remark() {
            self.log = log;
        }
        Ok(true)
    }

    /// Remarks on it when an entry that this process knew of is not there any more.
    fn compare(&mut self, known: Option<&Known>) -> Result<(), SinkError> {
        let Some((log, head)) = known else { return Ok(()) };
        let is_there = *log == self.log
            && (head.seq < self.head.seq || (head.seq == self.head.seq && head.hash == self.head.hash));
        if is_there {
            return Ok(());
        }
        self.remark(&Remark::Gap { seq: head.seq, hash: head.hash.to_string(), time: now() })
    }

    fn remark(&mut self, remark: &Remark) -> Result<(), SinkError> {
        let (line, hash) = remark_line(self.head.seq.saturating_add(1), self.head.hash, remark)?;
        self.write(&line, hash)
    }

    /// Writes the line of the next entry whole or not at all.
    fn write(&mut self, line: &[u8], hash: Hash) -> Result<(), SinkError> {
        match (&self.segment.file).write(line) {
            Ok(written) if written == line.len() => {
                self.segment.end += line.len() as u64;
                self.head = Head { seq: self.head.seq.saturating_add(1), hash };
                Ok(())
            }
            Ok(_) => {
                // The disk filled up in the middle. Under the lock, what follows the end is ours alone.
                self.segment.file.set_len(self.segment.end).map_err(|error| self.failed("repair", error))?;
                let full = io::Error::new(io::ErrorKind::StorageFull, "only a part of the record could be written");
                Err(self.failed("write to", full))
            }
            Err(error) => Err(self.failed("write to", error)),
        }
    }

    fn failed(&self, action: &'static str, source: impl Into<io::Error>) -> SinkError {
        self.folder.failed(action, &self.segment.name, source)
    }

    fn damaged(&self, error: TailError) -> SinkError {
        match error {
            TailError::Io(error) => self.failed("read", error),
            TailError::Damaged => SinkError::Damaged { path: self.folder.path_of(&self.segment.name) },
        }
    }
}

/// The log is not as it was left: it must be opened anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stale;
