//! Plain names in rules and ops: variables, keys, tools, secrets. A name is never a pattern.

use std::sync::Arc;

use crate::error::{OpError, RuleError};
use crate::text::is_hidden;

/// The longest name in bytes. It bounds what a guest can make the journal keep.
const MAX_BYTES: usize = 1024;

/// Checks a name in a rule. `what` says what it is the name of; `separators` are characters that have a meaning beside it.
pub(crate) fn rule_name(what: &str, name: &str, separators: &[char]) -> Result<Arc<str>, RuleError> {
    if name.is_empty() {
        return Err(RuleError::at(0, "", format!("the {what} is empty"), format!("name the {what}")));
    }
    if name.len() > MAX_BYTES {
        let problem = format!("the {what} is longer than {MAX_BYTES} bytes");
        return Err(RuleError::at(0, name, problem, format!("name a {what} that exists")));
    }
    for (offset, c) in name.char_indices() {
        let fragment = name.get(offset..offset + c.len_utf8()).unwrap_or_default();
        if "*?[]{}\\".contains(c) {
            let problem = format!("a {what} cannot have wildcards");
            return Err(RuleError::at(offset, fragment, problem, format!("write one rule for each {what}")));
        }
        if c.is_whitespace() || is_hidden(c) || separators.contains(&c) {
            let problem = format!("a {what} cannot contain this character");
            return Err(RuleError::at(offset, fragment, problem, format!("write the {what} alone")));
        }
    }
    Ok(name.into())
}

/// Checks a name that a guest asks for. Almost anything may be asked for.
pub(crate) fn op_name(what: &str, name: &str, separators: &[char]) -> Result<Arc<str>, OpError> {
    if name.is_empty() {
        return Err(OpError::new(format!("the {what} is empty")));
    }
    if name.len() > MAX_BYTES {
        return Err(OpError::new(format!("the {what} is longer than {MAX_BYTES} bytes")));
    }
    match name.chars().find(|c| separators.contains(c) || *c == '\0') {
        Some(found) => Err(OpError::new(format!("the {what} contains {found:?}"))),
        None => Ok(name.into()),
    }
}

/// A name and, in some rules, the value that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Assignment {
    pub(crate) name: Arc<str>,
    pub(crate) value: Option<Arc<str>>,
}

impl Assignment {
    /// Reads `NAME` or `NAME=VALUE` of a rule.
    pub(crate) fn parse_rule(what: &str, text: &str) -> Result<Self, RuleError> {
        let (name, value) = split(text);
        Ok(Self { name: rule_name(what, name, &['='])?, value: value.map(Into::into) })
    }

    /// Reads `NAME` or `NAME=VALUE` of an op.
    pub(crate) fn parse_op(what: &str, text: &str) -> Result<Self, OpError> {
        let (name, value) = split(text);
        Ok(Self { name: op_name(what, name, &['='])?, value: value.map(Into::into) })
    }

    /// Whether a rule that says this permits `asked`. A value that is left out, on either side, stands for any.
    pub(crate) fn permits(&self, asked: &Self) -> bool {
        self.name == asked.name
            && match (&self.value, &asked.value) {
                (Some(own), Some(asked)) => own == asked,
                (None, _) | (_, None) => true,
            }
    }

    /// `NAME=VALUE`, `NAME`.
    pub(crate) fn text(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.name),
            None => self.name.to_string(),
        }
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    }
}
