//! Rates that went up. This is no proof about every op: it compares rules that differ in nothing but their rates.

use serde::Serialize;

use crate::layer::Layer;
use crate::section::http::HttpRule;

/// A rule that permits more often than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RaisedRate {
    /// The old rule, in its short form.
    pub old: String,
    /// The new one; without a rate, it permits as often as the limits of a call do.
    pub new: String,
}

/// The allow rules of `new` that permit more often than the same rule of `old`, in a long or in a short time, or without a rate.
///
/// A rule of another shape is not compared, such as one without a rate for a part of what a rule with a rate permits.
#[must_use]
pub fn raised_rates(old: &Layer, new: &Layer) -> Vec<RaisedRate> {
    let raised = |now: &HttpRule| {
        let mut like = old.http().allowed().iter().filter(|before| before.is_like(now)).peekable();
        let first = (*like.peek()?).to_string();
        let is_raised = like.all(|before| match (before.rate(), now.rate()) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(before), Some(now)) => now.is_more_than(before),
        });
        is_raised.then(|| RaisedRate { old: first, new: now.to_string() })
    };
    new.http().allowed().iter().filter_map(raised).collect()
}
