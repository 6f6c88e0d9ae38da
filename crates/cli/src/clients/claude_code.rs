//! Claude Code. Its file in the home also holds much that it writes itself while it runs.

use super::shape::Shape;
use super::{Description, json};

pub(super) const CLIENT: Description = Description {
    title: "Claude Code",
    trace: |places| places.named("CLAUDE_CONFIG_DIR", ".claude"),
    user: |places| places.named("CLAUDE_CONFIG_DIR", "").join(".claude.json"),
    project: Some(".mcp.json"),
    shape: Shape::Json(json::Shape { key: "mcpServers", is_typed: true }),
    expands: Some("${"),
};
