//! The word to end, that every thread of a server waits on instead of sleeping.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::lock;

/// Set once, and seen by all who wait.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(crate) fn set(&self) {
        *lock(&self.set) = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_set(&self) -> bool {
        *lock(&self.set)
    }

    /// Waits for `time`, or until it is set. Returns whether it is.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let guard = lock(&self.set);
        let waited = self.changed.wait_timeout_while(guard, time, |set| !*set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
