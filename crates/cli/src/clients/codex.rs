//! Codex. It reads a project's file only where the user trusts the project.

use super::shape::Shape;
use super::{Description, toml};

pub(super) const CLIENT: Description = Description {
    title: "Codex",
    trace: |places| places.named("CODEX_HOME", ".codex"),
    user: |places| places.named("CODEX_HOME", ".codex").join("config.toml"),
    project: Some(".codex/config.toml"),
    shape: Shape::Toml(toml::Shape { key: "mcp_servers" }),
    expands: None,
};
