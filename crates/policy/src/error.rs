//! Why the text of a rule or an op is refused: what is wrong, where, and how to fix it.

use std::fmt;

use crate::text::{shortened, visible};

/// Bytes of the offending text that an error repeats.
const MOST_SHOWN: usize = 80;

/// A text that is no rule. It names the place and, where one is known, the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    problem: String,
    offset: usize,
    fragment: String,
    fix: Option<String>,
}

impl RuleError {
    /// What is wrong at `offset` bytes into the text, where `fragment` stands.
    pub(crate) fn at(offset: usize, fragment: &str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), offset, fragment: fragment.to_owned(), fix: Some(fix.into()) }
    }

    /// The same error in a text of which the former text is a part that starts at `offset`.
    pub(crate) fn shifted(mut self, offset: usize) -> Self {
        self.offset = self.offset.saturating_add(offset);
        self
    }

    /// Where the offending part begins, in bytes from the start of the text.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The offending part.
    #[must_use]
    pub fn fragment(&self) -> &str {
        &self.fragment
    }

    /// How to fix it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.fix.clone()
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fragment = visible(&shortened(&self.fragment, MOST_SHOWN));
        if fragment.is_empty() {
            write!(f, "{}, at byte {}", self.problem, self.offset)
        } else {
            write!(f, "{}: `{fragment}` at byte {}", self.problem, self.offset)
        }
    }
}

impl std::error::Error for RuleError {}

/// A text that is no op, or an op that can never be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
#[non_exhaustive]
pub struct OpError {
    problem: String,
    fix: Option<String>,
}

impl OpError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: None }
    }

    pub(crate) fn with_fix(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: Some(fix.into()) }
    }

    /// How to fix it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.fix.clone()
    }
}
