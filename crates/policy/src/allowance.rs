//! Bytes that may be held: by one holder, or by several together.
//!
//! What always holds: what is taken is never more than there was, of this allowance and of each that it is part of; what a holder that is
//! gone had taken is given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that may be held.
#[derive(Debug)]
pub struct Allowance {
    bytes: u64,
    left: AtomicU64,
    /// What is taken here is taken there as well.
    part_of: Option<Arc<Allowance>>,
}

impl Allowance {
    /// An allowance of `bytes` bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { bytes, left: AtomicU64::new(bytes), part_of: None }
    }

    /// The same, as a part of `whole`: other parts may leave less of it.
    #[must_use]
    pub fn part_of(mut self, whole: Option<Arc<Allowance>>) -> Self {
        self.part_of = whole;
        self
    }

    /// All bytes of it, taken or not.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that are taken now.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.bytes.saturating_sub(self.left.load(Ordering::Relaxed))
    }

    /// Takes `bytes`, if there are as many here and in the whole. Whether it did; if not, nothing is taken.
    #[must_use]
    pub fn take(&self, bytes: u64) -> bool {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if taken.is_err() {
            return false;
        }
        let is_there = self.part_of.as_ref().is_none_or(|whole| whole.take(bytes));
        if !is_there {
            self.left.fetch_add(bytes, Ordering::Relaxed);
        }
        is_there
    }

    /// Gives back `bytes` that were taken.
    pub fn give_back(&self, bytes: u64) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.part_of {
            whole.give_back(bytes);
        }
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        if let Some(whole) = &self.part_of {
            whole.give_back(self.taken());
        }
    }
}
