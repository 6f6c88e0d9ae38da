//! `wasi:config`: which configuration keys a guest has, and what they say.

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
    class: Config, field: config, what: "key", rule_kind: "config",
    /// Configuration keys.
    ConfigSection,
    /// To read a configuration key.
    ConfigOp,
    /// `config:KEY=VALUE`. A rule without a value leaves the value to another layer.
    ConfigRule
}

impl Policy {
    /// The configuration that the guest sees. A key for which no layer fixes a value is not there.
    #[must_use]
    pub fn config(&self) -> Vec<(String, String)> {
        let all = assignment::all::<ConfigSection>(self, |rule| &rule.0, ConfigOp);
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}
