//! Gemini CLI.

use super::shape::Shape;
use super::{Description, json};

pub(super) const CLIENT: Description = Description {
    title: "Gemini CLI",
    trace: |places| places.named("GEMINI_CLI_HOME", "").join(".gemini"),
    user: |places| places.named("GEMINI_CLI_HOME", "").join(".gemini/settings.json"),
    project: Some(".gemini/settings.json"),
    shape: Shape::Json(json::Shape { key: "mcpServers", is_typed: false }),
    expands: Some("$"),
};
