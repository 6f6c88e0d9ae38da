//! One open database, shared by all handles of this process: the connection, who holds what, and the way of every transaction.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Statement, Transaction, TransactionBehavior};

use super::{open, tree};
use crate::FsError;

/// One open database. There is one for each file and process, however many stores are on it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) path: PathBuf,
    /// Nothing is ever written.
    pub(super) inspects: bool,
    /// Taken out when it is closed.
    connection: Mutex<Option<Connection>>,
    held: Mutex<HashMap<i64, Holders>>,
}

/// How many handles of this process an object has.
#[derive(Debug, Default)]
struct Holders {
    handles: usize,
    /// Its last name is gone: it goes with the last handle.
    nameless: bool,
}

impl Shared {
    pub(super) fn new(path: PathBuf, inspects: bool, connection: Connection) -> Self {
        Self { path, inspects, connection: Mutex::new(Some(connection)), held: Mutex::default() }
    }

    /// Reads. What needs more than one statement to be consistent begins a transaction itself.
    pub(super) fn read<T>(&self, act: impl FnOnce(&Connection) -> Result<T, FsError>) -> Result<T, FsError> {
        let guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        act(guard.as_ref().ok_or(FsError::Io)?)
    }

    /// Runs `act` in one transaction that writes: all of it happens, or nothing does. A handle that `act` gives is of an object
    /// that has a name, so letting go of it here, where the commit fails, does not come back to the connection.
    pub(super) fn change<T>(
        &self,
        quota: u64,
        act: impl FnOnce(&mut Change<'_>) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let mut guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = guard.as_mut().ok_or(FsError::Io)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut change = Change { transaction, shared: self, quota, meta: None, now: now() };
        let value = act(&mut change)?;
        change.commit()?;
        Ok(value)
    }

    /// Makes everything that was committed last through a crash of the host: a commit that is itself synced takes all before it
    /// along, since they are in one log.
    pub(super) fn sync(&self) -> Result<(), FsError> {
        let mut guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = guard.as_mut().ok_or(FsError::Io)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let synced = commit_something(connection);
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(synced?)
    }

    /// One more handle of an object that has a name, or a handle. Only with the connection held, so that the name is not removed
    /// meanwhile, or with the handle.
    pub(super) fn hold(&self, id: i64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.entry(id).or_default().handles += 1;
    }

    /// One handle less.
    pub(super) fn let_go(&self, id: i64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(holders) = held.get_mut(&id) else { return };
        holders.handles = holders.handles.saturating_sub(1);
        if holders.handles > 0 {
            return;
        }
        let nameless = held.remove(&id).is_some_and(|holders| holders.nameless);
        drop(held);
        if nameless {
            // Where this fails the row stays, and a later open collects it.
            let _ = self.change(u64::MAX, |change| tree::dispose_of_nameless(change, id));
        }
    }

    /// Closes the connection, which moves the log into the file if nobody else has it open.
    pub(super) fn close(&mut self) {
        drop(self.connection.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        open::forget(self);
    }
}

/// A transaction that writes.
#[derive(Debug)]
pub(super) struct Change<'c> {
    transaction: Transaction<'c>,
    shared: &'c Shared,
    quota: u64,
    /// As read, and as it is to be.
    meta: Option<[Meta; 2]>,
    /// When it happens: seconds and nanoseconds.
    pub(super) now: (i64, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meta {
    used: u64,
    next: i64,
}

impl Change<'_> {
    pub(super) fn connection(&self) -> &Connection {
        &self.transaction
    }

    /// Counts `bytes` more, if the quota has room for them.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), FsError> {
        if bytes == 0 {
            return Ok(());
        }
        let quota = self.quota;
        let meta = self.meta()?;
        let used = meta.used.checked_add(bytes).filter(|used| *used <= quota).ok_or(FsError::Quota)?;
        // What cannot be counted does not fit, whatever the quota says.
        i64::try_from(used).map_err(|_| FsError::FileTooLarge)?;
        meta.used = used;
        Ok(())
    }

    /// Counts `bytes` less.
    pub(super) fn give_back(&mut self, bytes: u64) -> Result<(), FsError> {
        if bytes > 0 {
            let meta = self.meta()?;
            meta.used = meta.used.saturating_sub(bytes);
        }
        Ok(())
    }

    /// An identity that no object has, or ever had.
    pub(super) fn new_identity(&mut self) -> Result<i64, FsError> {
        let meta = self.meta()?;
        let id = meta.next;
        meta.next = id.checked_add(1).ok_or(FsError::Io)?;
        Ok(id)
    }

    /// Whether this process has more than `own` handles of the object, which has just lost its last name. If so it stays until
    /// it is let go.
    pub(super) fn outlives_its_name(&self, id: i64, own: usize) -> bool {
        let mut held = self.shared.held.lock().unwrap_or_else(PoisonError::into_inner);
        let others = held.get_mut(&id).filter(|holders| holders.handles > own);
        // It may still have a name after all, if the transaction fails. Who lets go of it looks again.
        others.map(|holders| holders.nameless = true).is_some()
    }

    fn meta(&mut self) -> Result<&mut Meta, FsError> {
        if self.meta.is_none() {
            let mut query = prepare(&self.transaction, "SELECT used, next FROM meta WHERE id = 1")?;
            let row = query.query_row((), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (used, next): (i64, i64) = row.ok_or(FsError::Io)?;
            let meta = Meta { used: u64::try_from(used).map_err(|_| FsError::Io)?, next };
            self.meta = Some([meta; 2]);
        }
        self.meta.as_mut().map(|[_, meta]| meta).ok_or(FsError::Io)
    }

    fn commit(self) -> Result<(), FsError> {
        if let Some([before, after]) = self.meta
            && before != after
        {
            let used = i64::try_from(after.used).map_err(|_| FsError::FileTooLarge)?;
            let mut update = prepare(&self.transaction, "UPDATE meta SET used = ?1, next = ?2 WHERE id = 1")?;
            update.execute((used, after.next))?;
        }
        Ok(self.transaction.commit()?)
    }
}

/// A statement, compiled. The one place to keep statements between uses.
pub(super) fn prepare<'c>(connection: &'c Connection, text: &str) -> Result<Statement<'c>, FsError> {
    Ok(connection.prepare(text)?)
}

fn commit_something(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("UPDATE meta SET syncs = (syncs + 1) & 65535 WHERE id = 1", ())?;
    transaction.commit()
}

/// The present, as it is stored.
pub(super) fn now() -> (i64, u32) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// A handle of an object: what keeps it when its last name goes.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) store: Arc<super::Store>,
    pub(super) id: i64,
}

impl Handle {
    /// As [`Shared::hold`].
    pub(super) fn new(store: &Arc<super::Store>, id: i64) -> Self {
        store.shared.hold(id);
        Self { store: Arc::clone(store), id }
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        Self::new(&self.store, self.id)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.store.shared.let_go(self.id);
    }
}
