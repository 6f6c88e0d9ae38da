//! Why a tool cannot be loaded, granted or called. Each error knows its kind, as an outcome names it, and what would help.

use std::path::PathBuf;

use caplet_audit::recording::RecordingError;
use caplet_audit::text::{shortened, visible_line};
use caplet_audit::{ErrorInfo, ErrorKind, SinkError};
use caplet_component::ComponentError;
use caplet_policy::quote;

use crate::toolbox::ToolboxError;

/// Why something that was asked of Caplet cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no built-in tool of that name.
    #[error("there is no tool called \"{}\"", brief(name))]
    UnknownTool {
        /// The name that was asked for.
        name: String,
        /// The nearest name that there is.
        suggestion: Option<String>,
        /// Whether a file of that name is in the current directory.
        is_file: bool,
    },
    /// The tool has no function of that name.
    #[error("{tool} has no function \"{}\"", brief(function))]
    UnknownFunction {
        /// The tool.
        tool: String,
        /// The function that was asked for.
        function: String,
        /// Those that there are.
        functions: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {reason}", brief(&path.to_string_lossy()))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file is not a tool that Caplet runs.
    #[error("{}: {source}", brief(name))]
    Component {
        /// What the tool is called.
        name: String,
        /// What is wrong with it.
        source: Box<ComponentError>,
    },
    /// A rule, a mount, a limit or another part of a grant makes no sense.
    #[error("{asked}: {reason}")]
    Grant {
        /// What was asked, as an option of the command line.
        asked: String,
        /// What is wrong with it.
        reason: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// A toolbox says something that makes no sense.
    #[error(transparent)]
    Toolbox(#[from] Box<ToolboxError>),
    /// The arguments are not JSON, or not JSON that every parser reads alike.
    #[error("the arguments are not valid JSON: {0}")]
    Arguments(String),
    /// No record could be kept.
    #[error(transparent)]
    Audit(#[from] SinkError),
    /// A recording cannot be used.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The host failed.
    #[error("{0}")]
    Host(String),
}

impl Error {
    pub(crate) fn grant(option: &str, value: &str, reason: impl Into<String>, hint: Option<String>) -> Self {
        Self::Grant { asked: format!("{option} {}", quote(&brief(value))), reason: reason.into(), hint }
    }

    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownTool { .. } | Self::UnknownFunction { .. } => ErrorKind::UnknownTool,
            Self::Component { source, .. } if source.is_manifest() => ErrorKind::InvalidManifest,
            Self::Unreadable { .. } | Self::Component { .. } => ErrorKind::InvalidComponent,
            Self::Grant { .. } | Self::Toolbox(_) => ErrorKind::InvalidConfig,
            Self::Arguments(_) => ErrorKind::InvalidArgs,
            Self::Recording(RecordingError::Io { .. }) => ErrorKind::Host,
            Self::Recording(_) => ErrorKind::InvalidConfig,
            Self::Audit(_) | Self::Host(_) => ErrorKind::Host,
        }
    }

    /// What would put it right, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownTool { name, is_file: true, .. } => {
                Some(format!("to run the file of that name, write {}", quote(&format!("./{}", brief(name)))))
            }
            Self::UnknownTool { suggestion: Some(suggestion), .. } => Some(format!("did you mean {suggestion}?")),
            Self::UnknownTool { .. } => {
                Some("`caplet tools` lists the built-in tools; a file needs a path, such as ./tool.wasm".into())
            }
            Self::UnknownFunction { functions, .. } => Some(format!("its functions are: {functions}")),
            Self::Component { source, .. } => source.hint(),
            Self::Grant { hint, .. } => hint.clone(),
            Self::Toolbox(error) => error.help.clone(),
            Self::Audit(error) => Some(error.hint().to_owned()),
            Self::Recording(error) => error.hint().map(str::to_owned),
            Self::Unreadable { .. } | Self::Arguments(_) | Self::Host(_) => None,
        }
    }

    /// The error as an outcome shows it.
    #[must_use]
    pub fn info(&self) -> ErrorInfo {
        ErrorInfo { kind: self.kind(), message: self.to_string(), hint: self.hint() }
    }
}

/// What was asked for, on one line and no longer than a person reads.
pub(crate) fn brief(text: &str) -> String {
    const LONGEST: usize = 300;
    visible_line(&shortened(text, LONGEST)).into_owned()
}
