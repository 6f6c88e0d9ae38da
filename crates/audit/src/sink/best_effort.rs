//! A sink whose failures refuse no call, for those who would rather have calls than records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Sink, SinkError};
use crate::Record;

/// Passes records on, and counts those that could not be kept. Each record that is says how many were lost before it.
#[derive(Debug)]
pub struct BestEffort {
    inner: Arc<dyn Sink>,
    lost: AtomicU64,
}

impl BestEffort {
    /// Keeps records in `inner` as far as that can.
    #[must_use]
    pub fn new(inner: Arc<dyn Sink>) -> Self {
        Self { inner, lost: AtomicU64::new(0) }
    }
}

impl Sink for BestEffort {
    fn ready(&self) -> Result<(), SinkError> {
        self.inner.ready()
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        let mut record = record.clone();
        // Taken, so that of two that are kept at once only one tells of them.
        let lost = self.lost.swap(0, Ordering::Relaxed);
        record.lost = Some(lost);
        let appended = self.inner.append(&record);
        if appended.is_err() {
            self.lost.fetch_add(lost.saturating_add(1), Ordering::Relaxed);
        }
        appended
    }

    fn is_best_effort(&self) -> bool {
        true
    }

    fn inner(&self) -> Option<&dyn Sink> {
        Some(&*self.inner)
    }
}
