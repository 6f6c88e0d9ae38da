//! What a call saw of a store, and that again as a store.
//!
//! [`RecordingStore`] stands before any other store and notes what crosses from it to the guest: which names are there and which are
//! not, listings, what is told of objects, and content as far as it is read. [`ReplayStore`] is a tree in memory made of such notes. The
//! namespace in front of both is the same, so paths, policy and quotas work in a replay as they did in the call.
//!
//! What always holds: of a name or a byte, the first knowledge is kept, and nothing that the guest itself put there; what is noted is
//! bounded by an allowance, beyond which the store goes on as if nobody noted anything; a replay touches nothing but its own memory, and
//! what is not known is answered as missing, and told ([`Unknown`]).
//!
//! What is not kept apart: if somebody else changes a file while the call runs, the recording holds what was seen first.

mod fault;
mod notes;
mod ranges;
mod record;
mod replay;
mod state;
mod tree;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use caplet_policy::Allowance;

pub use record::RecordingStore;
pub use replay::ReplayStore;
pub use tree::Tree;

/// What all that is noted of a call may take in memory, and whether it was too much.
#[derive(Debug)]
pub struct Room {
    allowance: Allowance,
    is_full: AtomicBool,
}

impl Room {
    /// Room for `bytes` bytes: contents by their length, and some for each thing that is noted.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { allowance: Allowance::new(bytes), is_full: AtomicBool::new(false) }
    }

    /// Takes `bytes`. Once there was no room for something, there is none for anything: what has a gap is of no use after it.
    pub fn take(&self, bytes: usize) -> bool {
        if self.is_full() {
            return false;
        }
        let taken = self.allowance.take(u64::try_from(bytes).unwrap_or(u64::MAX));
        if !taken {
            self.is_full.store(true, Ordering::Relaxed);
        }
        taken
    }

    /// Whether something found no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// How many bytes there are in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.allowance.bytes()
    }
}

/// What a replay was asked for and does not know, each once, in the order in which it was first asked for.
#[derive(Debug, Default)]
pub struct Unknown(Mutex<Vec<String>>);

impl Unknown {
    /// More than a person reads.
    const MOST: usize = 1_000;

    /// Notes that `what` is not known.
    pub fn note(&self, what: String) {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.len() < Self::MOST && !known.contains(&what) {
            known.push(what);
        }
    }

    /// All of it so far.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
