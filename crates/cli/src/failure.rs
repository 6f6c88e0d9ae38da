//! Why a verb could not do its work, in the form that is shown: what was asked, what is wrong, where, and how to put it right.

use std::io;
use std::ops::Range;

use caplet::audit::{ErrorInfo, ErrorKind, Outcome};
use serde::Serialize;

/// What ends a verb early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The verb failed.
    Failure(Box<Failure>),
    /// The result could not be written.
    Io(io::Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

impl From<caplet::Error> for Stop {
    fn from(error: caplet::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A failure with what a person needs to act on it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) info: ErrorInfo,
    pub(crate) excerpt: Option<Box<Excerpt>>,
}

/// A place in a text of the user's.
#[derive(Clone, Debug)]
pub(crate) struct Excerpt {
    /// What the text is called.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) span: Range<usize>,
    /// Line and column to tell, where `text` is only a part of the whole.
    pub(crate) at: Option<(usize, usize)>,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { info: ErrorInfo::new(kind, message), excerpt: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.info.hint = Some(hint.into());
        self
    }

    /// The same code that a call refused for this reason ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.info.kind {
            ErrorKind::Host => crate::HOST_FAILED,
            _ => Outcome::refused("", None, self.info.clone()).process_exit_code(),
        }
    }

    /// The failure as the object that `--json` prints for a verb that is not a call.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Failed<'a> {
            error: &'a ErrorInfo,
        }
        caplet::audit::text::json_line(&Failed { error: &self.info })
    }
}

impl From<caplet::Error> for Failure {
    fn from(error: caplet::Error) -> Self {
        let excerpt = match &error {
            caplet::Error::Toolbox(error) => error.place.as_ref().map(|place| Excerpt {
                name: error.path.display().to_string(),
                text: place.text.clone(),
                span: place.marked.clone(),
                at: Some((place.line, place.column)),
            }),
            _ => None,
        };
        Self { info: error.info(), excerpt: excerpt.map(Box::new) }
    }
}
