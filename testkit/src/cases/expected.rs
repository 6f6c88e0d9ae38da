//! What has to come of a call, and how it is compared with what came.

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::files::{Content, FileSpec};

/// What is expected of a case. What is left out is not looked at, but for `denied`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expected {
    /// The outcome: `ok`, `error`, `denied`, `refused`, `exit`, `trap`, `limit` or `host`.
    pub outcome: String,
    /// The error's kind: `tool-error`, `invalid-args`, `quota`, …
    pub kind: Option<String>,
    /// The whole output.
    pub output: Option<Value>,
    /// Some fields of the output, which is an object.
    pub fields: Option<Map<String, Value>>,
    /// Texts that are in the output (its JSON, if it is no string) or, where there is none, in the error's message.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Texts that are not.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// The ops that are refused during the call, in any order and each once. Left out: none may be.
    #[serde(default)]
    pub denied: Vec<String>,
    /// Files after the call.
    #[serde(default)]
    pub files: Vec<FileSpec>,
}

/// What a runner saw of a call.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The outcome's name.
    pub outcome: &'a str,
    /// The error's kind, if there is one.
    pub kind: Option<&'a str>,
    /// The output; null if there is none.
    pub output: &'a Value,
    /// The error's message; empty if there is none.
    pub message: &'a str,
    /// The ops of the denied decisions.
    pub denied: Vec<String>,
    /// What is there after the call for each of [`Expected::files`], in their order.
    pub files: Vec<Content>,
}

impl Expected {
    pub(super) fn deviations(&self, observed: &Observed<'_>) -> Vec<String> {
        let mut found = Vec::new();
        differ(&mut found, "outcome", &self.outcome.as_str(), &observed.outcome);
        if let Some(kind) = &self.kind {
            differ(&mut found, "error kind", &Some(kind.as_str()), &observed.kind);
        }
        if let Some(output) = &self.output {
            differ(&mut found, "output", output, observed.output);
        }
        for (name, value) in self.fields.iter().flatten() {
            differ(&mut found, &format!("field `{name}`"), &Some(value), &observed.output.get(name));
        }
        let denied = |ops: &[String]| ops.iter().cloned().collect::<BTreeSet<String>>();
        differ(&mut found, "denied ops", &denied(&self.denied), &denied(&observed.denied));
        self.compare_text(observed, &mut found);
        self.compare_files(observed, &mut found);
        if !found.is_empty() && !observed.message.is_empty() {
            found.push(format!("the error's message was: {}", observed.message));
        }
        found
    }

    fn compare_text(&self, observed: &Observed<'_>, found: &mut Vec<String>) {
        let text = match observed.output {
            Value::Null => observed.message.to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        for part in self.contains.iter().filter(|part| !text.contains(part.as_str())) {
            found.push(format!("text: {part:?} is not in {text:?}"));
        }
        for part in self.lacks.iter().filter(|part| text.contains(part.as_str())) {
            found.push(format!("text: {part:?} is in {text:?}"));
        }
    }

    fn compare_files(&self, observed: &Observed<'_>, found: &mut Vec<String>) {
        differ(found, "number of files looked at", &self.files.len(), &observed.files.len());
        for (file, content) in self.files.iter().zip(&observed.files) {
            match file.content() {
                Ok(expected) => differ(found, &file.path, &expected, content),
                Err(problem) => found.push(problem),
            }
        }
    }
}

fn differ<T: PartialEq + Debug + ?Sized>(found: &mut Vec<String>, what: &str, expected: &T, observed: &T) {
    if expected != observed {
        found.push(format!("{what}: expected {expected:?}, found {observed:?}"));
    }
}
