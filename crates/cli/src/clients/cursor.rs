//! Cursor.

use super::shape::Shape;
use super::{Description, json};

pub(super) const CLIENT: Description = Description {
    title: "Cursor",
    trace: |places| places.home.join(".cursor"),
    user: |places| places.home.join(".cursor/mcp.json"),
    project: Some(".cursor/mcp.json"),
    shape: Shape::Json(json::Shape { key: "mcpServers", is_typed: true }),
    expands: Some("${"),
};
