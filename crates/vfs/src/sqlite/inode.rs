//! Rows of objects. A row that makes no sense answers [`FsError::Io`], whoever wrote it.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::change::{Change, prepare};
use crate::{EntryKind, FileStat, FsError, NewTime, Timestamp};

/// What must be known of an object to act on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inode {
    pub(super) kind: EntryKind,
    /// How many names it has.
    pub(super) links: u64,
    /// Bytes of a file, or of the target of a link.
    pub(super) size: u64,
}

/// The object, or [`FsError::NoEntry`] where another process removed it.
pub(super) fn load(connection: &Connection, id: i64) -> Result<Inode, FsError> {
    let mut query = prepare(connection, "SELECT kind, links, size FROM inode WHERE id = ?1")?;
    let row = query.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (number, links, size) = row.optional()?.ok_or(FsError::NoEntry)?;
    Ok(Inode { kind: kind(number)?, links: count(links)?, size: count(size)? })
}

/// What is told about the object.
pub(super) fn stat(connection: &Connection, id: i64) -> Result<FileStat, FsError> {
    let mut query = prepare(
        connection,
        "SELECT kind, links, size, accessed, accessed_nanos, modified, modified_nanos, changed, changed_nanos
         FROM inode WHERE id = ?1",
    )?;
    let mut rows = query.query([id])?;
    let row = rows.next()?.ok_or(FsError::NoEntry)?;
    let kind = kind(row.get(0)?)?;
    let (links, size) = match kind {
        EntryKind::Directory => (1, 0),
        EntryKind::File | EntryKind::Link => (count(row.get(1)?)?, count(row.get(2)?)?),
    };
    Ok(FileStat {
        kind,
        links,
        size,
        accessed: Some(time(row, 3)?),
        modified: Some(time(row, 5)?),
        changed: Some(time(row, 7)?),
    })
}

/// The target of the link.
pub(super) fn target(connection: &Connection, id: i64) -> Result<String, FsError> {
    let mut query = prepare(connection, "SELECT target FROM inode WHERE id = ?1 AND kind = 3")?;
    let target: Option<Option<String>> = query.query_row([id], |row| row.get(0)).optional()?;
    let target = target.ok_or(FsError::NoEntry)?.ok_or(FsError::Io)?;
    // No path is longer, and none has a NUL: this was not written by us.
    if target.len() > crate::MAX_PATH_BYTES || target.contains('\0') { Err(FsError::Io) } else { Ok(target) }
}

/// Enters a new object, with one name, and gives its identity. What it holds must have been paid for.
pub(super) fn insert(change: &mut Change<'_>, new: New<'_>) -> Result<i64, FsError> {
    let id = change.new_identity()?;
    let (kind, parent, target) = match new {
        New::File => (1, None, None),
        New::Directory { parent } => (2, Some(parent), None),
        New::Link { target } => (3, None, Some(target)),
    };
    let size = i64::try_from(target.map_or(0, str::len)).map_err(|_| FsError::FileTooLarge)?;
    let (seconds, nanoseconds) = change.now;
    let mut insert = prepare(
        change.connection(),
        "INSERT INTO inode (id, kind, links, size, parent, target,
            accessed, accessed_nanos, modified, modified_nanos, changed, changed_nanos)
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?6, ?7, ?6, ?7)",
    )?;
    insert.execute((id, kind, size, parent, target, seconds, nanoseconds))?;
    Ok(id)
}

/// A new object.
#[derive(Clone, Copy, Debug)]
pub(super) enum New<'a> {
    File,
    Directory { parent: i64 },
    Link { target: &'a str },
}

/// Says that the content changed `now`, and what size it has by now.
pub(super) fn resized(connection: &Connection, now: (i64, u32), id: i64, size: u64) -> Result<(), FsError> {
    let size = i64::try_from(size).map_err(|_| FsError::FileTooLarge)?;
    let (seconds, nanoseconds) = now;
    let mut update = prepare(
        connection,
        "UPDATE inode SET size = ?2, modified = ?3, modified_nanos = ?4, changed = ?3, changed_nanos = ?4 WHERE id = ?1",
    )?;
    update.execute((id, size, seconds, nanoseconds))?;
    Ok(())
}

/// Sets times, and that something changed now.
pub(super) fn touch(change: &Change<'_>, id: i64, accessed: NewTime, modified: NewTime) -> Result<(), FsError> {
    let ((accessed, accessed_nanos), (modified, modified_nanos)) =
        (new_time(accessed, change.now)?, new_time(modified, change.now)?);
    let mut update = prepare(
        change.connection(),
        "UPDATE inode SET accessed = coalesce(?2, accessed), accessed_nanos = coalesce(?3, accessed_nanos),
            modified = coalesce(?4, modified), modified_nanos = coalesce(?5, modified_nanos),
            changed = ?6, changed_nanos = ?7 WHERE id = ?1",
    )?;
    let (seconds, nanoseconds) = change.now;
    match update.execute((id, accessed, accessed_nanos, modified, modified_nanos, seconds, nanoseconds))? {
        0 => Err(FsError::NoEntry),
        _ => Ok(()),
    }
}

/// Sets how many names the object has.
pub(super) fn set_links(change: &Change<'_>, id: i64, links: u64) -> Result<(), FsError> {
    let links = i64::try_from(links).map_err(|_| FsError::TooManyLinks)?;
    let (seconds, nanoseconds) = change.now;
    let mut update =
        prepare(change.connection(), "UPDATE inode SET links = ?2, changed = ?3, changed_nanos = ?4 WHERE id = ?1")?;
    update.execute((id, links, seconds, nanoseconds))?;
    Ok(())
}

/// Says that the directory is in another one now.
pub(super) fn set_parent(change: &Change<'_>, id: i64, parent: i64) -> Result<(), FsError> {
    prepare(change.connection(), "UPDATE inode SET parent = ?2 WHERE id = ?1")?.execute([id, parent])?;
    Ok(())
}

/// What kind a number stands for.
pub(super) fn kind(number: i64) -> Result<EntryKind, FsError> {
    match number {
        1 => Ok(EntryKind::File),
        2 => Ok(EntryKind::Directory),
        3 => Ok(EntryKind::Link),
        _ => Err(FsError::Io),
    }
}

fn count(number: i64) -> Result<u64, FsError> {
    u64::try_from(number).map_err(|_| FsError::Io)
}

/// The time in two columns from `first` on.
pub(super) fn time(row: &Row<'_>, first: usize) -> Result<Timestamp, FsError> {
    let (seconds, nanoseconds) = (count(row.get(first)?)?, row.get::<_, i64>(first + 1)?);
    match u32::try_from(nanoseconds) {
        Ok(nanoseconds) if nanoseconds < 1_000_000_000 => Ok(Timestamp { seconds, nanoseconds }),
        _ => Err(FsError::Io),
    }
}

/// Both columns of a time; `None` where it stays.
fn new_time(time: NewTime, now: (i64, u32)) -> Result<(Option<i64>, Option<u32>), FsError> {
    match time {
        NewTime::Keep => Ok((None, None)),
        NewTime::Now => Ok((Some(now.0), Some(now.1))),
        NewTime::At(at) => {
            let seconds = i64::try_from(at.seconds).map_err(|_| FsError::Overflow)?;
            Ok((Some(seconds), Some(at.nanoseconds)))
        }
    }
}
