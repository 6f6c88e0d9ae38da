//! What somebody is asked where a rule says to ask, and what was answered.
//!
//! Nothing here waits. Whoever can wait takes the [`Question`] from [`Guard::question`](crate::Guard::question), has it answered, and
//! checks; the check looks the answer up by the exact op. A check that nobody asked for first finds no answer, and denies.

use std::fmt;
use std::sync::Arc;

use crate::any_op::AnyOp;
use crate::rule::Rule;

/// What was answered in a call, by exact op. It belongs to the call's [`Journal`](crate::Journal).
pub trait Asker: fmt::Debug + Send + Sync {
    /// Whether `op` need not be asked about: the answer is known, or nothing more is asked.
    fn is_settled(&self, op: &AnyOp) -> bool;

    /// The answer to `op`, if there is one. An answer that holds for one op alone is used up by this.
    fn answer(&self, op: &AnyOp) -> Option<Answered>;
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Whether the op is permitted.
    pub permits: bool,
    /// To what extent and by whom it was answered, or why it was not, for the record.
    pub how: Arc<str>,
}

/// What somebody has to be asked. The op is the key of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Question {
    /// What the guest asks for, as it was decided on.
    pub op: AnyOp,
    /// The rule that says to ask: `ask`, and its short form.
    pub rule: String,
    /// The rule that would permit the op and as little besides as a rule can, if a rule can.
    pub narrowest: Option<Rule>,
}
