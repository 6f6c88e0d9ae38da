//! How many calls run at once, and how much memory they hold together.
//!
//! What always holds: never more calls than there are places; a bounded number waits, first come first served, and beyond that a call
//! is turned away at once. All guests together never hold more memory than they were given together, whatever each one's own limit is.
//!
//! A call that another one makes waits only for a place of its own depth. Who holds one waits at most for places of a greater depth, and
//! the deepest calls wait for none: so somebody always goes on, however many wait for the calls that they make.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::end::Stop;
use crate::engine::lock;

/// The places for calls.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Those of calls that nobody makes who holds one, and of each depth below that any call was at.
    places: Mutex<Vec<Arc<Semaphore>>>,
    total: u32,
    waiting: AtomicUsize,
    max_waiting: usize,
}

impl Admission {
    pub(crate) fn new(places: u32, max_waiting: usize) -> Self {
        Self { places: Mutex::default(), total: places, waiting: AtomicUsize::new(0), max_waiting }
    }

    fn places(&self, depth: usize) -> Arc<Semaphore> {
        let mut places = lock(&self.places);
        while places.len() <= depth {
            let places_here = usize::try_from(self.total).unwrap_or(Semaphore::MAX_PERMITS);
            places.push(Arc::new(Semaphore::new(places_here)));
        }
        places.get(depth).cloned().unwrap_or_else(|| Arc::new(Semaphore::new(0)))
    }

    /// A place for a call at `depth`, if there is one.
    pub(crate) fn try_enter(&self, depth: usize) -> Result<Option<OwnedSemaphorePermit>, Stop> {
        match self.places(depth).try_acquire_owned() {
            Ok(place) => Ok(Some(place)),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(Stop::host("the sandbox is closed")),
        }
    }

    /// A place for a call at `depth`, after a wait of at most `patience`.
    pub(crate) async fn enter(&self, depth: usize, patience: Duration) -> Result<OwnedSemaphorePermit, Stop> {
        let Some(_waiting) = Waiting::begin(self) else {
            return Err(self.overloaded(&format!("{} more wait already", self.max_waiting)));
        };
        match tokio::time::timeout(patience, self.places(depth).acquire_owned()).await {
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

/// Memory that guests may hold together: all of them, or a call and those that it makes.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    total: u64,
    left: AtomicU64,
    /// What this is a part of.
    above: Option<Arc<Self>>,
}

/// Whose memory is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// That of the call and of those that it makes.
    Call,
    /// That of a call that made it, or of all.
    Others,
}

impl MemoryBudget {
    /// The memory of all guests.
    pub(crate) fn new(total: u64) -> Arc<Self> {
        Arc::new(Self { total, left: AtomicU64::new(total), above: None })
    }

    /// The memory of a call and of those that it makes: at most `total`, and a part of this.
    pub(crate) fn below(self: &Arc<Self>, total: u64) -> Arc<Self> {
        Arc::new(Self { total, left: AtomicU64::new(total), above: Some(Arc::clone(self)) })
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// A part of the budget, empty as yet.
    pub(crate) fn share(self: &Arc<Self>) -> MemoryShare {
        MemoryShare { budget: Arc::clone(self), taken: 0 }
    }

    /// Takes `bytes` of this and of all above, or of none.
    fn take(&self, bytes: u64) -> Result<(), Short> {
        let rest = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).map_err(|_| Short::Call)?;
        let above = self.above.as_ref().map_or(Ok(()), |above| above.take(bytes));
        above.map_err(|_| {
            self.left.fetch_add(bytes, Ordering::Relaxed);
            Short::Others
        })
    }

    fn give_back(&self, bytes: u64) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
        if let Some(above) = &self.above {
            above.give_back(bytes);
        }
    }
}

/// What one call took of the budget; it goes back when this is dropped.
#[derive(Debug)]
pub(crate) struct MemoryShare {
    budget: Arc<MemoryBudget>,
    taken: u64,
}

impl MemoryShare {
    /// Takes `bytes` more.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), Short> {
        self.budget.take(bytes)?;
        self.taken += bytes;
        Ok(())
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}
