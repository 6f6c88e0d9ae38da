//! `caplet:tools`: which other tools a guest may call.

use std::fmt;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::name::{op_name, rule_name};
use super::{Allow, Reason, Rules, Section, sealed};
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::pattern::language::{literal, repeated, without};
use crate::pattern::set::TooMany;

/// Other tools.
#[derive(Debug)]
pub enum ToolsSection {}

/// To call another tool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ToolOp {
    name: Arc<str>,
}

impl ToolOp {
    /// Asks to call the tool of this name.
    ///
    /// # Errors
    ///
    /// When the name is empty, too long, or contains NUL.
    pub fn new(name: &str) -> Result<Self, OpError> {
        Ok(Self { name: op_name("tool", name, &[])? })
    }

    /// The tool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ToolOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.name)
    }
}

/// `call:TOOL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRule {
    name: Arc<str>,
}

impl ToolRule {
    /// A rule to call the tool of this name.
    ///
    /// # Errors
    ///
    /// When the name is empty, too long, or has characters that a name cannot have.
    pub fn new(name: &str) -> Result<Self, RuleError> {
        Ok(Self { name: rule_name("tool", name, &[])? })
    }

    /// The tool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Never: a rule names one tool.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        false
    }
}

impl fmt::Display for ToolRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call:{}", self.name)
    }
}

impl sealed::Sealed for ToolsSection {}

impl Section for ToolsSection {
    type Op = ToolOp;
    type Rule = ToolRule;
    type Matcher = ();

    const CLASS: Class = Class::Tools;

    fn rules(sections: &Sections) -> &Rules<Self> {
        &sections.tools
    }

    fn compile(_allow: &Allow<ToolRule>, _deny: &[ToolRule]) -> Result<(), TooMany> {
        Ok(())
    }

    fn judge((): &(), rules: &Rules<Self>, op: &ToolOp) -> Reason {
        let matches = |rule: &ToolRule| rule.name == op.name;
        Reason::of_lists(rules.allow(), rules.denied(), matches, matches)
    }

    fn universe() -> Hir {
        repeated(without(&['\0']), 1, None)
    }

    fn permitted_by(rule: &ToolRule) -> Hir {
        literal(&rule.name)
    }

    fn denied_by(rule: &ToolRule) -> Hir {
        literal(&rule.name)
    }

    fn decode(text: &str) -> Option<ToolOp> {
        ToolOp::new(text).ok()
    }

    fn suggestion(op: &ToolOp) -> Option<String> {
        Some(format!("call:{}", op.name))
    }
}
