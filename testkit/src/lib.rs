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

/// A component that calls other tools as it is told to, and can be called itself; see the file.
pub const TOOLS_PROBE: &str = include_str!("../guests/tools-probe.wat");

/// A component whose functions are what the conformance suite of MCP asks a server's tools to do, and what clients are tried with; see the
/// file. `testkit/clients/caplet.toml` is the toolbox that gives them the names that the suite knows.
pub const MCP_FIXTURE: &str = include_str!("../guests/mcp-fixture.wat");

/// A component that runs a script of operations on key-value buckets, for one of the drafts of the interface; see the file.
#[must_use]
pub fn keyvalue_probe(draft: &str) -> String {
    let (own, other) = if draft.ends_with('2') { (";;2", ";;1") } else { (";;1", ";;2") };
    let text = include_str!("../guests/keyvalue-probe.wat").replace("{VERSION}", draft);
    let lines = text.lines().filter(|line| !line.starts_with(other));
    lines.map(|line| format!("{}\n", line.strip_prefix(own).unwrap_or(line))).collect()
}

/// A component that asks for the configuration, for one of the drafts of the interface; see the file.
#[must_use]
pub fn config_probe(draft: &str) -> String {
    include_str!("../guests/config-probe.wat").replace("{VERSION}", draft)
}
