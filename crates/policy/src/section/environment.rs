//! `wasi:cli/environment`: which variables a guest has, and what is in them.

use std::fmt;

use regex_syntax::hir::Hir;

use super::assignment::{self, assignment_section};
use super::name::{Assignment, Value, op_name, rule_name};
use super::{Allow, Reason, Rules, Section, sealed};
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::pattern::language;
use crate::pattern::set::TooMany;
use crate::policy::Policy;

assignment_section! {
    class: Environment, field: environment, what: "variable", rule_kind: "env",
    /// Environment variables.
    EnvironmentSection,
    /// To see an environment variable.
    EnvironmentOp,
    /// `env:NAME`, or `env:NAME=VALUE`. Without a value, the variable has the host's.
    EnvironmentRule
}

impl Policy {
    /// The variables that the guest sees, with the value where a rule fixes one; the others have the host's value.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, Option<String>)> {
        assignment::all::<EnvironmentSection>(self, |rule| &rule.0, EnvironmentOp)
    }
}
