//! Why a file is refused.

use std::ops::Range;

/// Why a file cannot be a tool. Each message is one line; text that came from the file is escaped in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// The file is larger than is read.
    #[error("the file is {size} bytes; the limit is {limit} bytes")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The file is something else.
    #[error("not a WebAssembly file: {0}")]
    NotWasm(String),
    /// The text format does not parse.
    #[error("the WebAssembly text is not valid: line {line}, column {column}: {message}")]
    Text {
        /// What is wrong.
        message: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The file uses a part of WebAssembly that is off.
    #[error("the file uses {feature}, which is off in Caplet (at byte {offset:#x})")]
    FeatureOff {
        /// The name of the feature.
        feature: &'static str,
        /// Where, in bytes from the start of the binary.
        offset: usize,
    },
    /// The binary is malformed or does not validate.
    #[error("not valid WebAssembly: {message} (at byte {offset:#x})")]
    Invalid {
        /// What is wrong.
        message: String,
        /// Where, in bytes from the start of the binary.
        offset: usize,
    },
    /// The file is more intricate than is read.
    #[error("the file has {found} {what}; the limit is {limit}")]
    TooIntricate {
        /// What there is too much of.
        what: &'static str,
        /// How many were found, at least.
        found: u64,
        /// How many are read.
        limit: u64,
    },
    /// A core module imports what no host provides.
    #[error("the module imports {module:?} {name:?}: {reason}")]
    Import {
        /// The module name of the import.
        module: String,
        /// The field name of the import.
        name: String,
        /// Why it cannot be provided.
        reason: String,
    },
    /// The file is valid WebAssembly, but fits neither contract.
    #[error("{reason}")]
    NotATool {
        /// What is missing or wrong.
        reason: String,
        /// What its author can do.
        hint: String,
    },
    /// The embedded manifest is missing where one was asked for, or not valid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl ComponentError {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::FeatureOff { .. } => Some(
                "build the tool without this feature; it is off because tools do not need it and it costs safety"
                    .into(),
            ),
            Self::Import { .. } => Some(
                "a tool may import WASI 0.2, wasi_snapshot_preview1 and Caplet's own interfaces, nothing else".into(),
            ),
            Self::NotATool { hint, .. } => Some(hint.clone()),
            Self::Manifest(error) => error.help.clone(),
            Self::TooLarge { .. }
            | Self::NotWasm(_)
            | Self::Text { .. }
            | Self::Invalid { .. }
            | Self::TooIntricate { .. } => None,
        }
    }

    /// Whether the manifest is at fault, not the program.
    #[must_use]
    pub fn is_manifest(&self) -> bool {
        matches!(self, Self::Manifest(_))
    }

    pub(crate) fn not_a_tool(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotATool { reason: reason.into(), hint: hint.into() }
    }
}

/// What is wrong with a manifest, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest is not valid: {}{message}", .line.map(|line| format!("line {line}, column {}: ", column.unwrap_or(1))).unwrap_or_default())]
#[non_exhaustive]
pub struct ManifestError {
    /// What is wrong, on one line.
    pub message: String,
    /// The place in the manifest's text, in bytes. `None` where the fault is not in its text.
    pub span: Option<Range<usize>>,
    /// Line of the place, from 1.
    pub line: Option<usize>,
    /// Column of the place in characters, from 1.
    pub column: Option<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl ManifestError {
    /// An error about the manifest as a whole.
    pub(crate) fn whole(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), span: None, line: None, column: None, help: Some(help.into()) }
    }

    /// An error at `span` of `source`.
    pub(crate) fn at(source: &str, span: Range<usize>, message: impl Into<String>, help: Option<String>) -> Self {
        let (line, column) = position(source, span.start);
        Self { message: message.into(), span: Some(span), line: Some(line), column: Some(column), help }
    }
}

/// Line and column of byte `offset` in `text`, both from 1.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = text.get(..offset).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before.get(start..).unwrap_or_default().chars().count() + 1)
}

/// `text` on one line, without control characters, and not longer than anyone would read.
pub(crate) fn one_line(text: &str) -> String {
    const LONGEST: usize = 500;
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }));
        if line.len() > LONGEST {
            line.truncate(line.char_indices().take(LONGEST).last().map_or(0, |(index, _)| index));
            line.push('…');
            break;
        }
    }
    line
}
