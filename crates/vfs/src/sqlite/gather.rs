//! Writes that go on where the last one ended, gathered into one transaction. A guest writes a large file in pieces of 4 KiB; a
//! transaction for each would write five times as much to the log.
//!
//! What always holds: as long as writes are gathered, the transaction that they will be part of is open. So nobody else, in any
//! process, can change the file or what the quota counts, and what is refused is refused at once. There is room for them on the disk,
//! so a disk that is full is told at once, too. They get into the file system together, in order, before this process does anything
//! else with it, when a handle of the file is let go of, and after [`LINGER`] at the latest. A killed process loses what it had
//! gathered, and nothing that was synced.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::fs::{CWD, FallocateFlags, FlockOperation, Mode, OFlags, fallocate, flock, fstat, openat};
use rustix::process::{Resource, getrlimit};

use super::change::Account;
use super::{content, inode, shared};
use crate::FsError;

/// How much is gathered: enough that what a transaction takes by itself does not count.
const GATHER_BYTES: usize = 1 << 20;

/// How long other processes may have to wait for it, and see nothing of it.
const LINGER: Duration = Duration::from_millis(10);

/// What the log may grow by for what is gathered: its pages, the pages of what they replace, and what leads to them.
const ROOM_BYTES: u64 = 4 << 20;

/// How long the thread that ends what lingers stays without work.
const IDLE: Duration = Duration::from_secs(2);

/// How the log is opened.
const LOG_FLAGS: OFlags = OFlags::RDWR.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// Where in a file a write goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    At(u64),
    End,
}

impl Place {
    /// The offset in a file of this size.
    pub(super) const fn offset(self, size: u64) -> u64 {
        match self {
            Self::At(offset) => offset,
            Self::End => size,
        }
    }
}

/// The connection, and what is gathered to be written with it.
#[derive(Debug)]
pub(super) struct Slot {
    state: Mutex<State>,
    /// Something is gathered, or the connection is closed.
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    /// Taken out when it is closed.
    connection: Option<Connection>,
    gathered: Option<Gathered>,
    /// Which file was written last, and up to where.
    last: Option<(i64, u64)>,
    /// The file whose gathered writes failed after all, to be told once.
    lost: Option<(i64, FsError)>,
    log: Log,
    /// A thread ends what lingers.
    watched: bool,
}

/// Writes to one file, from `start` on.
#[derive(Debug)]
struct Gathered {
    id: i64,
    start: u64,
    bytes: Vec<u8>,
    /// The size of the file with them.
    size: u64,
    account: Account,
    began: Instant,
}

impl Slot {
    /// `file` is where the database is, without links on the way.
    pub(super) fn new(connection: Connection, file: &Path) -> Self {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        let log = Log { path: PathBuf::from(log), handle: None };
        let state = State { connection: Some(connection), gathered: None, last: None, lost: None, log, watched: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gathers what is written to the file `id`, if it goes on where the last write ended. `None` where it is to be a transaction of
    /// its own.
    pub(super) fn gather(
        self: &Arc<Self>,
        quota: u64,
        id: i64,
        bytes: &[u8],
        place: Place,
    ) -> Option<Result<usize, FsError>> {
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(error) = state.take_lost(id) {
            return Some(Err(error));
        }
        if !state.gathered.as_ref().is_some_and(|gathered| gathered.joins(quota, id, place)) {
            state.settle();
            if bytes.is_empty() || bytes.len() >= GATHER_BYTES || !state.goes_on(id, place) || !self.watch(state) {
                return None;
            }
            if let Err(error) = state.begin(quota, id, place) {
                return Some(Err(error));
            }
            self.changed.notify_all();
        }
        let (gathered, connection) = (state.gathered.as_mut()?, state.connection.as_ref()?);
        let added = gathered.add(connection, bytes);
        if gathered.bytes.is_empty() || gathered.bytes.len() >= GATHER_BYTES {
            state.settle();
        }
        Some(added.and_then(|length| state.take_lost(id).map_or(Ok(length), Err)))
    }

    /// As [`Slot::gather`], where something is gathered already and nothing else has to be done.
    pub(super) fn gather_at_once(
        &self,
        quota: u64,
        id: i64,
        bytes: &[u8],
        place: Place,
    ) -> Option<Result<usize, FsError>> {
        let mut state = self.state.try_lock().ok()?;
        let state = &mut *state;
        let (gathered, connection) = (state.gathered.as_mut()?, state.connection.as_ref()?);
        let fits = gathered.joins(quota, id, place) && gathered.bytes.len() + bytes.len() < GATHER_BYTES;
        fits.then(|| gathered.add(connection, bytes))
    }

    /// Sees to it that what lingers is ended. `false` where that cannot be.
    fn watch(self: &Arc<Self>, state: &mut State) -> bool {
        if !state.watched {
            let slot = Arc::clone(self);
            let thread = std::thread::Builder::new().name("caplet-sqlite".to_owned());
            state.watched = thread.spawn(move || slot.end_what_lingers()).is_ok();
        }
        state.watched
    }

    fn end_what_lingers(&self) {
        let mut state = self.lock();
        while state.connection.is_some() {
            let left = state.gathered.as_ref().map_or(IDLE, |gathered| LINGER.saturating_sub(gathered.began.elapsed()));
            if left.is_zero() {
                state.settle();
                continue;
            }
            let idles = state.gathered.is_none();
            let (woken, waited) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if idles && waited.timed_out() && state.gathered.is_none() {
                break;
            }
        }
        state.watched = false;
    }

    /// Locks the log for one user, as long as what is given lives and the database is open: a log is there as long as anybody has
    /// the database open, and is the same file for all.
    pub(super) fn claim(&self) -> Result<OwnedFd, FsError> {
        let mut state = self.lock();
        // To read is what makes the log, if there is none.
        state.settled()?.query_row("SELECT 1 FROM meta", (), |_| Ok(()))?;
        let handle = openat(CWD, &state.log.path, LOG_FLAGS, Mode::empty())?;
        flock(&handle, FlockOperation::NonBlockingLockExclusive)?;
        Ok(handle)
    }

    /// Closes the connection.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.settle();
        let connection = state.connection.take();
        state.log.handle = None;
        drop(state);
        drop(connection);
        self.changed.notify_all();
    }
}

impl State {
    /// The connection, with nothing gathered.
    pub(super) fn settled(&mut self) -> Result<&mut Connection, FsError> {
        self.settle();
        self.connection.as_mut().ok_or(FsError::Io)
    }

    /// The file `id` was written up to `end`.
    pub(super) fn wrote(&mut self, id: i64, end: u64) {
        self.last = Some((id, end));
    }

    /// Why writes to the file `id` that were gathered are lost, if they are and it was not told yet.
    pub(super) fn take_lost(&mut self, id: i64) -> Option<FsError> {
        self.lost.take_if(|(lost, _)| *lost == id).map(|(_, error)| error)
    }

    /// As [`State::take_lost`], for any file.
    pub(super) fn take_any_lost(&mut self) -> Option<FsError> {
        self.lost.take().map(|(_, error)| error)
    }

    /// The size of the file `id`, where it is being written.
    pub(super) fn size(&self, id: i64) -> Option<u64> {
        self.gathered.as_ref().filter(|gathered| gathered.id == id).map(|gathered| gathered.size)
    }

    /// Ends what is gathered for the file `id`.
    pub(super) fn settle_file(&mut self, id: i64) {
        if self.gathered.as_ref().is_some_and(|gathered| gathered.id == id) {
            self.settle();
        }
    }

    /// Ends what is gathered. Where that fails, nothing of it has happened.
    fn settle(&mut self) {
        let Some(gathered) = self.gathered.take() else { return };
        let Some(connection) = &self.connection else { return };
        match gathered.commit(connection) {
            Ok(()) => self.last = Some((gathered.id, gathered.end())),
            Err(error) => {
                roll_back(connection);
                if !gathered.bytes.is_empty() {
                    self.lost = Some((gathered.id, error));
                }
            }
        }
    }

    /// Whether a write is one of a row.
    fn goes_on(&mut self, id: i64, place: Place) -> bool {
        let goes_on = match (self.last, place) {
            (Some((last, end)), Place::At(offset)) => last == id && end == offset,
            (Some((last, _)), Place::End) => last == id,
            (None, _) => false,
        };
        goes_on && self.log.has_room()
    }

    fn begin(&mut self, quota: u64, id: i64, place: Place) -> Result<(), FsError> {
        let connection = self.connection.as_ref().ok_or(FsError::Io)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let size = content::size(connection, id).inspect_err(|_| roll_back(connection))?;
        self.gathered = Some(Gathered {
            id,
            start: place.offset(size),
            bytes: Vec::new(),
            size,
            account: Account::new(quota),
            began: Instant::now(),
        });
        Ok(())
    }
}

impl Gathered {
    /// Whether a write goes on where these end.
    fn joins(&self, quota: u64, id: i64, place: Place) -> bool {
        self.id == id && self.account.quota == quota && place.offset(self.size) == self.end()
    }

    fn end(&self) -> u64 {
        content::end_of(self.start, self.bytes.len())
    }

    fn add(&mut self, connection: &Connection, bytes: &[u8]) -> Result<usize, FsError> {
        let end = content::end_of(self.end(), bytes.len());
        let growth = end.saturating_sub(self.size);
        self.account.take(connection, growth)?;
        if i64::try_from(end).is_err() {
            self.account.give_back(connection, growth)?;
            return Err(FsError::FileTooLarge);
        }
        self.bytes.extend_from_slice(bytes);
        self.size = self.size.max(end);
        Ok(bytes.len())
    }

    fn commit(&self, connection: &Connection) -> Result<(), FsError> {
        if !self.bytes.is_empty() {
            content::fill(connection, self.id, self.start, &self.bytes)?;
            inode::resized(connection, shared::now(), self.id, self.size)?;
            self.account.write(connection)?;
        }
        Ok(connection.execute_batch("COMMIT")?)
    }
}

/// Ends a transaction that failed, if SQLite has not.
fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // A connection that cannot even do this answers the next transaction with an error.
        let _ = connection.execute_batch("ROLLBACK");
    }
}

/// The log beside the database, as a file of the host. SQLite has no locks on it that could be lost.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    handle: Option<OwnedFd>,
}

impl Log {
    /// Whether the log can grow by what may be gathered. It is reserved, so that nobody else takes it.
    fn has_room(&mut self) -> bool {
        let Some(handle) = self.handle.take().or_else(|| openat(CWD, &self.path, LOG_FLAGS, Mode::empty()).ok()) else {
            return false;
        };
        let room = (|| {
            let length = u64::try_from(fstat(&handle).ok()?.st_size).ok()?;
            let needed = length.checked_add(ROOM_BYTES)?;
            let limit = getrlimit(Resource::Fsize).current;
            if limit.is_some_and(|limit| limit < needed) {
                return None;
            }
            fallocate(&handle, FallocateFlags::KEEP_SIZE, length, ROOM_BYTES).ok()
        })();
        self.handle = Some(handle);
        room.is_some()
    }
}
