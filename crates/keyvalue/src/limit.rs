//! What entries count for, and how long they may last.

use std::time::Duration;

use crate::error::OpenError;

/// What each entry counts for beside its bucket's name, its key and its value, in bytes: about what a store keeps to find it again, so
/// that a million empty values are not free.
pub const ENTRY_BYTES: u64 = 64;

/// The longest time to live, a hundred years: it fits into the milliseconds since 1970 that stores count in, and nobody waits for it.
const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// What an entry counts for against the quota.
pub(crate) fn entry_bytes(bucket: &str, key: &str, value_bytes: u64) -> u64 {
    [bucket.len(), key.len()].into_iter().map(bytes).fold(value_bytes.saturating_add(ENTRY_BYTES), u64::saturating_add)
}

/// A length as a number of bytes.
pub(crate) fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Checks a time to live against the shortest that a store can keep.
pub(crate) fn check_ttl(ttl: Option<Duration>, shortest: Duration) -> Result<(), OpenError> {
    match ttl {
        Some(ttl) if ttl < shortest => {
            Err(OpenError::Option(format!("the time to live is shorter than {} ms", shortest.as_millis())))
        }
        Some(ttl) if ttl > LONGEST_TTL => Err(OpenError::Option("the time to live is longer than 100 years".into())),
        _ => Ok(()),
    }
}
