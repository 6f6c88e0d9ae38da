//! How a client's file lists servers: where in it, and in which notation.

use super::{Launch, ServerName, json, toml};

/// What marks a file as UTF-8. Some editors write it, and it is kept.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// How a client's file lists servers.
#[derive(Debug)]
pub(super) enum Shape {
    Json(json::Shape),
    Toml(toml::Shape),
}

/// What a file has under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A start of caplet, whatever else is said about it.
    Ours(Launch),
    /// Anything else.
    Other,
}

/// Why a file cannot be edited.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Line and column, from 1.
    pub(super) place: Option<(usize, usize)>,
    pub(super) reason: String,
}

impl Shape {
    /// What `text` has under `name`.
    pub(super) fn find(&self, text: &str, name: &ServerName) -> Result<Option<Found>, Problem> {
        let (_, body) = split(text);
        match self {
            Self::Json(shape) => shape.find(body, name),
            Self::Toml(shape) => shape.find(body, name),
        }
    }

    /// The text with `launch` under `name`. Of an entry of ours, only the command and its arguments change; any other is replaced.
    pub(super) fn put(&self, text: &str, name: &ServerName, launch: &Launch) -> Result<String, Problem> {
        let (mark, body) = split(text);
        let edited = match self {
            Self::Json(shape) => shape.put(body, name, launch),
            Self::Toml(shape) => shape.put(body, name, launch),
        }?;
        Ok(format!("{mark}{edited}"))
    }

    /// The text with nothing under `name`.
    pub(super) fn take(&self, text: &str, name: &ServerName) -> Result<String, Problem> {
        let (mark, body) = split(text);
        let edited = match self {
            Self::Json(shape) => shape.take(body, name),
            Self::Toml(shape) => shape.take(body, name),
        }?;
        Ok(format!("{mark}{edited}"))
    }
}

fn split(text: &str) -> (&str, &str) {
    match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(body) => (BYTE_ORDER_MARK, body),
        None => ("", text),
    }
}

impl Problem {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { place: None, reason: reason.into() }
    }

    /// A reason and the byte of `text` that it is about.
    pub(super) fn at(text: &str, byte: usize, reason: impl Into<String>) -> Self {
        let before = &text[..text.floor_char_boundary(byte)];
        let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
        let place = (before.matches('\n').count() + 1, line.chars().count() + 1);
        Self { place: Some(place), reason: reason.into() }
    }

    /// What is to say if an edit changed more than it was to. It is a fault of ours, and nothing is written then.
    pub(super) fn overreach() -> Self {
        Self::new("it is written in a way that cannot be edited without touching more than the entry")
    }
}
