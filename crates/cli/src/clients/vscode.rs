//! Visual Studio Code, in its default profile.

use super::shape::Shape;
use super::{Description, json};

pub(super) const CLIENT: Description = Description {
    title: "Visual Studio Code",
    trace: |places| places.config.join("Code"),
    user: |places| places.config.join("Code/User/mcp.json"),
    project: Some(".vscode/mcp.json"),
    shape: Shape::Json(json::Shape { key: "servers", is_typed: true }),
    expands: Some("${"),
};
