//! Bytes of a file, in chunks.

use rusqlite::{Connection, OptionalExtension as _};

use super::change::{Change, prepare};
use super::gather::Place;
use super::inode;
use crate::{EntryKind, FsError, MAX_READ_BYTES};

/// Bytes of one chunk. A smaller one makes more rows, a larger one more to write for a small change.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// The same, as sizes and offsets are counted.
const CHUNK: u64 = 64 * 1024;

/// Up to `length` bytes from `offset` on, at most [`MAX_READ_BYTES`].
pub(super) fn read(connection: &Connection, id: i64, offset: u64, length: usize) -> Result<Vec<u8>, FsError> {
    if i64::try_from(offset).is_err() {
        return Err(FsError::Invalid);
    }
    let length = length.min(MAX_READ_BYTES);
    let last = end_of(offset, length.max(1)).saturating_sub(1);
    // One statement, so that size and content are of one moment.
    let mut query = prepare(
        connection,
        "SELECT inode.kind, inode.size, chunk.number, chunk.data FROM inode
         LEFT JOIN chunk ON chunk.inode = inode.id AND chunk.number BETWEEN ?2 AND ?3 WHERE inode.id = ?1",
    )?;
    let mut rows = query.query([id, number(offset / CHUNK)?, number(last / CHUNK)?])?;
    let mut bytes: Option<Vec<u8>> = None;
    while let Some(row) = rows.next()? {
        if inode::kind(row.get(0)?)? != EntryKind::File {
            return Err(FsError::Io);
        }
        let size = u64::try_from(row.get::<_, i64>(1)?).map_err(|_| FsError::Io)?;
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = bytes.get_or_insert_with(|| vec![0; length.min(left)]);
        // A file without content in this range has one row all the same.
        if let Some(chunk) = row.get::<_, Option<i64>>(2)? {
            copy(bytes, offset, chunk, row.get_ref(3)?.as_blob().map_err(|_| FsError::Io)?)?;
        }
    }
    bytes.ok_or(FsError::NoEntry)
}

/// Copies what `bytes`, which start at `offset`, and the chunk have in common.
fn copy(bytes: &mut [u8], offset: u64, chunk: i64, data: &[u8]) -> Result<(), FsError> {
    let starts = u64::try_from(chunk).ok().and_then(|chunk| chunk.checked_mul(CHUNK)).ok_or(FsError::Io)?;
    if data.len() > CHUNK_BYTES {
        return Err(FsError::Io);
    }
    let skip = |from: u64, to: u64| usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    let from = data.get(skip(starts, offset)..).unwrap_or_default();
    let to = bytes.get_mut(skip(offset, starts)..).unwrap_or_default();
    let length = from.len().min(to.len());
    if let (Some(to), Some(from)) = (to.get_mut(..length), from.get(..length)) {
        to.copy_from_slice(from);
    }
    Ok(())
}

/// Writes at the place. Gives how much was written, and where that ends.
pub(super) fn write(change: &mut Change<'_>, id: i64, bytes: &[u8], place: Place) -> Result<(usize, u64), FsError> {
    let size = size(change.connection(), id)?;
    let offset = place.offset(size);
    if bytes.is_empty() {
        return Ok((0, offset));
    }
    let end = end_of(offset, bytes.len());
    change.take(end.saturating_sub(size))?;
    i64::try_from(end).map_err(|_| FsError::FileTooLarge)?;
    fill(change.connection(), id, offset, bytes)?;
    inode::resized(change.connection(), change.now, id, size.max(end))?;
    Ok((bytes.len(), end))
}

/// Writes at `offset`, which was paid for, and leaves the size as it is.
pub(super) fn fill(connection: &Connection, id: i64, offset: u64, bytes: &[u8]) -> Result<(), FsError> {
    parts(offset, bytes).try_for_each(|part| put(connection, id, &part))
}

/// Cuts the file, or extends it with zeros.
pub(super) fn set_size(change: &mut Change<'_>, id: i64, size: u64) -> Result<(), FsError> {
    let before = self::size(change.connection(), id)?;
    change.take(size.saturating_sub(before))?;
    change.give_back(before.saturating_sub(size))?;
    if size < before {
        let (last, rest) = (size / CHUNK, size % CHUNK);
        let kept = number(last + u64::from(rest > 0))?;
        prepare(change.connection(), "DELETE FROM chunk WHERE inode = ?1 AND number >= ?2")?.execute([id, kept])?;
        prepare(
            change.connection(),
            "UPDATE chunk SET data = substr(data, 1, ?3) WHERE inode = ?1 AND number = ?2 AND length(data) > ?3",
        )?
        .execute([id, number(last)?, number(rest)?])?;
    }
    inode::resized(change.connection(), change.now, id, size)
}

/// Removes all content.
pub(super) fn remove(connection: &Connection, id: i64) -> Result<(), FsError> {
    prepare(connection, "DELETE FROM chunk WHERE inode = ?1")?.execute([id])?;
    Ok(())
}

/// The size of a file.
pub(super) fn size(connection: &Connection, id: i64) -> Result<u64, FsError> {
    let inode = inode::load(connection, id)?;
    if inode.kind == EntryKind::File { Ok(inode.size) } else { Err(FsError::Io) }
}

/// The part of a range of bytes that lies in one chunk.
struct Part<'a> {
    chunk: u64,
    /// Where it starts in the chunk.
    start: usize,
    bytes: &'a [u8],
}

fn parts(offset: u64, bytes: &[u8]) -> impl Iterator<Item = Part<'_>> {
    let (mut offset, mut left) = (offset, bytes);
    std::iter::from_fn(move || {
        let start = usize::try_from(offset % CHUNK).ok()?;
        let (bytes, rest) = left.split_at((CHUNK_BYTES - start).min(left.len()));
        let part = Part { chunk: offset / CHUNK, start, bytes };
        (offset, left) = (end_of(offset, bytes.len()), rest);
        (!bytes.is_empty()).then_some(part)
    })
}

/// Writes one part. What replaces a chunk as a whole is written as it is; a change inside of one writes its pages alone.
fn put(connection: &Connection, inode: i64, part: &Part<'_>) -> Result<(), FsError> {
    let chunk = number(part.chunk)?;
    let end = part.start + part.bytes.len();
    if part.bytes.len() == CHUNK_BYTES {
        return replace(connection, inode, chunk, part.bytes);
    }
    let mut place = prepare(connection, "SELECT id, length(data) FROM chunk WHERE inode = ?1 AND number = ?2")?;
    let found: Option<(i64, i64)> = place.query_row([inode, chunk], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let length = usize::try_from(found.map_or(0, |(_, length)| length)).map_err(|_| FsError::Io)?;
    match found {
        _ if part.start == 0 && length <= end => replace(connection, inode, chunk, part.bytes),
        Some((row, _)) if end <= length && length <= CHUNK_BYTES => {
            let mut blob = connection.blob_open("main", "chunk", "data", row, false)?;
            blob.write_at(part.bytes, part.start)?;
            Ok(blob.close()?)
        }
        Some((row, _)) if length <= CHUNK_BYTES => {
            let mut data = vec![0; length];
            connection.blob_open("main", "chunk", "data", row, true)?.read_at_exact(&mut data, 0)?;
            // Twice as much as there was, so that many small additions do not copy all of it each time.
            data.resize(end.max(length.saturating_mul(2).min(CHUNK_BYTES)), 0);
            set(&mut data, part);
            replace(connection, inode, chunk, &data)
        }
        None => {
            let mut data = vec![0; end];
            set(&mut data, part);
            replace(connection, inode, chunk, &data)
        }
        Some(_) => Err(FsError::Io),
    }
}

fn set(data: &mut [u8], part: &Part<'_>) {
    if let Some(to) = data.get_mut(part.start..part.start + part.bytes.len()) {
        to.copy_from_slice(part.bytes);
    }
}

fn replace(connection: &Connection, inode: i64, chunk: i64, data: &[u8]) -> Result<(), FsError> {
    let mut put = prepare(
        connection,
        "INSERT INTO chunk (inode, number, data) VALUES (?1, ?2, ?3)
         ON CONFLICT (inode, number) DO UPDATE SET data = excluded.data",
    )?;
    put.execute((inode, chunk, data))?;
    Ok(())
}

/// One past the last byte of a range.
pub(super) fn end_of(offset: u64, length: usize) -> u64 {
    offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX))
}

/// A number of a chunk, or a size, as it is stored.
fn number(number: u64) -> Result<i64, FsError> {
    i64::try_from(number).map_err(|_| FsError::FileTooLarge)
}
