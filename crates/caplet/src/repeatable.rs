//! What two deterministic calls that are the same have in common, as a digest.

use caplet_audit::Record;
use caplet_component::Digest;
use serde_json::{Map, Value};

/// What of a record is the same each time. Ids, times and traces are not, nor is what a call cannot be told by: who made it, and where.
const KEPT: [&str; 14] = [
    "arguments",
    "ceiling",
    "component",
    "decisions",
    "deterministic",
    "error",
    "exit_code",
    "function",
    "limits",
    "manifest",
    "outcome",
    "policy",
    "tool",
    "usage",
];

/// SHA-256 of `output` and of what of `record` is the same each time, as JSON without spaces and with sorted keys. A deterministic call's usage
/// does not say how long it took.
pub(crate) fn digest(record: &Record, output: &Value) -> String {
    let record = serde_json::to_value(record).unwrap_or_default();
    let kept = KEPT.iter().filter_map(|key| Some(((*key).to_owned(), record.get(key)?.clone())));
    let mut document: Map<String, Value> = kept.collect();
    document.insert("output".to_owned(), output.clone());
    Digest::of(Value::Object(document).to_string().as_bytes()).to_string()
}
