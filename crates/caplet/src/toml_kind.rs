//! What a file of TOML is, by what is in it: a toolbox may have any name, and has values in it that must not be shown.

use toml::de::DeTable;

/// What a text of TOML is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TomlKind {
    /// It has a table that only a toolbox has, such as `stores` or `tools`.
    Toolbox,
    /// It has none, as the manifest of a tool.
    Other,
    /// It is no TOML, so that nobody can say what is in it.
    Broken,
}

impl TomlKind {
    /// What `text` is.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let Ok(table) = DeTable::parse(text) else { return Self::Broken };
        let is_toolbox = ["defaults", "stores", "buckets", "tools", "profiles"]
            .iter()
            .any(|name| table.get_ref().contains_key(*name));
        if is_toolbox { Self::Toolbox } else { Self::Other }
    }
}
