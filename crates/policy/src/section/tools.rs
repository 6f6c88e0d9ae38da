//! `caplet:tools`: which other tools a guest may call.
//!
//! A tool has a name without a dot, and functions. A rule is about all functions of the tools whose names match, or about one function
//! of theirs. An op names a tool and a function; where the tool has one, the function may be left out, and the op is then about whatever
//! function that is: rules on the whole tool permit it, and a denial of any one function denies it.

use std::fmt;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::name::{op_name, rule_name};
use super::text_matcher::TextMatcher;
use super::{Allow, Reason, Rules, Section, sealed};
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::pattern::glob::{Glob, escape_glob};
use crate::pattern::language::{literal, optional, repeated, without};
use crate::pattern::set::TooMany;

/// What stands between a tool and its function. The first one counts: names of functions may have more.
const DOT: char = '.';

/// Other tools.
#[derive(Debug)]
pub enum ToolsSection {}

/// To call another tool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ToolOp {
    tool: Arc<str>,
    function: Option<Arc<str>>,
}

impl ToolOp {
    /// Asks to call `TOOL` or `TOOL.FUNCTION`.
    ///
    /// # Errors
    ///
    /// When a part is empty, too long, or contains NUL, or the tool's name has a slash.
    pub fn new(name: &str) -> Result<Self, OpError> {
        let (tool, function) = match name.split_once(DOT) {
            Some((tool, function)) => (tool, Some(op_name("function", function, &[])?)),
            None => (name, None),
        };
        Ok(Self { tool: op_name("tool", tool, &['/'])?, function })
    }

    /// The tool's name.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The function's name, if it was said.
    #[must_use]
    pub fn function(&self) -> Option<&str> {
        self.function.as_deref()
    }

    /// `TOOL` or `TOOL.FUNCTION`, as it was asked for.
    #[must_use]
    pub fn name(&self) -> String {
        self.function.as_ref().map_or_else(|| self.tool.to_string(), |function| format!("{}{DOT}{function}", self.tool))
    }

    /// The tool's name as a path of one segment, which is what globs are about.
    fn key(&self) -> String {
        format!("/{}", self.tool)
    }

    /// What a rule on exactly this says.
    fn escaped(&self) -> String {
        let tool = escape_glob(&self.tool);
        self.function.as_ref().map_or_else(|| tool.clone(), |function| format!("{tool}{DOT}{function}"))
    }
}

impl fmt::Display for ToolOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.name())
    }
}

/// `call:TOOL` or `call:TOOL.FUNCTION`, where TOOL is a glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRule {
    tool: Glob,
    function: Option<Arc<str>>,
}

impl ToolRule {
    /// A rule to call the tools whose names match; where a function is named, that function of theirs.
    ///
    /// # Errors
    ///
    /// When a part is empty, too long, or has characters that it cannot have.
    pub fn new(name: &str) -> Result<Self, RuleError> {
        let (tool, function) = match name.split_once(DOT) {
            Some((tool, function)) => {
                let function = rule_name("function", function, &[]);
                (tool, Some(function.map_err(|error| error.shifted(tool.len() + DOT.len_utf8()))?))
            }
            None => (name, None),
        };
        if tool.is_empty() {
            return Err(RuleError::at(0, "", "the tool is empty", "name the tool; `*` for every tool"));
        }
        if let Some((at, space)) = tool.match_indices(char::is_whitespace).next() {
            return Err(RuleError::at(at, space, "a tool cannot contain this character", "write the tool alone"));
        }
        Ok(Self { tool: Glob::parse_name(tool)?, function })
    }

    /// The glob on the tool's name, in canonical spelling.
    #[must_use]
    pub fn tool(&self) -> &str {
        self.tool.as_str()
    }

    /// The one function that it is about, if it is about one.
    #[must_use]
    pub fn function(&self) -> Option<&str> {
        self.function.as_deref()
    }

    /// Whether it is about every tool.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        self.tool.is_broad()
    }

    /// Whether it permits `op`, whose tool matches.
    fn permits(&self, op: &ToolOp) -> bool {
        self.function.is_none() || self.function == op.function
    }

    /// Whether it denies `op`, whose tool matches.
    fn denies(&self, op: &ToolOp) -> bool {
        op.function.is_none() || self.permits(op)
    }
}

impl fmt::Display for ToolRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call:{}", self.tool)?;
        self.function.as_ref().map_or(Ok(()), |function| write!(f, "{DOT}{function}"))
    }
}

impl sealed::Sealed for ToolsSection {}

/// For proofs, an op is `/TOOL` or `/TOOL/FUNCTION`: no glob on a name matches a slash.
impl Section for ToolsSection {
    type Op = ToolOp;
    type Rule = ToolRule;
    type Matcher = TextMatcher;

    const CLASS: Class = Class::Tools;

    fn rules(sections: &Sections) -> &Rules<Self> {
        &sections.tools
    }

    fn compile(allow: &Allow<ToolRule>, deny: &[ToolRule]) -> Result<TextMatcher, TooMany> {
        TextMatcher::new(allow, deny, |rule| &rule.tool)
    }

    fn judge(matcher: &TextMatcher, rules: &Rules<Self>, op: &ToolOp) -> Reason {
        matcher.judge(rules, &op.key(), |rule| rule.permits(op), |rule| rule.denies(op))
    }

    fn universe() -> Hir {
        let tool = repeated(without(&['/', DOT, '\0']), 1, None);
        Hir::concat(vec![literal("/"), tool, optional(some_function())])
    }

    fn permitted_by(rule: &ToolRule) -> Hir {
        let function = match &rule.function {
            Some(function) => literal(&format!("/{function}")),
            None => optional(some_function()),
        };
        Hir::concat(vec![rule.tool.hir(), function])
    }

    fn denied_by(rule: &ToolRule) -> Hir {
        let function = match &rule.function {
            Some(function) => literal(&format!("/{function}")),
            None => some_function(),
        };
        Hir::concat(vec![rule.tool.hir(), optional(function)])
    }

    fn decode(text: &str) -> Option<ToolOp> {
        let name = text.strip_prefix('/')?;
        ToolOp::new(&name.replacen('/', &DOT.to_string(), 1)).ok()
    }

    fn nicer(op: &ToolOp) -> Vec<ToolOp> {
        vec![ToolOp { function: None, ..op.clone() }]
    }

    fn suggestion(op: &ToolOp) -> Option<String> {
        Some(format!("call:{}", op.escaped()))
    }
}

/// A function, behind its tool.
fn some_function() -> Hir {
    Hir::concat(vec![literal("/"), repeated(without(&['\0']), 1, None)])
}
