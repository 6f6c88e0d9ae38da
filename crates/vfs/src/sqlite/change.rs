//! A transaction that writes, and what it takes of the quota.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _};

use super::shared::Shared;
use crate::FsError;

/// A transaction that writes. Who begins it ends it.
#[derive(Debug)]
pub(super) struct Change<'c> {
    connection: &'c Connection,
    shared: &'c Shared,
    account: Account,
    /// When it happens: seconds and nanoseconds.
    pub(super) now: (i64, u32),
}

impl<'c> Change<'c> {
    pub(super) fn new(connection: &'c Connection, shared: &'c Shared, quota: u64) -> Self {
        Self { connection, shared, account: Account::new(quota), now: super::shared::now() }
    }

    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Counts `bytes` more, if the quota has room for them.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), FsError> {
        self.account.take(self.connection, bytes)
    }

    /// Counts `bytes` less.
    pub(super) fn give_back(&mut self, bytes: u64) -> Result<(), FsError> {
        self.account.give_back(self.connection, bytes)
    }

    /// An identity that no object has, or ever had.
    pub(super) fn new_identity(&mut self) -> Result<i64, FsError> {
        let meta = self.account.meta(self.connection)?;
        let id = meta.next;
        meta.next = id.checked_add(1).ok_or(FsError::Io)?;
        Ok(id)
    }

    /// As [`Shared::outlives_its_name`].
    pub(super) fn outlives_its_name(&self, id: i64, own: usize) -> bool {
        self.shared.outlives_its_name(id, own)
    }

    /// Writes down what was counted: the last thing in a transaction.
    pub(super) fn finish(self) -> Result<(), FsError> {
        self.account.write(self.connection)
    }
}

/// What the quota counts, in one transaction.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) quota: u64,
    /// As read, and as it is to be.
    meta: Option<[Meta; 2]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meta {
    used: u64,
    next: i64,
}

impl Account {
    pub(super) const fn new(quota: u64) -> Self {
        Self { quota, meta: None }
    }

    /// Counts `bytes` more, if the quota has room for them.
    pub(super) fn take(&mut self, connection: &Connection, bytes: u64) -> Result<(), FsError> {
        if bytes == 0 {
            return Ok(());
        }
        let quota = self.quota;
        let meta = self.meta(connection)?;
        let used = meta.used.checked_add(bytes).filter(|used| *used <= quota).ok_or(FsError::Quota)?;
        // What cannot be counted does not fit, whatever the quota says.
        i64::try_from(used).map_err(|_| FsError::FileTooLarge)?;
        meta.used = used;
        Ok(())
    }

    /// Counts `bytes` less.
    pub(super) fn give_back(&mut self, connection: &Connection, bytes: u64) -> Result<(), FsError> {
        if bytes > 0 {
            let meta = self.meta(connection)?;
            meta.used = meta.used.saturating_sub(bytes);
        }
        Ok(())
    }

    fn meta(&mut self, connection: &Connection) -> Result<&mut Meta, FsError> {
        if self.meta.is_none() {
            let mut query = prepare(connection, "SELECT used, next FROM meta WHERE id = 1")?;
            let row = query.query_row((), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (used, next): (i64, i64) = row.ok_or(FsError::Io)?;
            let meta = Meta { used: u64::try_from(used).map_err(|_| FsError::Io)?, next };
            self.meta = Some([meta; 2]);
        }
        self.meta.as_mut().map(|[_, meta]| meta).ok_or(FsError::Io)
    }

    /// Writes down what has changed.
    pub(super) fn write(&self, connection: &Connection) -> Result<(), FsError> {
        if let Some([before, after]) = self.meta
            && before != after
        {
            let used = i64::try_from(after.used).map_err(|_| FsError::FileTooLarge)?;
            let mut update = prepare(connection, "UPDATE meta SET used = ?1, next = ?2 WHERE id = 1")?;
            update.execute((used, after.next))?;
        }
        Ok(())
    }
}

/// A statement, compiled once a connection.
pub(super) fn prepare<'c>(connection: &'c Connection, text: &str) -> Result<CachedStatement<'c>, FsError> {
    Ok(connection.prepare_cached(text)?)
}
