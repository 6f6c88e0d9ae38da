//! `wasi:random`: real randomness, or what a seed determines.
//!
//! A layer without a rule permits both. `random` permits real randomness and any seed; `random:7` permits only the seed 7. The
//! deny rule `random` takes away everything, `random:7` only that seed.

use std::fmt;

use regex_syntax::hir::Hir;

use super::{Allow, Reason, Rules, Section, sealed};
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::pattern::language::{literal, numbers};
use crate::pattern::set::TooMany;
use crate::policy::Policy;

/// Randomness.
#[derive(Debug)]
pub enum RandomSection {}

/// The kind of randomness that a guest is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RandomOp {
    /// The system's.
    Real,
    /// What this seed determines.
    Seeded(u64),
}

/// What a policy settles on.
pub type RandomSetting = RandomOp;

impl RandomOp {
    pub(crate) fn parse(rest: &str) -> Result<Self, OpError> {
        if rest.is_empty() {
            return Ok(Self::Real);
        }
        let seed =
            parse_seed(rest).ok_or_else(|| OpError::new(format!("the seed {rest:?} is not a number below 2^64")));
        seed.map(Self::Seeded)
    }
}

impl fmt::Display for RandomOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real => f.write_str("random"),
            Self::Seeded(seed) => write!(f, "random {seed}"),
        }
    }
}

/// `random`, or `random:SEED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomRule {
    seed: Option<u64>,
}

impl RandomRule {
    /// A rule for this seed alone; without one, for real randomness and any seed.
    #[must_use]
    pub fn new(seed: Option<u64>) -> Self {
        Self { seed }
    }

    /// The seed, if the rule is for one alone.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Never: real randomness is the default.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        false
    }

    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        let error = || RuleError::at(0, text, "the seed is not a number below 2^64", "write `random:7`, or `random`");
        Ok(Self { seed: Some(parse_seed(text).ok_or_else(error)?) })
    }
}

impl fmt::Display for RandomRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seed {
            None => f.write_str("random"),
            Some(seed) => write!(f, "random:{seed}"),
        }
    }
}

fn parse_seed(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

impl sealed::Sealed for RandomSection {}

impl Section for RandomSection {
    type Op = RandomOp;
    type Rule = RandomRule;
    type Matcher = ();

    const CLASS: Class = Class::Random;

    fn rules(sections: &Sections) -> &Rules<Self> {
        &sections.random
    }

    fn compile(_allow: &Allow<RandomRule>, _deny: &[RandomRule]) -> Result<(), TooMany> {
        Ok(())
    }

    fn judge((): &(), rules: &Rules<Self>, op: &RandomOp) -> Reason {
        let matches = |rule: &RandomRule| match (rule.seed, op) {
            (None, _) => true,
            (Some(own), RandomOp::Seeded(asked)) => own == *asked,
            (Some(_), RandomOp::Real) => false,
        };
        match Reason::of_lists(rules.allow(), rules.denied(), matches, matches) {
            Reason::NoRule if rules.allowed().is_empty() => Reason::Default,
            reason => reason,
        }
    }

    fn universe() -> Hir {
        Hir::alternation(vec![literal("real"), numbers(0, u64::MAX)])
    }

    fn permitted_by(rule: &RandomRule) -> Hir {
        rule.seed.map_or_else(Self::universe, |seed| numbers(seed, seed))
    }

    fn denied_by(rule: &RandomRule) -> Hir {
        Self::permitted_by(rule)
    }

    fn decode(text: &str) -> Option<RandomOp> {
        if text == "real" { Some(RandomOp::Real) } else { text.parse().ok().map(RandomOp::Seeded) }
    }

    fn default_rule() -> Option<RandomRule> {
        Some(RandomRule::new(None))
    }

    fn suggestion(op: &RandomOp) -> Option<String> {
        Some(match op {
            RandomOp::Real => "random".to_owned(),
            RandomOp::Seeded(seed) => format!("random:{seed}"),
        })
    }
}

impl Policy {
    /// The randomness that the guest is given: real if every layer permits it, else the first seed that a rule names and every
    /// layer permits. Where the layers agree on nothing, it is the seed 0, which gives the guest nothing that it could not compute.
    #[must_use]
    pub fn random(&self) -> RandomSetting {
        let rules = self.layers().iter().flat_map(|layer| layer.sections().random.allowed());
        let seeds = rules.filter_map(|rule| rule.seed).map(RandomOp::Seeded);
        let mut wanted = std::iter::once(RandomOp::Real).chain(seeds);
        wanted.find(|op| self.permits_op::<RandomSection>(op)).unwrap_or(RandomOp::Seeded(0))
    }
}
