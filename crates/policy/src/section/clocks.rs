//! `wasi:clocks`: how finely a guest sees time.
//!
//! A layer without a rule permits [`DEFAULT_RESOLUTION`] and coarser. `clock:R` permits R and coarser, and a clock that stands
//! still; `clock:frozen` permits only that. The deny rule `clock:R` takes away R and finer; `clock:frozen` takes away everything.

use std::fmt;
use std::time::Duration;

use regex_syntax::hir::Hir;

use super::{Allow, Reason, Rules, Section, sealed};
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::pattern::language::{literal, numbers};
use crate::pattern::set::TooMany;
use crate::policy::Policy;
use crate::units::{format_duration, parse_duration};

/// What a layer without a rule permits: 1 ms, too coarse to time the caches of a processor, fine enough for programs.
pub const DEFAULT_RESOLUTION: Duration = Duration::from_millis(1);

/// How a clock that stands still is written.
const FROZEN: &str = "frozen";

/// Time.
#[derive(Debug)]
pub enum ClocksSection {}

/// The clock that a guest is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClockOp {
    /// A clock with steps of this size.
    Resolution(Duration),
    /// A clock that stands still.
    Frozen,
}

/// What a policy settles on.
pub type ClockSetting = ClockOp;

impl ClockOp {
    pub(crate) fn parse(rest: &str) -> Result<Self, OpError> {
        if rest == FROZEN {
            return Ok(Self::Frozen);
        }
        let step =
            parse_duration(rest).map_err(|problem| OpError::with_fix(problem, "write `clock 1ms` or `clock frozen`"));
        step.map(Self::Resolution)
    }

    fn text(self) -> String {
        match self {
            Self::Resolution(step) => format_duration(step),
            Self::Frozen => FROZEN.to_owned(),
        }
    }
}

impl fmt::Display for ClockOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clock {}", self.text())
    }
}

/// `clock:RESOLUTION`, or `clock:frozen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRule {
    clock: ClockOp,
}

impl ClockRule {
    /// A rule for this clock and everything that tells less.
    #[must_use]
    pub fn new(clock: ClockOp) -> Self {
        Self { clock }
    }

    /// The clock that tells most of what the rule is about.
    #[must_use]
    pub fn clock(&self) -> ClockOp {
        self.clock
    }

    /// Whether the clock is fine enough to time the caches of a processor: finer than 1 µs.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        matches!(self.clock, ClockOp::Resolution(step) if step < Duration::from_micros(1))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        if text == FROZEN {
            return Ok(Self { clock: ClockOp::Frozen });
        }
        let error =
            |problem| RuleError::at(0, text, problem, "write a resolution such as `clock:1ms`, or `clock:frozen`");
        parse_duration(text).map(ClockOp::Resolution).map(Self::new).map_err(error)
    }

    fn permits(&self, asked: &ClockOp) -> bool {
        match (self.clock, asked) {
            (_, ClockOp::Frozen) => true,
            (ClockOp::Resolution(own), ClockOp::Resolution(asked)) => *asked >= own,
            (ClockOp::Frozen, ClockOp::Resolution(_)) => false,
        }
    }

    fn denies(&self, asked: &ClockOp) -> bool {
        match (self.clock, asked) {
            (ClockOp::Frozen, _) => true,
            (ClockOp::Resolution(own), ClockOp::Resolution(asked)) => *asked <= own,
            (ClockOp::Resolution(_), ClockOp::Frozen) => false,
        }
    }
}

impl fmt::Display for ClockRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clock:{}", self.clock.text())
    }
}

fn nanos(step: Duration) -> u64 {
    u64::try_from(step.as_nanos()).unwrap_or(u64::MAX)
}

impl sealed::Sealed for ClocksSection {}

impl Section for ClocksSection {
    type Op = ClockOp;
    type Rule = ClockRule;
    type Matcher = ();

    const CLASS: Class = Class::Clocks;

    fn rules(sections: &Sections) -> &Rules<Self> {
        &sections.clocks
    }

    fn compile(_allow: &Allow<ClockRule>, _deny: &[ClockRule]) -> Result<(), TooMany> {
        Ok(())
    }

    fn judge((): &(), rules: &Rules<Self>, op: &ClockOp) -> Reason {
        let default = ClockRule { clock: ClockOp::Resolution(DEFAULT_RESOLUTION) };
        let verdict = Reason::of_lists(rules.allow(), rules.denied(), |rule| rule.denies(op), |rule| rule.permits(op));
        match verdict {
            Reason::NoRule if rules.allowed().is_empty() && default.permits(op) => Reason::Default,
            reason => reason,
        }
    }

    fn universe() -> Hir {
        Hir::alternation(vec![literal(FROZEN), numbers(1, u64::MAX)])
    }

    fn permitted_by(rule: &ClockRule) -> Hir {
        match rule.clock {
            ClockOp::Frozen => literal(FROZEN),
            ClockOp::Resolution(step) => Hir::alternation(vec![literal(FROZEN), numbers(nanos(step), u64::MAX)]),
        }
    }

    fn denied_by(rule: &ClockRule) -> Hir {
        match rule.clock {
            ClockOp::Frozen => Self::universe(),
            ClockOp::Resolution(step) => numbers(0, nanos(step)),
        }
    }

    fn decode(text: &str) -> Option<ClockOp> {
        match text {
            FROZEN => Some(ClockOp::Frozen),
            nanos => nanos.parse().ok().map(Duration::from_nanos).map(ClockOp::Resolution),
        }
    }

    fn default_rule() -> Option<ClockRule> {
        Some(ClockRule::new(ClockOp::Resolution(DEFAULT_RESOLUTION)))
    }

    fn suggestion(op: &ClockOp) -> Option<String> {
        Some(format!("clock:{}", op.text()))
    }
}

impl Policy {
    /// The clock that the guest is given: the finest that a rule names, or the default, and that every layer permits. Where the
    /// layers agree on nothing, it stands still.
    #[must_use]
    pub fn clock(&self) -> ClockSetting {
        let named = |rule: &ClockRule| match rule.clock {
            ClockOp::Resolution(step) => Some(step),
            ClockOp::Frozen => None,
        };
        let mut steps = vec![DEFAULT_RESOLUTION];
        for layer in self.layers() {
            let rules = &layer.sections().clocks;
            steps.extend(rules.allowed().iter().filter_map(named));
            // The finest clock that a deny rule leaves.
            steps.extend(
                rules.denied().iter().filter_map(named).filter_map(|step| step.checked_add(Duration::from_nanos(1))),
            );
        }
        steps.sort_unstable();
        let mut clocks = steps.into_iter().map(ClockOp::Resolution);
        clocks.find(|clock| self.permits_op::<ClocksSection>(clock)).unwrap_or(ClockOp::Frozen)
    }
}
