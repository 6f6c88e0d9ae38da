//! How much a proof may take, and what it says when that was not enough.

use crate::class::Class;

/// How much one comparison of one class may take. It is counted, not timed, so that a proof comes out alike everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Joint states.
    pub states: usize,
    /// Steps of single automata.
    pub steps: u64,
    /// Bytes that the joint states take.
    pub bytes: usize,
}

impl Default for Budget {
    /// Enough for hundreds of rules; a few seconds on a slow machine.
    fn default() -> Self {
        Self { states: 200_000, steps: 40_000_000, bytes: 64 << 20 }
    }
}

/// What a proof ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// [`Budget::states`] were visited.
    States,
    /// [`Budget::steps`] were taken.
    Steps,
    /// [`Budget::bytes`] were used.
    Memory,
    /// The rules are too many, or too complex together, to compile.
    TooComplex,
    /// The rules combine in more ways than can be listed.
    TooMany,
    /// An example was found that the deciding code does not confirm.
    Unconfirmed,
}

/// A proof was given up. Nothing is known: neither that there is a difference, nor that there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gave up on the {class} rules: {reason}; nothing is proven about them", reason = self.reason())]
#[non_exhaustive]
pub struct GaveUp {
    /// The class whose rules were looked at.
    pub class: Class,
    /// What was in the way.
    pub obstacle: Obstacle,
}

impl GaveUp {
    pub(super) fn new(class: Class, obstacle: Obstacle) -> Self {
        Self { class, obstacle }
    }

    fn reason(&self) -> &'static str {
        match self.obstacle {
            Obstacle::States => "there are more joint states than the budget allows",
            Obstacle::Steps => "it takes more steps than the budget allows",
            Obstacle::Memory => "it takes more memory than the budget allows",
            Obstacle::TooComplex => "they are too many, or too complex together, to compile",
            Obstacle::TooMany => "they combine in more ways than can be listed",
            Obstacle::Unconfirmed => "the op that was found to show a difference could not be confirmed",
        }
    }
}
