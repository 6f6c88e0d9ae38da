//! Calls whose client was answered with a question, and has to come back with what its user said.
//!
//! What always holds: such a call is found once, by 256 random bits that were given to nobody but its client; how many there are and for how
//! long is bounded; one that nobody comes back for is stopped, and leaves its record.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caplet::Answer;
use caplet::component::Digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::rounds::Running;

/// Calls that wait at a time, of one session or, where there are none, of one server. As many questions wait for a person at most.
const MOST: usize = 64;

/// Bytes of what a call is found by.
const STATE: usize = 32;

/// The calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    calls: Mutex<HashMap<String, Entry>>,
}

/// A call that waits for its client.
#[derive(Debug)]
pub(crate) struct Paused {
    /// The digest of the request that began it.
    pub(crate) request: Digest,
    pub(crate) call: Running,
    /// What was asked, by the name that the client knows it by.
    pub(crate) asked: BTreeMap<String, oneshot::Sender<Answer>>,
}

#[derive(Debug)]
struct Entry {
    paused: Paused,
    /// Stops the call when nobody has come back.
    _expiry: Expiry,
}

/// A task that ends with this.
#[derive(Debug)]
struct Expiry(AbortHandle);

impl Drop for Expiry {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Waiting {
    /// Has `paused` wait for as long as `time`. Gives what it is found by; or the call, where there is no room.
    pub(crate) fn keep(self: &Arc<Self>, paused: Paused, time: Duration) -> Result<String, Box<Paused>> {
        let mut random = [0; STATE];
        let mut calls = self.lock();
        if calls.len() >= MOST || SystemRandom::new().fill(&mut random).is_err() {
            return Err(Box::new(paused));
        }
        let state = URL_SAFE_NO_PAD.encode(random);
        let (table, own) = (Arc::downgrade(self), state.clone());
        let expiring = tokio::spawn(async move {
            tokio::time::sleep(time).await;
            if let Some(table) = table.upgrade() {
                let _expired = table.take(&own);
            }
        });
        calls.insert(state.clone(), Entry { paused, _expiry: Expiry(expiring.abort_handle()) });
        Ok(state)
    }

    /// The call that is found by `state`; nobody finds it again.
    pub(crate) fn take(&self, state: &str) -> Option<Paused> {
        self.lock().remove(state).map(|entry| entry.paused)
    }

    /// Stops all that wait, and returns when their records are kept.
    pub(crate) async fn end(&self) {
        let calls: Vec<Paused> = self.lock().drain().map(|(_, entry)| entry.paused).collect();
        for Paused { call, .. } in calls {
            call.stop().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
