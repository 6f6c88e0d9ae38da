//! What a log remembers between appends, and the work that no append waits for: making entries durable, and vouching for them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::io::Errno;

use super::open::{Open, Stale};
use super::tail::Head;
use super::{CHECKPOINT_AGE, CHECKPOINT_RECORDS, LogConfig, SYNC};
use crate::SinkError;

/// How often an append opens the log anew when others begin segments meanwhile.
const TRIES: u32 = 16;

/// The last entry that this process saw, and the id of the log that it is in.
pub(crate) type Known = (String, Head);

/// A log, as its thread sees it too.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: LogConfig,
    state: Mutex<State>,
    pub(crate) wake: Condvar,
}

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    open: Option<Open>,
    pub(crate) known: Option<Known>,
    /// Whether something was appended that is not durable yet.
    is_dirty: bool,
    /// Records since the last checkpoint.
    unvouched: u64,
    /// When the first of them came.
    since: Option<Instant>,
    /// Whether entries could not be made durable or vouched for, and nobody was told yet.
    has_failed: bool,
    /// Whether there is a thread that settles.
    is_worked_on: bool,
    has_ended: bool,
}

impl State {
    /// Opens the log, if it is not, and makes sure that a record could be appended.
    pub(crate) fn ready(&mut self, config: &LogConfig) -> Result<(), SinkError> {
        let open = match self.open.take() {
            Some(open) if open.is_fit() => open,
            _ => Open::new(config, self.known.as_ref())?,
        };
        open.folder().must_have_room()?;
        self.keep(open);
        Ok(())
    }

    /// Appends a record. Says whether others wait to become durable already.
    pub(crate) fn append(&mut self, config: &LogConfig, content: &[u8]) -> Result<bool, SinkError> {
        for _ in 0..TRIES {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => Open::new(config, self.known.as_ref())?,
            };
            self.know(&open);
            let Err(Stale) = open.append(config, content)? else {
                self.keep(open);
                self.unvouched = self.unvouched.saturating_add(1);
                self.since.get_or_insert_with(Instant::now);
                return Ok(std::mem::replace(&mut self.is_dirty, true));
            };
        }
        Err(SinkError::Io { action: "append to", path: config.folder.clone(), source: Errno::WOULDBLOCK.into() })
    }

    fn keep(&mut self, open: Open) {
        self.know(&open);
        self.open = Some(open);
    }

    fn know(&mut self, open: &Open) {
        match &mut self.known {
            Some((log, head)) if *log == open.log => *head = open.head,
            known => *known = Some((open.log.clone(), open.head)),
        }
    }

    fn is_due(&self) -> bool {
        let is_old = self.since.is_some_and(|since| since.elapsed() >= CHECKPOINT_AGE);
        self.unvouched >= CHECKPOINT_RECORDS || is_old
    }
}

impl Shared {
    pub(crate) fn new(config: LogConfig) -> Self {
        Self { config, state: Mutex::default(), wake: Condvar::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // What is known of the file is compared with it at each append, so a panic elsewhere leaves nothing wrong behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes durable what was appended; vouches for it if that is due, or `now`.
    pub(crate) fn settle(&self, now: bool) -> Result<(), SinkError> {
        let (file, keys, log, head, is_due) = {
            let mut state = self.lock();
            if !state.is_dirty && state.unvouched == 0 {
                return Ok(());
            }
            let is_due = now || state.is_due();
            let Some(open) = &state.open else { return Ok(()) };
            let file = open.file()?;
            let work = (file, Arc::clone(open.keys()), open.log.clone(), open.head, is_due);
            state.is_dirty = false;
            if is_due {
                (state.unvouched, state.since) = (0, None);
            }
            work
        };
        let synced = file.sync_data().map_err(|source| {
            let path = self.config.folder.clone();
            SinkError::Io { action: "sync", path, source }
        });
        let settled = synced.and_then(|()| if is_due { keys.vouch(&log, head) } else { Ok(()) });
        if settled.is_err() {
            // As if nothing had been tried: the next time it is.
            let mut state = self.lock();
            state.is_dirty = true;
            state.unvouched = state.unvouched.max(1);
        }
        settled
    }

    /// Tries again what failed without anybody being told.
    pub(crate) fn retry(&self) -> Result<(), SinkError> {
        if !self.lock().has_failed {
            return Ok(());
        }
        self.settle(true)?;
        self.lock().has_failed = false;
        Ok(())
    }

    /// Starts the thread that settles, if there is to be one and is none. Where there is no room for another one, the log settles at its end.
    pub(crate) fn start(self: &Arc<Self>) {
        if !self.config.in_background || std::mem::replace(&mut self.lock().is_worked_on, true) {
            return;
        }
        let shared = Arc::clone(self);
        if std::thread::Builder::new().name("audit".to_owned()).spawn(move || shared.work()).is_err() {
            self.lock().is_worked_on = false;
        }
    }

    /// Ends the thread.
    pub(crate) fn end(&self) {
        self.lock().has_ended = true;
        self.wake.notify_all();
    }

    fn work(&self) {
        loop {
            let state = self.lock();
            let is_idle = |state: &mut State| !state.has_ended && !state.is_dirty && state.unvouched == 0;
            let state = self.wake.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
            let waited = self.wake.wait_timeout_while(state, SYNC, |state| !state.has_ended);
            let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.has_ended {
                return;
            }
            drop(state);
            if self.settle(false).is_err() {
                self.lock().has_failed = true;
            }
        }
    }
}
