//! Names: which object has which, and every change of them. What holds after each change, and so at any moment: each directory
//! but the top one has exactly one name, and is not below itself; `links` is the number of names; `used` is what names and
//! objects cost.

use rusqlite::{Connection, OptionalExtension as _};

use super::change::{Change, prepare};
use super::content;
use super::inode::{self, Inode, New};
use crate::namespace::ENTRY_BYTES;
use crate::{Entry, EntryKind, FsError, Name, NewTime};

/// How many entries one batch of a listing has.
const BATCH_ENTRIES: i64 = 256;

/// Who removes a name holds the object by one handle, and is done with it then.
const REMOVER: usize = 1;

/// The deepest directory that is moved. No quota in use comes near; who planted more must not make us climb forever.
const MAX_DEPTH: u64 = 1 << 20;

/// What an entry costs, beside what it is an entry of.
pub(super) fn entry_cost(name: &str) -> u64 {
    ENTRY_BYTES.saturating_add(u64::try_from(name.len()).unwrap_or(u64::MAX))
}

/// The object that has the name.
pub(super) fn find(connection: &Connection, directory: i64, name: &str) -> Result<Option<i64>, FsError> {
    let mut query = prepare(connection, "SELECT inode FROM entry WHERE directory = ?1 AND name = ?2")?;
    Ok(query.query_row((directory, name), |row| row.get(0)).optional()?)
}

/// The object that has the name, and what it is.
pub(super) fn lookup(connection: &Connection, directory: i64, name: &str) -> Result<(i64, EntryKind), FsError> {
    let mut query = prepare(
        connection,
        "SELECT inode, (SELECT kind FROM inode WHERE id = entry.inode) FROM entry WHERE directory = ?1 AND name = ?2",
    )?;
    let found =
        query.query_row((directory, name), |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?))).optional()?;
    let (id, number) = found.ok_or(FsError::NoEntry)?;
    Ok((id, inode::kind(number.ok_or(FsError::Io)?)?))
}

/// Some more entries, in the order of names, after the one given.
pub(super) fn list(connection: &Connection, directory: i64, after: &str) -> Result<Vec<Entry>, FsError> {
    let mut query = prepare(
        connection,
        "SELECT entry.name, inode.kind FROM entry LEFT JOIN inode ON inode.id = entry.inode
         WHERE entry.directory = ?1 AND entry.name > ?2 ORDER BY entry.name LIMIT ?3",
    )?;
    let mut rows = query.query((directory, after, BATCH_ENTRIES))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, number): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
        // Nothing of ours is called so, or has a name and does not exist.
        Name::parse(&name).map_err(|_| FsError::Io)?;
        entries.push(Entry { kind: inode::kind(number.ok_or(FsError::Io)?)?, name });
    }
    Ok(entries)
}

/// Makes an object and gives it a name.
pub(super) fn make(change: &mut Change<'_>, directory: i64, name: &str, new: New<'_>) -> Result<i64, FsError> {
    vacant(change, directory, name)?;
    if let New::Link { target } = new {
        change.take(u64::try_from(target.len()).unwrap_or(u64::MAX))?;
    }
    let id = inode::insert(change, new)?;
    enter(change, directory, name, id)?;
    Ok(id)
}

/// Gives a file or link one more name.
pub(super) fn add_name(change: &mut Change<'_>, from: (i64, &str, i64), to: (i64, &str)) -> Result<(), FsError> {
    let (directory, name) = to;
    let (id, inode) = still(change, from)?;
    if inode.kind == EntryKind::Directory {
        return Err(FsError::IsDirectory);
    }
    vacant(change, directory, name)?;
    enter(change, directory, name, id)?;
    inode::set_links(change, id, inode.links.saturating_add(1))
}

/// Removes the name of a file or link.
pub(super) fn remove_file(change: &mut Change<'_>, from: (i64, &str, i64)) -> Result<(), FsError> {
    let (id, inode) = still(change, from)?;
    if inode.kind == EntryKind::Directory {
        return Err(FsError::IsDirectory);
    }
    leave(change, from.0, from.1)?;
    unname(change, id, &inode, REMOVER)
}

/// Removes an empty directory.
pub(super) fn remove_directory(change: &mut Change<'_>, from: (i64, &str, i64)) -> Result<(), FsError> {
    let (id, inode) = still(change, from)?;
    must_be_empty(change.connection(), id, &inode)?;
    leave(change, from.0, from.1)?;
    unname(change, id, &inode, REMOVER)
}

/// Moves an object to another name, in place of what has it.
pub(super) fn rename(change: &mut Change<'_>, from: (i64, &str, i64), to: (i64, &str)) -> Result<(), FsError> {
    let (directory, name) = to;
    let (id, inode) = still(change, from)?;
    if inode.kind == EntryKind::Directory && directory != from.0 && is_below(change.connection(), directory, id)? {
        return Err(FsError::Invalid);
    }
    must_be_alive(change.connection(), directory)?;
    match find(change.connection(), directory, name)? {
        Some(there) if there == id => return Ok(()),
        Some(there) => {
            let replaced = inode::load(change.connection(), there).map_err(missing_row)?;
            make_way(change, inode.kind, there, &replaced)?;
            leave(change, directory, name)?;
            unname(change, there, &replaced, 0)?;
        }
        None => {}
    }
    // The old name first: where the quota is used up, there is still room to move.
    leave(change, from.0, from.1)?;
    enter(change, directory, name, id)?;
    if inode.kind == EntryKind::Directory {
        inode::set_parent(change, id, directory)?;
    }
    inode::touch(change, id, NewTime::Keep, NewTime::Keep)
}

/// Removes an object that was let go of, unless it has a name after all.
pub(super) fn dispose_of_nameless(change: &mut Change<'_>, id: i64) -> Result<(), FsError> {
    match inode::load(change.connection(), id) {
        Ok(inode) if inode.links == 0 => dispose(change, id, &inode),
        Ok(_) | Err(FsError::NoEntry) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The object of the name, which must still be the expected one.
fn still(change: &Change<'_>, (directory, name, expected): (i64, &str, i64)) -> Result<(i64, Inode), FsError> {
    match find(change.connection(), directory, name)? {
        None => Err(FsError::NoEntry),
        Some(id) if id != expected => Err(FsError::Busy),
        Some(id) => Ok((id, inode::load(change.connection(), id).map_err(missing_row)?)),
    }
}

/// An entry whose object does not exist is no file that is missing.
fn missing_row(error: FsError) -> FsError {
    if matches!(error, FsError::NoEntry) { FsError::Io } else { error }
}

fn vacant(change: &Change<'_>, directory: i64, name: &str) -> Result<(), FsError> {
    must_be_alive(change.connection(), directory)?;
    match find(change.connection(), directory, name)? {
        Some(_) => Err(FsError::Exists),
        None => Ok(()),
    }
}

/// Nothing can be entered in a directory that was removed.
fn must_be_alive(connection: &Connection, directory: i64) -> Result<(), FsError> {
    match inode::load(connection, directory)? {
        Inode { kind: EntryKind::Directory, links: 0, .. } => Err(FsError::NoEntry),
        Inode { kind: EntryKind::Directory, .. } => Ok(()),
        Inode { .. } => Err(FsError::NotDirectory),
    }
}

fn must_be_empty(connection: &Connection, id: i64, inode: &Inode) -> Result<(), FsError> {
    if inode.kind != EntryKind::Directory {
        return Err(FsError::NotDirectory);
    }
    let mut query = prepare(connection, "SELECT 1 FROM entry WHERE directory = ?1 LIMIT 1")?;
    if query.exists([id])? { Err(FsError::NotEmpty) } else { Ok(()) }
}

/// Whether an object of the kind can come in place of `replaced`.
fn make_way(change: &Change<'_>, kind: EntryKind, there: i64, replaced: &Inode) -> Result<(), FsError> {
    match (kind, replaced.kind) {
        (EntryKind::Directory, EntryKind::Directory) => must_be_empty(change.connection(), there, replaced),
        (EntryKind::Directory, EntryKind::File | EntryKind::Link) => Err(FsError::NotDirectory),
        (EntryKind::File | EntryKind::Link, EntryKind::Directory) => Err(FsError::IsDirectory),
        (EntryKind::File | EntryKind::Link, EntryKind::File | EntryKind::Link) => Ok(()),
    }
}

/// Whether `directory` is `above`, or lies below it. A circle, which only somebody else can have made, is noticed by Brent's
/// method: a marker stays behind for twice as many steps each time, and whoever runs in a circle meets it.
fn is_below(connection: &Connection, directory: i64, above: i64) -> Result<bool, FsError> {
    let mut query = prepare(connection, "SELECT parent FROM inode WHERE id = ?1 AND kind = 2")?;
    let (mut here, mut marker) = (directory, None);
    for step in 1..MAX_DEPTH {
        if here == above {
            return Ok(true);
        }
        if marker == Some(here) {
            return Err(FsError::Io);
        }
        if step.is_power_of_two() {
            marker = Some(here);
        }
        let parent: Option<Option<i64>> = query.query_row([here], |row| row.get(0)).optional()?;
        match parent {
            Some(Some(parent)) => here = parent,
            Some(None) if here == super::schema::ROOT => return Ok(false),
            // A directory that is in none, or gone.
            Some(None) | None => return Err(FsError::NoEntry),
        }
    }
    Err(FsError::Io)
}

/// Enters a name that is vacant.
fn enter(change: &mut Change<'_>, directory: i64, name: &str, id: i64) -> Result<(), FsError> {
    change.take(entry_cost(name))?;
    let mut insert = prepare(change.connection(), "INSERT INTO entry (directory, name, inode) VALUES (?1, ?2, ?3)")?;
    insert.execute((directory, name, id))?;
    drop(insert);
    inode::touch(change, directory, NewTime::Keep, NewTime::Now)
}

/// Takes a name out.
fn leave(change: &mut Change<'_>, directory: i64, name: &str) -> Result<(), FsError> {
    let mut delete = prepare(change.connection(), "DELETE FROM entry WHERE directory = ?1 AND name = ?2")?;
    let removed = delete.execute((directory, name))?;
    drop(delete);
    if removed == 0 {
        return Err(FsError::NoEntry);
    }
    change.give_back(entry_cost(name))?;
    inode::touch(change, directory, NewTime::Keep, NewTime::Now)
}

/// The object has one name less. With the last one it goes, unless there are handles of it beside `own` ones.
fn unname(change: &mut Change<'_>, id: i64, inode: &Inode, own: usize) -> Result<(), FsError> {
    let links = inode.links.saturating_sub(1);
    if links == 0 && !change.outlives_its_name(id, own) {
        return dispose(change, id, inode);
    }
    inode::set_links(change, id, links)
}

/// Removes the object with all that it holds.
fn dispose(change: &mut Change<'_>, id: i64, inode: &Inode) -> Result<(), FsError> {
    content::remove(change.connection(), id)?;
    prepare(change.connection(), "DELETE FROM inode WHERE id = ?1")?.execute([id])?;
    match inode.kind {
        EntryKind::Directory => Ok(()),
        EntryKind::File | EntryKind::Link => change.give_back(inode.size),
    }
}
