//! Patterns: globs, hosts, methods, URLs, and the automata that they become.

pub(crate) mod automaton;
pub(crate) mod below;
pub(crate) mod glob;
mod glob_parser;
pub(crate) mod host;
pub(crate) mod language;
pub(crate) mod method;
pub(crate) mod set;
pub(crate) mod url;
pub(crate) mod url_language;
pub(crate) mod url_pattern;
