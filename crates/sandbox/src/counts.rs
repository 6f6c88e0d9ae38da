//! What is counted for a call and for all calls that it makes, together.
//!
//! What always holds: something is counted for the call that does it and for every call above it, or for none of them; no count passes the
//! limit of its call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caplet_policy::Limits;

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    HttpRequests,
    KeyValueOps,
    Calls,
    /// Those that run, and those whose result nobody has taken yet.
    CallsAtOnce,
}

/// The counts of one call.
#[derive(Debug)]
pub(crate) struct Counts {
    http_requests: Count,
    kv_ops: Count,
    calls: Count,
    calls_at_once: Count,
    /// Those of the call that made this one.
    above: Option<Arc<Self>>,
}

#[derive(Debug)]
struct Count {
    most: u64,
    used: AtomicU64,
}

impl Count {
    fn new(most: u64) -> Self {
        Self { most, used: AtomicU64::new(0) }
    }
}

/// There is no more of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Full {
    /// The limit.
    pub(crate) most: u64,
    /// Whether it is that of a call above.
    is_above: bool,
}

impl Full {
    /// Whose limit it is, to begin a sentence with.
    pub(crate) fn who(self) -> &'static str {
        if self.is_above { "the tool that called this one, and those that it called," } else { "the tool" }
    }
}

impl Counts {
    /// The counts of a call with `limits`, below those of the call that made it.
    pub(crate) fn new(limits: &Limits, above: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            http_requests: Count::new(limits.http_requests),
            kv_ops: Count::new(limits.kv_ops),
            calls: Count::new(limits.calls),
            calls_at_once: Count::new(limits.calls_at_once),
            above,
        })
    }

    fn count(&self, what: Counted) -> &Count {
        match what {
            Counted::HttpRequests => &self.http_requests,
            Counted::KeyValueOps => &self.kv_ops,
            Counted::Calls => &self.calls,
            Counted::CallsAtOnce => &self.calls_at_once,
        }
    }

    /// Counts one more, here and above.
    pub(crate) fn take(&self, what: Counted) -> Result<(), Full> {
        let Count { most, used } = self.count(what);
        let next = |used: u64| (used < *most).then_some(used + 1);
        let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        taken.map_err(|_| Full { most: *most, is_above: false })?;
        let above = self.above.as_ref().map_or(Ok(()), |above| above.take(what));
        above.map_err(|full| {
            used.fetch_sub(1, Ordering::Relaxed);
            Full { is_above: true, ..full }
        })
    }

    /// One of those that were taken is over.
    pub(crate) fn give_back(&self, what: Counted) {
        self.count(what).used.fetch_sub(1, Ordering::Relaxed);
        if let Some(above) = &self.above {
            above.give_back(what);
        }
    }

    /// How many there were, or are.
    pub(crate) fn used(&self, what: Counted) -> u64 {
        self.count(what).used.load(Ordering::Relaxed)
    }
}
