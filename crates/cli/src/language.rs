//! The languages that a tool can be started in and built from.

use clap::ValueEnum;

/// A language with a tool chain of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Cargo, for wasm32-wasip2
    Rust,
    /// componentize-js, from npm
    #[value(alias = "javascript")]
    Js,
    /// componentize-py, from PyPI
    #[value(alias = "py")]
    Python,
    /// Go 1.24 or later, for wasip1
    #[value(alias = "golang")]
    Go,
    /// Zig, or the clang of a WASI SDK, for wasip1
    C,
}

impl Language {
    /// What the option takes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
            Self::Go => "go",
            Self::C => "c",
        }
    }
}
