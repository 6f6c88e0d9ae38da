//! Arguments that fit a schema, for a person to change.

use serde_json::{Map, Value, json};

/// How deep a sample goes into records within records.
const DEPTH: usize = 4;

/// The arguments that a function cannot do without, or all that it takes where it needs none; nothing, where it takes none.
pub(super) fn arguments(schema: &Value) -> Option<String> {
    let needed: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object()?;
    let chosen = properties.iter().filter(|(name, _)| needed.is_empty() || needed.contains(&name.as_str()));
    let sample: Map<String, Value> = chosen.map(|(name, schema)| (name.clone(), value(schema, DEPTH))).collect();
    (!sample.is_empty()).then(|| Value::Object(sample).to_string())
}

fn value(schema: &Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    if let Some(first) = schema["enum"].get(0).or(schema.get("const")) {
        return first.clone();
    }
    if let Some(first) = ["anyOf", "oneOf"].iter().find_map(|key| schema[key].get(0)) {
        return value(first, depth);
    }
    let ty = schema["type"].get(0).unwrap_or(&schema["type"]);
    match ty.as_str() {
        Some("string") => json!("…"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(name, schema)| (name.clone(), value(schema, depth))).collect()
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::arguments;

    #[test]
    fn a_sample_has_what_is_needed() {
        for (schema, sample) in [
            (json!({"properties": {}}), None),
            (
                json!({"properties": {"text": {"type": "string"}, "top": {"type": "integer"}}, "required": ["text"]}),
                Some(r#"{"text":"…"}"#),
            ),
            (
                json!({"properties": {"args": {"type": ["array", "null"]}, "stdin": {"anyOf": [{"type": "string"}]}}}),
                Some(r#"{"args":[],"stdin":"…"}"#),
            ),
            (
                json!({"properties": {"at": {"type": "object", "properties": {"x": {"type": "number"}}}}, "required": ["at"]}),
                Some(r#"{"at":{"x":1}}"#),
            ),
            (json!({"properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]}), Some(r#"{"kind":"a"}"#)),
        ] {
            assert_eq!(arguments(&schema).as_deref(), sample, "{schema}");
        }
    }
}
