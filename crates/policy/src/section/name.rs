//! Plain names in rules and ops: variables, keys, tools, secrets. A name is never a pattern.

use std::fmt;
use std::hash::{Hash, Hasher};
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

/// What goes with a name. One that is hidden decides as every other, and is never shown: not in the text of a rule or an op, and so
/// not in a journal, a hint or an explanation either.
#[derive(Clone)]
pub(crate) struct Value {
    text: Arc<str>,
    is_hidden: bool,
}

impl Value {
    pub(crate) fn shown(text: &str) -> Self {
        Self { text: text.into(), is_hidden: false }
    }

    pub(crate) fn hidden(text: &str) -> Self {
        Self { text: text.into(), is_hidden: true }
    }

    /// The value itself, for whoever it was granted to.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_hidden { "…" } else { &self.text })
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_hidden { f.write_str("…") } else { self.text.fmt(f) }
    }
}

/// A name and, in some rules, the value that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Assignment {
    pub(crate) name: Arc<str>,
    pub(crate) value: Option<Value>,
}

impl Assignment {
    /// Reads `NAME` or `NAME=VALUE` of a rule.
    pub(crate) fn parse_rule(what: &str, text: &str) -> Result<Self, RuleError> {
        let (name, value) = split(text);
        Ok(Self { name: rule_name(what, name, &['='])?, value: value.map(Value::shown) })
    }

    /// Reads `NAME` or `NAME=VALUE` of an op.
    pub(crate) fn parse_op(what: &str, text: &str) -> Result<Self, OpError> {
        let (name, value) = split(text);
        Ok(Self { name: op_name(what, name, &['='])?, value: value.map(Value::shown) })
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
