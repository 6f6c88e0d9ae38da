//! How often: the rates that rules set, kept as token buckets.
//!
//! What always holds: a request goes out only when, in every layer whose matching rules all have a rate, one of them has a token left,
//! and that token is taken. Buckets belong to a policy, so that calls under it share them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caplet_policy::{Guard, HttpOp, HttpSection, LayerRates, Permitted, Rate, RatedRule, RuleId};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::engine::lock;

/// The buckets of one policy.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<HashMap<RuleId, Arc<DefaultDirectRateLimiter>>>);

impl Buckets {
    /// Waits until `request` is within every rate. The call's deadline bounds the wait.
    pub(super) async fn pace(&self, guard: &Guard<HttpSection>, request: &Permitted<HttpOp>) {
        for layer in guard.rates(request) {
            while let Err(wait) = self.take(&layer) {
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// Takes a token from one rule of the layer, or tells how long none has one.
    fn take(&self, layer: &LayerRates) -> Result<(), Duration> {
        let mut shortest = None;
        for rule in &layer.rules {
            let Some(bucket) = self.bucket(rule) else { return Ok(()) };
            match bucket.check() {
                Ok(()) => return Ok(()),
                Err(not_yet) => {
                    let wait = not_yet.wait_time_from(DefaultClock::default().now());
                    shortest = Some(shortest.map_or(wait, |known: Duration| known.min(wait)));
                }
            }
        }
        shortest.map_or(Ok(()), Err)
    }

    fn bucket(&self, rule: &RatedRule) -> Option<Arc<DefaultDirectRateLimiter>> {
        let mut buckets = lock(&self.0);
        if let Some(known) = buckets.get(&rule.id) {
            return Some(Arc::clone(known));
        }
        let made = Arc::new(RateLimiter::direct(quota(rule.rate)?));
        buckets.insert(rule.id, Arc::clone(&made));
        Some(made)
    }
}

/// All of a period's tokens may go at once; then they come back one by one.
fn quota(rate: Rate) -> Option<Quota> {
    Some(Quota::with_period(rate.per() / rate.count().get())?.allow_burst(rate.count()))
}
