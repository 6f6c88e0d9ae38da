//! Claude Desktop, where its builds for Linux keep their settings.

use super::shape::Shape;
use super::{Description, json};

pub(super) const CLIENT: Description = Description {
    title: "Claude Desktop",
    trace: |places| places.config.join("Claude"),
    user: |places| places.config.join("Claude/claude_desktop_config.json"),
    project: None,
    shape: Shape::Json(json::Shape { key: "mcpServers", is_typed: false }),
    expands: None,
};
