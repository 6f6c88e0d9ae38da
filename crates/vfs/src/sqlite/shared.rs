//! One open database, shared by all handles of this process: the connection, who holds what, and the way of every transaction.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, TransactionBehavior};

use super::change::Change;
use super::gather::{Place, Slot};
use super::{content, open, tree};
use crate::FsError;

/// One open database. There is one for each file and process, however many stores are on it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) path: PathBuf,
    /// Nothing is ever written.
    pub(super) inspects: bool,
    slot: Arc<Slot>,
    /// The file that was written last.
    written: AtomicI64,
    held: Mutex<HashMap<i64, Holders>>,
}

/// Who has the file for himself.
#[derive(Debug)]
pub(super) struct Claim {
    /// Let go of first.
    _log: OwnedFd,
    _open: Arc<Shared>,
}

/// How many handles of this process an object has.
#[derive(Debug, Default)]
struct Holders {
    handles: usize,
    /// Its last name is gone: it goes with the last handle.
    nameless: bool,
}

impl Shared {
    /// `path` is for people, `real` the file that is open.
    pub(super) fn new(path: PathBuf, real: &Path, inspects: bool, connection: Connection) -> Self {
        let slot = Arc::new(Slot::new(connection, real));
        Self { path, inspects, slot, written: AtomicI64::new(0), held: Mutex::default() }
    }

    /// Reads. What needs more than one statement to be consistent begins a transaction itself.
    pub(super) fn read<T>(&self, act: impl FnOnce(&Connection) -> Result<T, FsError>) -> Result<T, FsError> {
        act(self.slot.lock().settled()?)
    }

    /// As [`Shared::read`], of one file: what it lost is told.
    pub(super) fn read_file<T>(
        &self,
        id: i64,
        act: impl FnOnce(&Connection) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let mut state = self.slot.lock();
        state.settle_file(id);
        if let Some(error) = state.take_lost(id) {
            return Err(error);
        }
        act(state.settled()?)
    }

    /// The size of a file.
    pub(super) fn size(&self, id: i64) -> Result<u64, FsError> {
        let known = self.slot.lock().size(id);
        known.map_or_else(|| self.read_file(id, |connection| content::size(connection, id)), Ok)
    }

    /// Runs `act` in one transaction that writes: all of it happens, or nothing does.
    pub(super) fn change<T>(
        &self,
        quota: u64,
        act: impl FnOnce(&mut Change<'_>) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let mut state = self.slot.lock();
        let transaction = state.settled()?.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut change = Change::new(&transaction, self, quota);
        let value = act(&mut change)?;
        let done = change.finish().and_then(|()| Ok(transaction.commit()?));
        // To let go of a handle that `act` made comes back to the connection.
        drop(state);
        done.map(|()| value)
    }

    /// Writes to a file.
    pub(super) fn write(&self, quota: u64, id: i64, bytes: &[u8], place: Place) -> Result<usize, FsError> {
        self.written.store(id, Ordering::Release);
        if let Some(gathered) = self.slot.gather(quota, id, bytes, place) {
            return gathered;
        }
        let (written, end) = self.change(quota, |change| content::write(change, id, bytes, place))?;
        self.slot.lock().wrote(id, end);
        Ok(written)
    }

    /// As [`Shared::write`], where nothing has to be waited for.
    pub(super) fn write_at_once(
        &self,
        quota: u64,
        id: i64,
        bytes: &[u8],
        place: Place,
    ) -> Option<Result<usize, FsError>> {
        self.slot.gather_at_once(quota, id, bytes, place)
    }

    /// Makes everything that was committed last through a crash of the host: a commit that is itself synced takes all before it
    /// along, since they are in one log.
    pub(super) fn sync(&self) -> Result<(), FsError> {
        let mut state = self.slot.lock();
        state.settled()?;
        if let Some(error) = state.take_any_lost() {
            return Err(error);
        }
        let connection = state.settled()?;
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

    /// One handle less. Never with the connection held.
    pub(super) fn let_go(&self, id: i64) {
        if self.written.load(Ordering::Acquire) == id {
            self.slot.lock().settle_file(id);
        }
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

    /// Whether this process has more than `own` handles of the object, which has just lost its last name. If so it stays until
    /// it is let go.
    pub(super) fn outlives_its_name(&self, id: i64, own: usize) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let others = held.get_mut(&id).filter(|holders| holders.handles > own);
        // It may still have a name after all, if the transaction fails. Who lets go of it looks again.
        others.map(|holders| holders.nameless = true).is_some()
    }

    /// Locks the file for one user, as long as what is given lives.
    pub(super) fn claim(self: &Arc<Self>) -> Result<Claim, FsError> {
        Ok(Claim { _log: self.slot.claim()?, _open: Arc::clone(self) })
    }

    /// Closes the connection, which moves the log into the file if nobody else has it open.
    pub(super) fn close(&mut self) {
        self.slot.close();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        open::forget(self);
    }
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
