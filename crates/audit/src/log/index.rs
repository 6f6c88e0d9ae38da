//! An index of a log, for questions: a SQLite file beside the segments that says where records of a tool, an outcome or a time are.
//!
//! What always holds: it is made of the segments and can be removed at any time; what it does not know yet is added before a question is
//! answered; a record that is handed out was read from the log itself, and fits the question. [`verify`](super::verify()) never looks at it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::types::Value;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, Row, Transaction, TransactionBehavior, params, params_from_iter,
};
use rustix::fs::{AtFlags, OFlags, unlinkat};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::entry::{Content, Hash, Kind, RawEntry};
use super::filter::Filter;
use super::folder::{Folder, segment_name};
use super::lines::{End, Lines};
use super::reader::{Kept, ReadError};
use super::tail::bytes_at;

/// The file in the log's folder.
const FILE: &str = "index.sqlite";

/// What the tables look like. A file with another number is made anew.
const FORMAT: i64 = 1;

/// How long another process may be at it. One that adds a million records takes some seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tables: where each record is, and how far the log was read.
const SCHEMA: &str = "
    CREATE TABLE record (seq INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
        id TEXT NOT NULL, time INTEGER NOT NULL, tool TEXT NOT NULL, outcome TEXT NOT NULL, denied INTEGER NOT NULL) STRICT;
    CREATE INDEX record_id ON record (id);
    CREATE INDEX record_time ON record (time);
    CREATE INDEX record_tool ON record (tool, time);
    CREATE INDEX record_outcome ON record (outcome, time);
    CREATE INDEX record_denied ON record (time) WHERE denied > 0;
    CREATE TABLE read (one INTEGER PRIMARY KEY CHECK (one = 1), segment INTEGER NOT NULL, offset INTEGER NOT NULL,
        last INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
    INSERT INTO read VALUES (1, 1, 0, 0, '');";

/// Why the index cannot answer. [`Reader`](super::Reader) can, in more time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The log itself cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The file cannot be used.
    #[error("the index of the audit log cannot be used: {0}")]
    File(String),
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.to_string())
    }
}

/// Answers questions to a log.
#[derive(Debug)]
pub struct Index {
    folder: Folder,
    connection: Connection,
}

/// Where the index has read to.
#[derive(Debug)]
struct ReadTo {
    segment: u64,
    offset: u64,
    /// Where the last entry that it read starts, and its hash.
    last: u64,
    hash: String,
}

impl Index {
    /// Opens the index of the log in `folder`, and adds what it does not know yet. Makes it anew where it does not fit the log.
    ///
    /// # Errors
    ///
    /// When there is no log, or nothing can be written beside it.
    pub fn open(folder: &Path) -> Result<Self, IndexError> {
        match Self::current(folder) {
            Err(IndexError::File(_)) => {}
            made => return made,
        }
        // Whatever is wrong with it, nothing is lost with it.
        remove(&Folder::open(folder).map_err(|_| missing(folder))?);
        Self::current(folder)
    }

    /// The index that is there, or a new one, with all that the log has by now.
    fn current(folder: &Path) -> Result<Self, IndexError> {
        let mut made = Self::connect(Folder::open(folder).map_err(|_| missing(folder))?)?;
        made.catch_up()?;
        Ok(made)
    }

    fn connect(folder: Folder) -> Result<Self, IndexError> {
        // A private file, and no link.
        let flags = OFlags::RDWR | OFlags::CREATE;
        let file = folder.open_file(FILE, flags).map_err(|error| IndexError::File(error.to_string()))?;
        folder.must_be_safe(FILE, &file).map_err(|error| IndexError::File(error.to_string()))?;
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(folder.path_of(FILE), flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self { folder, connection })
    }

    /// The last `limit` records that `filter` lets through, by time, in the order of the log.
    ///
    /// # Errors
    ///
    /// When the index or the log cannot be read.
    pub fn last(&self, filter: &Filter, limit: usize) -> Result<Vec<Kept>, IndexError> {
        let (text, values) = question(filter);
        let mut statement = self.connection.prepare_cached(&text)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(row) = rows.next()? else { break };
            let kept = self.read(place(row)?)?;
            if filter.matches(&kept.record) {
                found.push(kept);
            }
        }
        found.sort_by_key(|kept| kept.seq);
        Ok(found)
    }

    /// The record with the id `id`, the newest if there are more.
    ///
    /// # Errors
    ///
    /// As [`Index::last`].
    pub fn find(&self, id: &str) -> Result<Option<Kept>, IndexError> {
        let text = "SELECT segment, offset, length FROM record WHERE id = ?1 ORDER BY seq DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(text)?;
        let kept = statement.query_row([id], place).optional()?.map(|place| self.read(place)).transpose()?;
        Ok(kept.filter(|kept| kept.record.id == id))
    }

    /// Reads a record from where the index says that it is.
    fn read(&self, (segment, offset, length): (u64, u64, u64)) -> Result<Kept, IndexError> {
        let wrong = |why: &str| ReadError::Entry { path: self.path(segment), offset, why: why.to_owned() };
        let line = self.line(segment, offset, length)?;
        let entry = RawEntry::parse(&line).filter(RawEntry::is_sealed).ok_or_else(|| wrong("it was changed"))?;
        match entry.content().map_err(|error| wrong(&error.to_string()))? {
            Content::Record(record) => Ok(Kept { seq: entry.seq, hash: entry.hash, record: *record }),
            Content::Remark(_) => Err(wrong("it is no record").into()),
        }
    }

    fn line(&self, segment: u64, offset: u64, length: u64) -> Result<Vec<u8>, ReadError> {
        let failed = |source| ReadError::Io { path: self.path(segment), source };
        let file = self.folder.open_to_read(&segment_name(segment)).map_err(failed)?;
        let file = file.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        bytes_at(&file, offset, length.min(super::entry::ENTRY_BYTES as u64)).map_err(failed)
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.folder.path_of(&segment_name(segment))
    }

    /// Adds what was appended since the last time. An error says that the index does not fit the log.
    fn catch_up(&mut self) -> Result<(), IndexError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
        } else if version != FORMAT {
            return Err(IndexError::File("it is of another release".to_owned()));
        }
        let mut to = transaction.query_row("SELECT segment, offset, last, hash FROM read", [], |row| {
            let (segment, offset, last) = place(row)?;
            Ok(ReadTo { segment, offset, last, hash: row.get(3)? })
        })?;
        if !fits(&self.folder, &to)? {
            return Err(IndexError::File("it is of another log".to_owned()));
        }
        let before = (to.segment, to.offset);
        add(&self.folder, &transaction, &mut to)?;
        if (to.segment, to.offset) != before {
            let text = "UPDATE read SET segment = ?1, offset = ?2, last = ?3, hash = ?4";
            transaction.execute(text, params![signed(to.segment), signed(to.offset), signed(to.last), to.hash])?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn missing(folder: &Path) -> IndexError {
    IndexError::Log(ReadError::Missing(folder.to_owned()))
}

/// Removes the index with all that SQLite puts beside it.
fn remove(folder: &Folder) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // What is not there need not be removed, and what cannot be shows when it is opened.
        let _ = unlinkat(folder.fd(), format!("{FILE}{suffix}").as_str(), AtFlags::empty());
    }
}

/// Whether the last entry that was read is still where it was.
fn fits(folder: &Folder, to: &ReadTo) -> Result<bool, IndexError> {
    if to.offset == 0 {
        return Ok(true);
    }
    let failed = |source| ReadError::Io { path: folder.path_of(&segment_name(to.segment)), source };
    let Some(file) = folder.open_to_read(&segment_name(to.segment)).map_err(failed)? else { return Ok(false) };
    let line = bytes_at(&file, to.last, to.offset.saturating_sub(to.last)).map_err(failed)?;
    let entry = line.strip_suffix(b"\n").and_then(RawEntry::parse);
    Ok(entry.is_some_and(|entry| Hash::parse(to.hash.as_bytes()) == Some(entry.hash)))
}

/// Adds all records from `to` on.
fn add(folder: &Folder, transaction: &Transaction<'_>, to: &mut ReadTo) -> Result<(), IndexError> {
    let text = "INSERT OR REPLACE INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut insert = transaction.prepare(text)?;
    let mut line = Vec::new();
    loop {
        let failed = |source| ReadError::Io { path: folder.path_of(&segment_name(to.segment)), source };
        let Some(file) = folder.open_to_read(&segment_name(to.segment)).map_err(failed)? else { return Ok(()) };
        let mut lines = Lines::new(file, to.offset).map_err(failed)?;
        while lines.next(&mut line).map_err(failed)? == Some(End::Break) {
            let start = to.offset;
            to.offset = lines.offset;
            let Some(entry) = RawEntry::parse(&line) else { continue };
            (to.last, to.hash) = (start, entry.hash.to_string());
            if entry.kind == Kind::Record
                && let Ok(facts) = serde_json::from_slice::<Facts>(entry.content)
            {
                let Facts { id, time, tool, outcome, decisions } = facts;
                let denied = signed(decisions.denied.len() as u64);
                let time = millis(humantime::parse_rfc3339(&time).unwrap_or(SystemTime::UNIX_EPOCH));
                let place = [entry.seq, to.segment, start, line.len() as u64].map(signed);
                insert.execute(params![place[0], place[1], place[2], place[3], id, time, tool, outcome, denied])?;
            }
        }
        if folder.stat(&segment_name(to.segment.saturating_add(1))).is_err() {
            return Ok(());
        }
        (to.segment, to.offset) = (to.segment.saturating_add(1), 0);
    }
}

/// What the index knows of a record.
#[derive(Deserialize)]
struct Facts {
    id: String,
    time: String,
    tool: String,
    outcome: String,
    decisions: Denials,
}

#[derive(Deserialize)]
struct Denials {
    denied: Vec<IgnoredAny>,
}

/// The question as SQL, newest first. What it does not say, the record itself is asked.
fn question(filter: &Filter) -> (String, Vec<Value>) {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    let mut add = |condition: &'static str, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value);
        }
    };
    add("tool = ?", filter.tool.clone().map(Value::Text));
    add("outcome = ?", filter.outcome.map(|outcome| Value::Text(outcome.as_str().to_owned())));
    add("time >= ?", filter.since.map(|since| Value::Integer(millis(since))));
    add("time < ?", filter.until.map(|until| Value::Integer(millis(until))));
    if filter.denied {
        conditions.push("denied > 0");
    }
    let conditions = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    (format!("SELECT segment, offset, length FROM record {conditions} ORDER BY time DESC, seq DESC"), values)
}

/// A time in milliseconds since 1970, as exactly as records have it.
fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A number as SQLite has it. None of ours is as large as what it cannot hold.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Three numbers of a row: a place in the log.
fn place(row: &Row<'_>) -> rusqlite::Result<(u64, u64, u64)> {
    let number = |column| row.get(column).map(|number: i64| u64::try_from(number).unwrap_or(0));
    Ok((number(0)?, number(1)?, number(2)?))
}
