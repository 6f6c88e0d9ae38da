//! How many calls run at once, and how much memory they hold together.
//!
//! What always holds: never more calls than there are places; a bounded number waits, first come first served, and beyond that a call
//! is turned away at once. All guests together never hold more memory than they were given together, whatever each one's own limit is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::end::Stop;

/// The places for calls.
#[derive(Debug)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    total: u32,
    waiting: AtomicUsize,
    max_waiting: usize,
}

impl Admission {
    pub(crate) fn new(places: u32, max_waiting: usize) -> Self {
        let semaphore = Semaphore::new(usize::try_from(places).unwrap_or(Semaphore::MAX_PERMITS));
        Self { places: Arc::new(semaphore), total: places, waiting: AtomicUsize::new(0), max_waiting }
    }

    /// A place for a call, if there is one.
    pub(crate) fn try_enter(&self) -> Result<Option<OwnedSemaphorePermit>, Stop> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Ok(Some(place)),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(Stop::host("the sandbox is closed")),
        }
    }

    /// A place for a call, after a wait of at most `patience`.
    pub(crate) async fn enter(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Stop> {
        let Some(_waiting) = Waiting::begin(self) else {
            return Err(self.overloaded(&format!("{} more wait already", self.max_waiting)));
        };
        match tokio::time::timeout(patience, Arc::clone(&self.places).acquire_owned()).await {
            Ok(place) => place.map_err(|_| Stop::host("the sandbox is closed")),
            Err(_elapsed) => Err(self.overloaded(&format!("none ended within {patience:?}"))),
        }
    }

    fn overloaded(&self, why: &str) -> Stop {
        Stop::host(format!(
            "overloaded: {} calls run, which is the most at one time, and {why}; try again later",
            self.total
        ))
    }
}

/// Counts a call that waits, even if it stops waiting half-way.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(admission: &'a Admission) -> Option<Self> {
        let room = |waiting| (waiting < admission.max_waiting).then_some(waiting + 1);
        admission.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        Some(Self(&admission.waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The memory that all guests may hold together.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    total: u64,
    left: AtomicU64,
}

impl MemoryBudget {
    pub(crate) fn new(total: u64) -> Arc<Self> {
        Arc::new(Self { total, left: AtomicU64::new(total) })
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// A part of the budget, empty as yet.
    pub(crate) fn share(self: &Arc<Self>) -> MemoryShare {
        MemoryShare { budget: Arc::clone(self), taken: 0 }
    }
}

/// What one call took of the budget; it goes back when this is dropped.
#[derive(Debug)]
pub(crate) struct MemoryShare {
    budget: Arc<MemoryBudget>,
    taken: u64,
}

impl MemoryShare {
    /// Takes `bytes` more; whether there were as many.
    pub(crate) fn take(&mut self, bytes: u64) -> bool {
        let rest = |left: u64| left.checked_sub(bytes);
        let taken = self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).is_ok();
        if taken {
            self.taken += bytes;
        }
        taken
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.taken, Ordering::Relaxed);
    }
}
