//! Reads records out of a log, oldest or newest first. It believes what it reads: [`verify`](super::verify()) is what does not.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;

use super::entry::{Content, Hash, RawEntry};
use super::filter::Filter;
use super::folder::{Folder, segment_name};
use super::lines::{End, Lines, LinesBack};
use crate::Record;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no log.
    #[error("there is no audit log in {}: no call has left a record there", .0.display())]
    Missing(PathBuf),
    /// The system refused.
    #[error("cannot read the audit log {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is no entry that this release can read.
    #[error("the audit log {} has a line at byte {offset} that is no entry: {why}", path.display())]
    Entry {
        /// The segment.
        path: PathBuf,
        /// Where the line starts.
        offset: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// In which order records are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they were appended.
    OldestFirst,
    /// The last one first.
    NewestFirst,
}

/// A record, and its place in the chain.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The entry's number.
    pub seq: u64,
    /// The entry's hash, as it says.
    pub hash: Hash,
    /// The record.
    pub record: Record,
}

/// Hands out the records of a log. Cheap to keep: nothing is open between questions.
#[derive(Clone, Debug)]
pub struct Reader {
    folder: PathBuf,
}

impl Reader {
    /// Reads the log in `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder of the log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The records that `filter` lets through, of those that are there now.
    ///
    /// A line that cannot be read is an error in its place, and the next ones follow. A last line without its line break is none yet.
    ///
    /// # Errors
    ///
    /// When there is no log, or it cannot be opened.
    pub fn records(&self, order: Order, filter: Filter) -> Result<Records, ReadError> {
        let folder = self.open()?;
        let segments = folder.segments().map_err(|source| self.failed(&self.folder, source))?;
        if segments.is_empty() {
            return Err(ReadError::Missing(self.folder.clone()));
        }
        let needle = filter.needle().map(|needle| Finder::new(needle.as_bytes()).into_owned());
        let segments = segments.into();
        Ok(Records { folder, segments, order, filter, needle, current: None, line: Vec::new() })
    }

    /// The record with the id `id`, the newest if there are more.
    ///
    /// # Errors
    ///
    /// As [`Reader::records`], or when the record cannot be read.
    pub fn find(&self, id: &str) -> Result<Option<Kept>, ReadError> {
        let mut records = self.records(Order::NewestFirst, Filter::default())?;
        records.needle = Some(Finder::new(format!("\"id\":\"{id}\"").as_bytes()).into_owned());
        let is_it = |kept: &Result<Kept, ReadError>| kept.as_ref().map_or(true, |kept| kept.record.id == id);
        records.find(is_it).transpose()
    }

    fn open(&self) -> Result<Folder, ReadError> {
        Folder::open(&self.folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ReadError::Missing(self.folder.clone()),
            _ => self.failed(&self.folder, error),
        })
    }

    fn failed(&self, path: &Path, source: io::Error) -> ReadError {
        ReadError::Io { path: path.to_owned(), source }
    }
}

/// The records of a log, one after the other.
#[derive(Debug)]
pub struct Records {
    folder: Folder,
    /// Those to come.
    segments: VecDeque<u64>,
    order: Order,
    filter: Filter,
    /// What a line must hold to be worth reading.
    needle: Option<Finder<'static>>,
    current: Option<Current>,
    line: Vec<u8>,
}

/// The segment that is being read.
#[derive(Debug)]
enum Current {
    Forwards(u64, Lines),
    Backwards(u64, LinesBack),
}

impl Records {
    /// The next whole line, and where it is. It is in `self.line` then.
    fn next_line(&mut self) -> Result<Option<(u64, u64)>, ReadError> {
        loop {
            match &mut self.current {
                None => match self.next_segment()? {
                    Some(current) => self.current = Some(current),
                    None => return Ok(None),
                },
                Some(Current::Forwards(number, lines)) => {
                    let (number, offset) = (*number, lines.offset);
                    let read = lines.next(&mut self.line).map_err(|source| failed(&self.folder, number, source))?;
                    if read == Some(End::Break) {
                        return Ok(Some((number, offset)));
                    }
                    self.current = None;
                }
                Some(Current::Backwards(number, lines)) => {
                    let number = *number;
                    if let Some((offset, line)) = lines.next().map_err(|source| failed(&self.folder, number, source))? {
                        self.line = line;
                        return Ok(Some((number, offset)));
                    }
                    self.current = None;
                }
            }
        }
    }

    fn next_segment(&mut self) -> Result<Option<Current>, ReadError> {
        let is_forwards = self.order == Order::OldestFirst;
        let next = if is_forwards { self.segments.pop_front() } else { self.segments.pop_back() };
        let Some(number) = next else { return Ok(None) };
        let failed = |source| failed(&self.folder, number, source);
        let missing = || failed(io::Error::from(io::ErrorKind::NotFound));
        let file = self.folder.open_to_read(&segment_name(number)).map_err(failed)?.ok_or_else(missing)?;
        if is_forwards {
            return Ok(Some(Current::Forwards(number, Lines::new(file, 0).map_err(failed)?)));
        }
        let size = file.metadata().map_err(failed)?.len();
        Ok(Some(Current::Backwards(number, LinesBack::new(file, size).map_err(failed)?)))
    }

    fn read(&self, number: u64, offset: u64) -> Result<Option<Kept>, ReadError> {
        let wrong = |why: String| ReadError::Entry { path: self.folder.path_of(&segment_name(number)), offset, why };
        if self.needle.as_ref().is_some_and(|needle| needle.find(&self.line).is_none()) {
            return Ok(None);
        }
        let raw = RawEntry::parse(&self.line).ok_or_else(|| wrong("it has another shape".to_owned()))?;
        match raw.content().map_err(|error| wrong(error.to_string()))? {
            Content::Record(record) if self.filter.matches(&record) => {
                Ok(Some(Kept { seq: raw.seq, hash: raw.hash, record: *record }))
            }
            _ => Ok(None),
        }
    }
}

impl Iterator for Records {
    type Item = Result<Kept, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, offset) = match self.next_line() {
                Ok(Some(place)) => place,
                Ok(None) => return None,
                Err(error) => {
                    // What cannot be read now cannot be read the next time either.
                    (self.current, self.segments) = (None, VecDeque::new());
                    return Some(Err(error));
                }
            };
            match self.read(number, offset) {
                Ok(None) => {}
                read => return read.transpose(),
            }
        }
    }
}

fn failed(folder: &Folder, number: u64, source: io::Error) -> ReadError {
    ReadError::Io { path: folder.path_of(&segment_name(number)), source }
}
