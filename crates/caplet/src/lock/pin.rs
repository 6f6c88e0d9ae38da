//! What is pinned of a tool: everything that an agent sees of it, and everything that it may do or be.

use std::collections::BTreeMap;

use caplet_audit::text::json_pretty;
use caplet_component::Component;
use serde_json::Value;

use crate::names;

/// A tool as it was approved, or as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The digest of the component, as `sha256:` and 64 digits.
    pub(crate) digest: String,
    /// The text of the manifest: its rules, limits and descriptions. Without one there is no authority.
    pub(crate) manifest: Option<String>,
    /// By what agents call them.
    pub(crate) functions: BTreeMap<String, PinnedFunction>,
}

/// One function of a tool that is pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinnedFunction {
    /// Its name in the component.
    pub(crate) function: String,
    pub(crate) description: String,
    /// JSON Schema, as text with its keys in order.
    pub(crate) input: String,
    pub(crate) output: Option<String>,
}

impl Pin {
    /// What `component` is now, as the tool that the toolbox calls `tool`.
    #[must_use]
    pub fn of(tool: &str, component: &Component) -> Self {
        let count = component.tools.len();
        let function = |found: &caplet_component::Tool| {
            let pinned = PinnedFunction {
                function: found.function.clone(),
                description: found.description.clone(),
                input: text(&found.input_schema),
                output: found.output_schema.as_ref().map(text),
            };
            (names::of_function(tool, &found.function, count), pinned)
        };
        Self {
            digest: component.digest.to_string(),
            manifest: component.manifest.as_ref().map(|manifest| manifest.source().to_owned()),
            functions: component.tools.iter().map(function).collect(),
        }
    }

    /// The digest of the component, as `sha256:` and 64 digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether all that an agent sees of the tool and all that it may do is the same. The code may be another.
    pub(crate) fn shows_the_same(&self, other: &Self) -> bool {
        let Self { digest: _, manifest, functions } = self;
        *manifest == other.manifest && *functions == other.functions
    }
}

/// A schema as text that is the same wherever its keys came in another order, and of which no part is invisible.
fn text(schema: &Value) -> String {
    // A value without numbers as keys cannot fail to be written; if it did, the empty text is no schema, and differs from each.
    json_pretty(&in_order(schema)).unwrap_or_default()
}

fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let sorted: BTreeMap<_, _> = entries.iter().map(|(key, value)| (key.clone(), in_order(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(in_order).collect()),
        value => value.clone(),
    }
}
