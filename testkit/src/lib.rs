//! Hostile guests and fakes for the tests of the other crates.

pub mod cases;

/// Reads a JSON Schema as agents do, in draft 2020-12.
///
/// # Errors
///
/// When it is no schema.
pub fn schema(schema: &serde_json::Value) -> Result<jsonschema::Validator, String> {
    jsonschema::draft202012::new(schema).map_err(|error| error.to_string())
}
