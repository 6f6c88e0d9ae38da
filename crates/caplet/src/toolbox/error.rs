//! What is wrong with a toolbox, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use super::excerpt::excerpt;
use crate::error::{Error, brief};

/// What is wrong with a toolbox, and where. Values that may be secrets are in none of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolboxError {
    /// The toolbox's file.
    pub path: PathBuf,
    /// What is wrong, on one line.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where; `None` where the file as a whole is meant.
    pub place: Option<Place>,
}

/// A place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line, with `…` for what must not be shown.
    pub text: String,
    /// The part of `text` that is meant, in bytes.
    pub marked: Range<usize>,
}

/// What is wrong at a place in the text, in bytes.
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: Some(help.into()) }
    }
}

impl ToolboxError {
    /// An error about the file as a whole.
    pub(super) fn whole(path: &Path, message: impl Into<String>, help: Option<String>) -> Box<Self> {
        Box::new(Self { path: path.to_owned(), message: message.into(), help, place: None })
    }

    /// The file cannot be read.
    pub(super) fn unreadable(path: &Path, error: Error) -> Box<Self> {
        let reason = match error {
            Error::Unreadable { reason, .. } => reason,
            other => other.to_string(),
        };
        Self::whole(path, format!("it cannot be read: {reason}"), None)
    }

    /// The file is not text.
    pub(super) fn not_text(path: &Path, error: &FromUtf8Error) -> Box<Self> {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Self::whole(path, format!("it is not UTF-8, on line {line}"), Some("save it as UTF-8".to_owned()))
    }

    pub(super) fn at(path: &Path, text: &str, fault: Fault) -> Self {
        let Fault { span, message, help } = fault;
        Self { path: path.to_owned(), message: brief(&message), help, place: Some(excerpt(text, &span)) }
    }

    /// An error of the parser.
    pub(super) fn of_toml(path: &Path, text: &str, error: &toml::de::Error) -> Box<Self> {
        let message = plain(error.message());
        let help = match message.split(' ').next() {
            Some("unknown") => {
                "remove it, or spell it as one of the known ones: a key that does nothing looks like protection"
            }
            Some("missing") => "add it: what is left out is not guessed",
            Some("duplicate") => "write each key and each table once",
            _ => "see the format of caplet.toml",
        };
        let fault = Fault::new(error.span().unwrap_or_default(), message, help);
        Box::new(Self::at(path, text, fault))
    }
}

impl fmt::Display for ToolboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", brief(&self.path.to_string_lossy()))?;
        if let Some(Place { line, column, .. }) = &self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ToolboxError {}

/// A message of the parser without the value that it is about, and in TOML's words instead of Rust's.
pub(super) fn plain(message: &str) -> String {
    if message.contains("__toml_private_datetime") {
        return "expected a text in quotes, found a date".to_owned();
    }
    let message = message.lines().collect::<Vec<_>>().join("; ");
    let Some(rest) =
        ["invalid type: ", "invalid value: ", "invalid length "].iter().find_map(|lead| message.strip_prefix(lead))
    else {
        return message;
    };
    // A value may have this in it too, but what is expected comes last.
    let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, "something else"));
    const FOUND: [(&str, &str); 6] = [
        ("string", "a text"),
        ("integer", "a number"),
        ("floating point", "a number"),
        ("boolean", "true or false"),
        ("map", "a table"),
        ("sequence", "an array"),
    ];
    let found = FOUND.iter().find(|(word, _)| found.starts_with(word)).map_or("something else", |(_, found)| found);
    let expected = match expected {
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        "a map" => "a table",
        "a sequence" => "an array",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    format!("expected {expected}, found {found}")
}
