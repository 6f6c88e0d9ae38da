//! JSON Schema of the toolbox, for editors: made from the types that the parser fills, so that keys are said once.
//!
//! What always holds: what the parser takes, the schema takes. It does not refuse all that the parser does: whether a path, a glob or a
//! host makes sense, and whether a name is there, is more than a schema can say.

use caplet_policy::limits::KEYS;
use caplet_policy::{Limits, parse_duration};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::raw::RawToolbox;

/// A name that a command line and a protocol can say without quotes.
const NAME: &str = "^[a-z0-9]+(-[a-z0-9]+)*$";
/// What an agent may see as a name.
const VISIBLE_NAME: &str = "^(?!caplet_)[A-Za-z0-9_-]{1,64}$";
const RULE: &str = "^((read|write|fetch|kv|env|config|clock|random|secret|call):.|random$)";
const SIZE: &str = "^[0-9]+([KMGT]i?B|B)?$";
const DURATION: &str = "^[0-9]+(ns|us|ms|s|m|h|d)$";
/// A variable or a configuration key.
const KEY: &str = r"^[^=*?\[\]{}\\\s]+$";

/// The whole schema.
pub(super) fn toolbox() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_default));
    settings.into_generator().into_root_schema_for::<RawToolbox>().to_value()
}

/// What is left out is no value that could be written.
fn without_default(schema: &mut Schema) {
    schema.remove("default");
}

/// Tables by name.
pub(super) fn named<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": {"pattern": NAME, "maxLength": 64},
        "additionalProperties": generator.subschema_for::<T>(),
    })
}

pub(super) fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1})
}

pub(super) fn visible_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": VISIBLE_NAME})
}

pub(super) fn rules(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "string", "pattern": RULE}})
}

/// A store that is named once, which is no other name for a store.
pub(super) fn store(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[^@]"})
}

pub(super) fn size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": SIZE})
}

pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": DURATION})
}

/// Stores by where they are mounted, or by the bucket that they are behind.
pub(super) fn places(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": {"minLength": 1},
        "additionalProperties": {"type": "string", "minLength": 1},
    })
}

pub(super) fn ceiling(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"enum": ["manifest", "open"]})
}

pub(super) fn variables(_: &mut SchemaGenerator) -> Schema {
    values(&json!({"type": "string"}))
}

pub(super) fn keys(_: &mut SchemaGenerator) -> Schema {
    values(&json!({"type": ["string", "number", "boolean"]}))
}

/// Values by name, each said here or in a file of its own.
fn values(said: &Value) -> Schema {
    let file = json!({
        "type": "object",
        "properties": {"file": {"type": "string", "minLength": 1}},
        "required": ["file"],
        "additionalProperties": false,
    });
    json_schema!({
        "type": "object",
        "propertyNames": {"pattern": KEY},
        "additionalProperties": {"anyOf": [said, file]},
    })
}

pub(super) fn limits(_: &mut SchemaGenerator) -> Schema {
    let defaults = Limits::default().entries();
    let is_duration = |key: &str| defaults.iter().any(|(known, text)| *known == key && parse_duration(text).is_ok());
    let limit = |key: &str| match is_duration(key) {
        true => json!({"type": "string", "pattern": DURATION}),
        false => json!({"type": ["string", "integer"], "pattern": SIZE, "minimum": 0}),
    };
    let properties: Map<String, Value> = KEYS.iter().map(|key| ((*key).to_owned(), limit(key))).collect();
    json_schema!({"type": "object", "properties": properties, "additionalProperties": false})
}
