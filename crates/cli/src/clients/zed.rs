//! Zed.

use super::shape::Shape;
use super::{Description, json};

pub(super) const CLIENT: Description = Description {
    title: "Zed",
    trace: |places| places.config.join("zed"),
    user: |places| places.config.join("zed/settings.json"),
    project: Some(".zed/settings.json"),
    shape: Shape::Json(json::Shape { key: "context_servers", is_typed: false }),
    expands: None,
};
