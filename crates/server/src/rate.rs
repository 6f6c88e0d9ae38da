//! How many requests one may send in a second.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::StatusCode;

use crate::limits::Limits;
use crate::refusal::Refusal;

/// Keys that are remembered at most: some MiB. Those that have not been used of late are forgotten first.
const MOST_KEYS: usize = 16 * 1024;

/// The rate of each of many.
#[derive(Debug)]
pub(crate) struct Rates<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    pub(crate) fn new(limits: &Limits) -> Self {
        let quota = Quota::per_second(limits.requests_per_second);
        Self { limiter: RateLimiter::hashmap(quota), clock: DefaultClock::default() }
    }

    /// Counts one request of `key`, if there may be one now.
    pub(crate) fn check(&self, key: &K) -> Result<(), Refusal> {
        if self.limiter.len() >= MOST_KEYS {
            self.limiter.retain_recent();
            if self.limiter.len() >= MOST_KEYS {
                return Err(too_many(1));
            }
        }
        let denied = self.limiter.check_key(key).err();
        denied.map_or(Ok(()), |denied| Err(too_many(denied.wait_time_from(self.clock.now()).as_secs() + 1)))
    }
}

fn too_many(seconds: u64) -> Refusal {
    Refusal::later(StatusCode::TOO_MANY_REQUESTS, "too many requests in a short time", seconds)
}

/// What counts as one address: of IPv6, the network that a customer gets has 64 bits of its own.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}
