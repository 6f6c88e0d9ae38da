//! A yes for always, written into the toolbox that the tool is from.
//!
//! What always holds: the file is replaced as a whole or not at all; comments and everything else in it stay as they are; a file that the
//! toolbox's own reader would refuse is never written. The rule is one exact op, which the tool's ceiling permits.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use caplet_policy::Rule;
use toml_edit::{Array, DocumentMut, Item, RawString, Value};

use crate::lock::replace::{Held, PRIVATE};
use crate::source::read_file;
use crate::toolbox::Toolbox;

/// The table of a tool in a toolbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    path: Arc<Path>,
    tool: Arc<str>,
}

impl Home {
    pub(crate) fn new(path: &Path, tool: &str) -> Self {
        Self { path: path.into(), tool: tool.into() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds `rule` to what the tool is allowed, if it is not there.
    ///
    /// # Errors
    ///
    /// Why the file cannot be changed, for a person.
    pub(crate) fn allow(&self, rule: &Rule) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        // The file itself, so that a link to it stays one.
        let path = fs::canonicalize(&self.path).map_err(failed)?;
        // No other process of ours changes it meanwhile. An editor's change is seen before the file is replaced.
        let held = Held::new(&path).map_err(|error| error.to_string())?;
        let before = read(&path)?;
        let Some(after) = with_rule(&before, &self.tool, &rule.to_string())? else { return Ok(()) };
        Toolbox::parse(&after, &self.path).map_err(|error| format!("it would make no sense any more: {error}"))?;
        if read(&path)? != before {
            return Err("somebody else changed it at the same moment".to_owned());
        }
        held.replace(&path, after.as_bytes(), PRIVATE).map_err(|error| error.to_string())
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = read_file(path, Toolbox::LARGEST).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))
}

/// `text` with the rule; nothing if it has it.
fn with_rule(text: &str, tool: &str, rule: &str) -> Result<Option<String>, String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("it is not TOML: {error}"))?;
    let table = document.get_mut("tools").and_then(|tools| tools.get_mut(tool)).and_then(Item::as_table_like_mut);
    let table = table.ok_or_else(|| format!("it has no [tools.{tool}]"))?;
    let allow = table.entry("allow").or_insert_with(|| Item::Value(Value::Array(Array::new())));
    let allow = allow.as_array_mut().ok_or("its `allow` is no list")?;
    if allow.iter().any(|known| known.as_str() == Some(rule)) {
        return Ok(None);
    }
    push(allow, rule);
    Ok(Some(document.to_string()))
}

/// Adds `rule` behind the last one; on a line of its own where that is on one. A comment stays with the line that it is on.
fn push(list: &mut Array, rule: &str) {
    let text = |raw: Option<&RawString>| raw.and_then(RawString::as_str).unwrap_or_default().to_owned();
    let is_closed = list.trailing_comma();
    let trailing = text(Some(list.trailing()));
    let last = list.len().checked_sub(1).and_then(|last| list.get_mut(last)).map(Value::decor_mut);
    let lead = text(last.as_ref().and_then(|last| last.prefix()));
    let rest = if is_closed { trailing } else { text(last.as_ref().and_then(|last| last.suffix())) };
    let Some(((line, end), last)) = rest.rsplit_once('\n').zip(last) else { return list.push(rule) };
    let indent = lead.rsplit_once('\n').map_or("", |(_, indent)| indent);
    let rule = Value::from(rule).decorated(format!("{line}\n{indent}"), if is_closed { "" } else { "\n" });
    if is_closed {
        list.set_trailing(format!("\n{end}"));
    } else {
        last.set_suffix("");
    }
    list.push_formatted(rule);
}

#[cfg(test)]
mod tests {
    use super::with_rule;

    #[test]
    fn a_rule_is_added_and_nothing_else_changes() {
        let cases = [
            ("[tools.t]\n", "[tools.t]\nallow = [\"read:/a\"]\n"),
            ("[tools.t] # mine\nask = []\n", "[tools.t] # mine\nask = []\nallow = [\"read:/a\"]\n"),
            ("[tools.t]\nallow = [\"x\"] # why\n", "[tools.t]\nallow = [\"x\", \"read:/a\"] # why\n"),
            (
                "[tools.t]\nallow = [\n  # first\n  \"x\", # one\n  \"y\",\n]\n# end\n",
                "[tools.t]\nallow = [\n  # first\n  \"x\", # one\n  \"y\",\n  \"read:/a\",\n]\n# end\n",
            ),
            (
                "[tools.t]\nallow = [\n    \"x\",\n    \"y\" # one\n]\n",
                "[tools.t]\nallow = [\n    \"x\",\n    \"y\", # one\n    \"read:/a\"\n]\n",
            ),
            ("[tools.t]\nallow = [\n  \"x\", # one\n]\n", "[tools.t]\nallow = [\n  \"x\", # one\n  \"read:/a\",\n]\n"),
            ("tools = { t = { source = \"x\" } }\n", "tools = { t = { source = \"x\" , allow = [\"read:/a\"] } }\n"),
        ];
        for (before, after) in cases {
            assert_eq!(with_rule(before, "t", "read:/a").unwrap().as_deref(), Some(after));
            assert_eq!(with_rule(after, "t", "read:/a").unwrap(), None, "twice is once");
        }
        for refused in ["", "[tools.other]\n", "[tools.t]\nallow = \"x\"\n", "tools = 1\n", "[tools.t\n"] {
            assert!(with_rule(refused, "t", "read:/a").is_err(), "{refused}");
        }
    }
}
