//! What is asked of the tables, each time within a transaction of whoever asks.
//!
//! The row in `store` counts what all entries take, and the versions that were given: none comes twice, also when a key was deleted and
//! set again. Every change of `entry` changes it in the same transaction.

use std::time::{SystemTime, UNIX_EPOCH};

use caplet_policy::{ReadKey, WriteKey};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, Row, params};

use super::SqliteOptions;
use crate::limit::{bytes, entry_bytes};
use crate::{Cursor, Error, PAGE_KEYS, Page, Seen, is_key, number};

/// How many entries a write takes away at most for being too old, so that it never takes long.
const FORGOTTEN_AT_ONCE: u32 = 64;

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// What the caller of the store is told.
    Is(Error),
    /// Another process has what is needed.
    Busy,
    /// The disk is full.
    Full,
    /// The file is no store of ours any more.
    Damaged(String),
    /// SQLite failed before it committed.
    Sqlite(rusqlite::Error),
    /// SQLite failed to commit.
    Commit(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            // A column of another type, text that is none: nothing that we wrote.
            None => Self::Damaged(error.to_string()),
            Some(_) => Self::Sqlite(error),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Is(error)
    }
}

/// A key in a bucket.
pub(super) struct Key {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl From<&ReadKey> for Key {
    fn from(op: &ReadKey) -> Self {
        Self { bucket: op.bucket().to_owned(), key: op.key().to_owned() }
    }
}

impl From<&WriteKey> for Key {
    fn from(op: &WriteKey) -> Self {
        Self { bucket: op.bucket().to_owned(), key: op.key().to_owned() }
    }
}

/// The tables at a moment.
pub(super) struct Table<'a> {
    connection: &'a Connection,
    options: &'a SqliteOptions,
    now_ms: i64,
}

impl<'a> Table<'a> {
    pub(super) fn new(connection: &'a Connection, options: &'a SqliteOptions) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { connection, options, now_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX) }
    }

    /// What a live entry has in some columns.
    fn of_entry<T>(
        &self,
        columns: &str,
        key: &Key,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Failure> {
        let sql =
            format!("SELECT {columns} FROM entry WHERE bucket = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)");
        self.row(&sql, params![key.bucket, key.key, self.now_ms], read)
    }

    fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Failure> {
        Ok(self.connection.query_row(sql, params, read).optional()?)
    }

    pub(super) fn value(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
        self.of_entry("value", key, |row| row.get(0))
    }

    pub(super) fn version(&self, key: &Key) -> Result<Option<u64>, Failure> {
        let version = self.of_entry("version", key, |row| row.get(0))?;
        version.map(unsigned).transpose()
    }

    pub(super) fn look(&self, key: &Key) -> Result<Seen, Failure> {
        let Some((value, version)) = self.of_entry("value, version", key, |row| Ok((row.get(0)?, row.get(1)?)))? else {
            return Ok(Seen { value: None, version: None });
        };
        Ok(Seen { value: Some(value), version: Some(unsigned(version)?) })
    }

    /// The keys of a bucket that come after `key`, in the order of their bytes.
    pub(super) fn page_after(&self, key: &Key) -> Result<Page, Failure> {
        let mut statement = self.connection.prepare(
            "SELECT key FROM entry WHERE bucket = ?1 AND key > ?2 AND (expires IS NULL OR expires > ?3)
             ORDER BY key LIMIT ?4",
        )?;
        let limit = i64::try_from(PAGE_KEYS).unwrap_or(i64::MAX).saturating_add(1);
        let rows = statement.query_map(params![key.bucket, key.key, self.now_ms, limit], |row| row.get(0))?;
        let mut keys = rows.collect::<rusqlite::Result<Vec<String>>>()?;
        let is_more = keys.len() > PAGE_KEYS;
        keys.truncate(PAGE_KEYS);
        let next = keys.last().filter(|_last| is_more).cloned().map(Cursor);
        keys.retain(|found| is_key(&key.bucket, found));
        Ok(Page { keys, next })
    }

    pub(super) fn put(&self, key: &Key, value: &[u8]) -> Result<(), Failure> {
        self.forget_expired(FORGOTTEN_AT_ONCE)?;
        // An expired one counts until it is gone.
        let before = self.row(
            "SELECT octet_length(value) FROM entry WHERE bucket = ?1 AND key = ?2",
            params![key.bucket, key.key],
            |row| row.get(0),
        )?;
        let before = before.map_or(Ok(0), |length| Ok::<_, Failure>(key.entry_bytes(unsigned(length)?)))?;
        let after = key.entry_bytes(bytes(value.len()));
        if !self.has_room(before, after)? {
            self.forget_expired(u32::MAX)?;
            // It may itself have been one of those.
            let before = if self.is_there(key)? { before } else { 0 };
            return if self.has_room(before, after)? {
                self.replace(key, value, before, after)
            } else {
                Err(Failure::Is(Error::Full))
            };
        }
        self.replace(key, value, before, after)
    }

    pub(super) fn delete(&self, key: &Key) -> Result<(), Failure> {
        self.forget(
            "DELETE FROM entry WHERE bucket = ?1 AND key = ?2
             RETURNING octet_length(bucket), octet_length(key), octet_length(value)",
            params![key.bucket, key.key],
        )
    }

    pub(super) fn increment(&self, key: &Key, delta: i64) -> Result<i64, Failure> {
        let sum = number::sum(self.value(key)?.as_deref(), delta)?;
        self.put(key, sum.to_string().as_bytes())?;
        Ok(sum)
    }

    pub(super) fn swap(&self, key: &Key, seen: Option<u64>, value: &[u8]) -> Result<bool, Failure> {
        let is_as_seen = self.version(key)? == seen;
        if is_as_seen {
            self.put(key, value)?;
        }
        Ok(is_as_seen)
    }

    fn is_there(&self, key: &Key) -> Result<bool, Failure> {
        let sql = "SELECT 1 FROM entry WHERE bucket = ?1 AND key = ?2";
        self.row(sql, params![key.bucket, key.key], |_row| Ok(())).map(|row| row.is_some())
    }

    /// Whether an entry may grow so. One that shrinks always may, also where the quota was larger once.
    fn has_room(&self, before: u64, after: u64) -> Result<bool, Failure> {
        Ok(after <= before || self.used()?.saturating_sub(before).saturating_add(after) <= self.options.quota)
    }

    fn used(&self) -> Result<u64, Failure> {
        let used = self.row("SELECT used FROM store", [], |row| row.get(0))?;
        unsigned(used.ok_or_else(|| Failure::Damaged("its row of totals is missing".into()))?)
    }

    fn replace(&self, key: &Key, value: &[u8], before: u64, after: u64) -> Result<(), Failure> {
        self.count(before, after)?;
        let ttl_ms = self.options.ttl.map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
        let expires = ttl_ms.map(|ttl| self.now_ms.saturating_add(ttl));
        self.connection.execute(
            "INSERT INTO entry (bucket, key, version, expires, value)
             VALUES (?1, ?2, (SELECT version FROM store), ?3, ?4)
             ON CONFLICT (bucket, key)
             DO UPDATE SET version = excluded.version, expires = excluded.expires, value = excluded.value",
            params![key.bucket, key.key, expires, value],
        )?;
        Ok(())
    }

    /// Takes away entries that are too old.
    fn forget_expired(&self, at_most: u32) -> Result<(), Failure> {
        self.forget(
            "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE expires <= ?1 ORDER BY expires LIMIT ?2)
             RETURNING octet_length(bucket), octet_length(key), octet_length(value)",
            params![self.now_ms, at_most],
        )
    }

    /// Takes entries away with a statement that gives the lengths of what they had.
    fn forget(&self, sql: &str, params: impl Params) -> Result<(), Failure> {
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query(params)?;
        let mut gone = 0;
        while let Some(row) = rows.next()? {
            let lengths: [i64; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
            let lengths = lengths.into_iter().map(unsigned).collect::<Result<Vec<_>, _>>()?;
            gone = lengths.into_iter().fold(gone + crate::ENTRY_BYTES, u64::saturating_add);
        }
        if gone == 0 { Ok(()) } else { self.count(gone, 0) }
    }

    /// Counts that something takes other space than before, and that there is a new version.
    fn count(&self, before: u64, after: u64) -> Result<(), Failure> {
        let used = self.used()?.checked_sub(before).and_then(|rest| rest.checked_add(after));
        let used = used.and_then(|used| i64::try_from(used).ok());
        let used = used.ok_or_else(|| Failure::Damaged("its totals are wrong".into()))?;
        self.connection.execute("UPDATE store SET used = ?1, version = version + 1", params![used])?;
        Ok(())
    }
}

impl Key {
    fn entry_bytes(&self, value_bytes: u64) -> u64 {
        entry_bytes(&self.bucket, &self.key, value_bytes)
    }
}

/// A number that we only ever wrote as one that is not negative.
fn unsigned(number: i64) -> Result<u64, Failure> {
    u64::try_from(number).map_err(|_negative| Failure::Damaged("a number in it is negative".into()))
}
