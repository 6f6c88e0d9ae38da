//! How often a rule permits: what it says, and which rules a permitted request counts against.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use super::{HttpOp, HttpRule, HttpSection};
use crate::error::RuleError;
use crate::guard::{Guard, Permitted};
use crate::layer::{Layer, LayerKind};

/// The most that a rate can say. Beyond a million requests in a second, the limits of a call come first.
const MOST: u32 = 1_000_000;

const UNITS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];

/// So many requests in so much time: `10/s`, `100/m`, `1000/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    count: NonZeroU32,
    per: Duration,
}

impl Rate {
    /// How many requests.
    #[must_use]
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// In how much time: a second, a minute or an hour.
    #[must_use]
    pub fn per(self) -> Duration {
        self.per
    }

    /// Whether this lets more through than `other` in some stretch of time: over a long one, or at once.
    pub(crate) fn is_more_than(self, other: Self) -> bool {
        let over_time = |rate: Self, other: Self| u64::from(rate.count.get()) * other.per.as_secs();
        self.count > other.count || over_time(self, other) > over_time(other, self)
    }

    pub(super) fn parse(text: &str) -> Result<Self, RuleError> {
        let error = |problem: &str| RuleError::at(0, text, problem, "write a rate such as `10/s`, `100/m` or `1000/h`");
        let (count, unit) = text.split_once('/').ok_or_else(|| error("this is no rate"))?;
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| error("this is no rate"))?;
        let plain = !count.starts_with('0') && count.bytes().all(|byte| byte.is_ascii_digit());
        let count: Option<NonZeroU32> = count.parse().ok().filter(|count: &NonZeroU32| plain && count.get() <= MOST);
        let count = count.ok_or_else(|| error("a rate counts from 1 to 1000000"))?;
        Ok(Self { count, per: Duration::from_secs(*seconds) })
    }
}

impl FromStr for Rate {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, seconds)| *seconds == self.per.as_secs()).map_or("s", |(name, _)| name);
        write!(f, "{}/{unit}", self.count)
    }
}

/// Which rule of a policy: it stays the same rule as long as the policy lives, and in every policy made of it by attenuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId {
    /// The number of the layer, from the outermost.
    pub layer: u32,
    /// The number of the rule among the allow rules of the layer's section.
    pub rule: u32,
}

/// A rule with a rate that a request matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RatedRule {
    /// Which rule: the key of what is counted.
    pub id: RuleId,
    /// How often it permits.
    pub rate: Rate,
}

/// The rules of one layer that a request matches, all of which have a rate. The layer lets the request pass when one of them has
/// something left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerRates {
    /// The layer.
    pub layer: LayerKind,
    /// Its rules, in their order; never none.
    pub rules: Vec<RatedRule>,
}

impl Guard<HttpSection> {
    /// The rates that `request` counts against, layer by layer: it may be sent when each layer has a rule with something left, and
    /// takes one from that rule. A layer in which a rule without a rate matches, or without bounds, is not among them.
    #[must_use]
    pub fn rates(&self, request: &Permitted<HttpOp>) -> Vec<LayerRates> {
        let layers = (0..).zip(self.policy().layers());
        let rated = layers.filter_map(|(number, layer)| {
            let rules = rated(number, layer, request.op())?;
            (!rules.is_empty()).then_some(LayerRates { layer: layer.kind(), rules })
        });
        rated.collect()
    }

    /// The rule of this identity, for what a refusal says.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&HttpRule> {
        self.policy().layers().get(id.layer as usize)?.http().allowed().get(id.rule as usize)
    }
}

/// The rules of `layer` that permit `op`; `None` where one of them has no rate.
fn rated(number: u32, layer: &Layer, op: &HttpOp) -> Option<Vec<RatedRule>> {
    let rules = layer.http();
    // Most layers have no rates, and nothing is to be looked up there.
    if rules.allowed().iter().all(|rule| rule.rate().is_none()) {
        return None;
    }
    let matching = rules.matcher().ok()?.allowed(rules, op.target.path(), |rule| rule.permits(op));
    let rated = |(rule, found): (u32, &HttpRule)| {
        found.rate().map(|rate| RatedRule { id: RuleId { layer: number, rule }, rate })
    };
    matching.into_iter().map(rated).collect()
}
