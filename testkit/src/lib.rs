//! Hostile guests and fakes for the tests of the other crates.

pub mod cases;
pub mod lab;

/// Reads a JSON Schema as agents do, in draft 2020-12.
///
/// # Errors
///
/// When it is no schema.
pub fn schema(schema: &serde_json::Value) -> Result<jsonschema::Validator, String> {
    jsonschema::draft202012::new(schema).map_err(|error| error.to_string())
}

/// A component that sends one HTTP request exactly as it is told to; see the file.
pub const HTTP_PROBE: &str = include_str!("../guests/http-probe.wat");

/// A component that tries every way to a socket and to a name server; see the file.
pub const SOCKETS_PROBE: &str = include_str!("../guests/sockets-probe.wat");
