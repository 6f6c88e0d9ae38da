//! Lower limits that are enough for calls, where they are far below what holds.
//!
//! What always holds: a limit that is proposed is four times what a call used at most, or more; and half of what holds, or less.

use caplet_policy::Limits;
use serde::Serialize;

use super::Evidence;

/// How many times what was used is left, for a task that is somewhat larger.
const ROOM: u64 = 4;
/// The least memory that is proposed, in bytes: what runtimes of languages begin with.
const LEAST_MEMORY: u64 = 16 << 20;
/// The fewest requests that are proposed: a page that redirects takes several.
const LEAST_REQUESTS: u64 = 10;

/// A limit that would be enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Enough {
    /// The limit, as `--limit` names it.
    pub key: &'static str,
    /// What would be enough, as `--limit` takes it.
    pub value: String,
    /// What a call used at most: bytes, or requests.
    pub used: u64,
}

/// The limits that would be enough for `evidence`, where that is far from what holds.
pub(super) fn enough(evidence: &Evidence, held: &Limits) -> Vec<Enough> {
    let lower = |used: u64, least: u64, held: u64| {
        let wanted = used.saturating_mul(ROOM).max(least).checked_next_power_of_two()?;
        (used > 0 && wanted <= held / 2).then_some(wanted)
    };
    let memory = lower(evidence.memory(), LEAST_MEMORY, held.memory);
    let memory =
        memory.map(|bytes| Enough { key: "memory", value: format!("{}MiB", bytes >> 20), used: evidence.memory() });
    let requests = lower(evidence.requests(), LEAST_REQUESTS, held.http_requests);
    let requests =
        requests.map(|count| Enough { key: "http-requests", value: count.to_string(), used: evidence.requests() });
    memory.into_iter().chain(requests).collect()
}
