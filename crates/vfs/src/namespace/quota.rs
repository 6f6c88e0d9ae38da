//! How much one call may write to one mount.

use std::sync::atomic::{AtomicU64, Ordering};

use caplet_policy::GuestPath;

use super::World;
use super::decide::Want;
use crate::FsError;

/// What a new directory entry costs, beside its name: about what it takes in memory or on a disk. With the usual quota of
/// 256 MiB, a call makes at most a quarter of a million files.
pub(crate) const ENTRY_BYTES: u64 = 1024;

/// Bytes that are left to write. Only ever goes down, but for what was not written after all.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What a change of names costs.
pub(super) fn entry_cost(name: &str, content: usize) -> u64 {
    let text = u64::try_from(name.len().saturating_add(content)).unwrap_or(u64::MAX);
    ENTRY_BYTES.saturating_add(text)
}

impl World {
    /// Pays `bytes` for `act`, which gives how many of them it did not use. Nothing is paid where it fails.
    pub(super) fn paying<T>(
        &self,
        mount: usize,
        bytes: u64,
        act: impl FnOnce() -> Result<(T, u64), FsError>,
    ) -> Result<T, FsError> {
        let budget = &self.mounts.get(mount).ok_or(FsError::Io)?.budget;
        if !budget.take(bytes) {
            return Err(self.noted(FsError::Quota));
        }
        match act() {
            Ok((value, unused)) => {
                budget.give_back(unused.min(bytes));
                Ok(value)
            }
            Err(error) => {
                budget.give_back(bytes);
                Err(self.noted(error))
            }
        }
    }

    /// The failure of a change, with what is to be put on record: a refusal of the store, a quota.
    pub(super) fn settled(&self, want: Want, path: &GuestPath, error: FsError) -> FsError {
        match error {
            FsError::Refused(reason) => self.refuse(want, path, reason),
            error => self.noted(error),
        }
    }

    /// Remembers that a quota was hit, the call's or a store's.
    fn noted(&self, error: FsError) -> FsError {
        if matches!(error, FsError::Quota) {
            self.exceeded.store(true, Ordering::Relaxed);
        }
        error
    }
}
