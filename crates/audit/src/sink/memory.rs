//! A sink that keeps records in memory, for tests and for programs that forward them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Sink, SinkError};
use crate::Record;

/// Keeps records until they are taken.
#[derive(Debug, Default)]
pub struct MemorySink {
    records: Mutex<Vec<Record>>,
}

impl MemorySink {
    /// An empty sink.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes out all records, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.lock())
    }

    // A record is pushed whole or not at all, so a panic elsewhere cannot leave a broken one behind.
    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    fn ready(&self) -> Result<(), SinkError> {
        Ok(())
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        self.lock().push(record.clone());
        Ok(())
    }
}
