//! How a call ended: eight outcomes, the kinds of error, what was used, and the exit code of each.

use std::collections::BTreeMap;
use std::fmt;

use caplet_policy::Decisions;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use serde_json::Value;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OutcomeKind {
    /// The tool answered.
    Ok,
    /// The tool answered with an error of its own.
    Error,
    /// The tool failed, and something had been denied to it before.
    Denied,
    /// Nothing was instantiated: the call was refused before it could start.
    Refused,
    /// The tool ended itself with an exit code.
    Exit,
    /// The tool did what WebAssembly forbids.
    Trap,
    /// The tool hit a limit, or the call was cancelled.
    Limit,
    /// The host failed.
    Host,
}

impl OutcomeKind {
    /// The word that JSON uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Exit => "exit",
            Self::Trap => "trap",
            Self::Limit => "limit",
            Self::Host => "host",
        }
    }

    /// The exit code of a process that ran one call with this outcome, where nothing more is known.
    ///
    /// [`Outcome::process_exit_code`] also looks at why a call was refused and at what a tool exited with.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error | Self::Exit => 1,
            Self::Refused => 2,
            Self::Denied => 3,
            Self::Trap => 4,
            Self::Limit => 5,
            Self::Host => 6,
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of error ended a call: fine enough to act on, and no finer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The tool says that it failed.
    ToolError,
    /// A layer of the policy refused.
    Denied,
    /// The arguments do not fit the tool's input schema.
    InvalidArgs,
    /// The component cannot be read, or this host does not run its like.
    InvalidComponent,
    /// The component's manifest cannot be read.
    InvalidManifest,
    /// What the operator asked for makes no sense: a rule, a mount, a limit.
    InvalidConfig,
    /// There is no such tool, or no such function in it.
    UnknownTool,
    /// The WebAssembly trapped.
    Trap,
    /// Out of time.
    Timeout,
    /// Out of fuel.
    Fuel,
    /// Out of memory.
    Memory,
    /// Calls nested too deep.
    Stack,
    /// Tables too large.
    Tables,
    /// Too much output.
    Output,
    /// Too much written to files or stores, or too many requests.
    Quota,
    /// Too many open handles.
    Handles,
    /// The caller gave up on the call.
    Cancelled,
    /// The host failed.
    Host,
}

impl ErrorKind {
    /// The word that JSON uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToolError => "tool-error",
            Self::Denied => "denied",
            Self::InvalidArgs => "invalid-args",
            Self::InvalidComponent => "invalid-component",
            Self::InvalidManifest => "invalid-manifest",
            Self::InvalidConfig => "invalid-config",
            Self::UnknownTool => "unknown-tool",
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Tables => "tables",
            Self::Output => "output",
            Self::Quota => "quota",
            Self::Handles => "handles",
            Self::Cancelled => "cancelled",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a call did not end well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorInfo {
    /// What kind of error it is.
    pub kind: ErrorKind,
    /// What went wrong. May hold text from the guest: escape it before it reaches a terminal.
    pub message: String,
    /// What would make it go right, where that is known.
    pub hint: Option<String>,
}

impl ErrorInfo {
    /// An error without a hint.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What a call used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Wall time of the call in microseconds; 0 for a deterministic call, which does not say.
    pub wall_us: u64,
    /// Fuel used, where a fuel limit was set.
    pub fuel: Option<u64>,
    /// The most memory that the instance held at one time, in bytes.
    pub memory_peak_bytes: u64,
    /// Result, standard output and standard error together, in bytes.
    pub output_bytes: u64,
    /// HTTP requests that were sent.
    pub http_requests: u64,
    /// Bytes of request bodies that were sent.
    pub http_sent_bytes: u64,
    /// Bytes of response bodies that the tool got.
    pub http_received_bytes: u64,
    /// Calls of other tools, those that they made included.
    #[serde(default)]
    pub calls: u64,
    /// Processor time that the guest and the host's work for it took on the threads that ran them, in microseconds; 0 for a
    /// deterministic call.
    pub cpu_us: u64,
    /// Bytes read from files.
    pub file_read_bytes: u64,
    /// Bytes written to files.
    pub file_written_bytes: u64,
    /// Decisions by capability class, permitted and denied together.
    pub ops: BTreeMap<String, u64>,
}

/// How one call ended. Its JSON is public API.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The tool, as the caller named it.
    pub tool: String,
    /// The function that was called, where one was found.
    pub function: Option<String>,
    /// How the call ended.
    pub outcome: OutcomeKind,
    /// What the tool answered; null where it did not.
    pub output: Value,
    /// Why the call did not end well.
    pub error: Option<ErrorInfo>,
    /// The code that the tool exited with, where it did.
    pub exit_code: Option<u32>,
    /// What the call used.
    pub usage: Usage,
    /// What the tool asked for, and what it was refused.
    pub decisions: Decisions,
    /// The id of the record in the audit log; empty until one is written.
    pub record: Option<String>,
    /// What who called should know about the instance that ran: that it is another one than before, say.
    pub note: Option<String>,
    /// The seed of a deterministic call. Such a call does not say how long it took.
    pub deterministic: Option<u64>,
    /// SHA-256 of what of a deterministic call's output and record is the same each time: two calls that can be told apart differ in it.
    pub record_digest: Option<String>,
}

impl Outcome {
    /// An outcome `ok` with nothing in it yet.
    #[must_use]
    pub fn new(tool: impl Into<String>, function: Option<String>) -> Self {
        Self {
            tool: tool.into(),
            function,
            outcome: OutcomeKind::Ok,
            output: Value::Null,
            error: None,
            exit_code: None,
            usage: Usage::default(),
            decisions: Decisions::default(),
            record: None,
            note: None,
            deterministic: None,
            record_digest: None,
        }
    }

    /// A call that was refused before anything was instantiated.
    #[must_use]
    pub fn refused(tool: impl Into<String>, function: Option<String>, error: ErrorInfo) -> Self {
        Self { outcome: OutcomeKind::Refused, error: Some(error), ..Self::new(tool, function) }
    }

    /// A call that the host could not carry out.
    #[must_use]
    pub fn host(tool: impl Into<String>, function: Option<String>, error: ErrorInfo) -> Self {
        Self { outcome: OutcomeKind::Host, error: Some(error), ..Self::new(tool, function) }
    }

    /// A call that the caller gave up on.
    #[must_use]
    pub fn cancelled(tool: impl Into<String>, function: Option<String>) -> Self {
        let error = ErrorInfo::new(ErrorKind::Cancelled, "the call was cancelled");
        Self { outcome: OutcomeKind::Limit, error: Some(error), ..Self::new(tool, function) }
    }

    /// Whether the tool did what it was asked.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.process_exit_code() == 0
    }

    /// The exit code of a process that ran this one call.
    ///
    /// 0 ok, or an exit with 0 · 1 the tool's error, or an exit with another code · 2 refused for bad input · 3 denied, or refused
    /// by the policy · 4 trap · 5 limit · 6 the host failed.
    #[must_use]
    pub fn process_exit_code(&self) -> u8 {
        let denied = self.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Denied);
        match self.outcome {
            OutcomeKind::Exit if self.exit_code == Some(0) => 0,
            OutcomeKind::Refused if denied => OutcomeKind::Denied.exit_code(),
            kind => kind.exit_code(),
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            tool,
            function,
            outcome,
            output,
            error,
            exit_code,
            usage,
            decisions,
            record,
            note,
            deterministic,
            record_digest,
        } = self;
        let more = [note.is_some(), deterministic.is_some(), record_digest.is_some()];
        let mut object = serializer.serialize_struct("Outcome", 9 + more.map(usize::from).iter().sum::<usize>())?;
        object.serialize_field("tool", tool)?;
        object.serialize_field("function", function)?;
        object.serialize_field("outcome", outcome)?;
        object.serialize_field("output", output)?;
        object.serialize_field("error", error)?;
        object.serialize_field("exit_code", exit_code)?;
        object.serialize_field("usage", usage)?;
        object.serialize_field("decisions", &Brief(decisions))?;
        object.serialize_field("record", record)?;
        if let Some(note) = note {
            object.serialize_field("note", note)?;
        }
        if let Some(seed) = deterministic {
            object.serialize_field("deterministic", seed)?;
        }
        if let Some(digest) = record_digest {
            object.serialize_field("record_digest", digest)?;
        }
        object.end()
    }
}

/// The decisions as an outcome shows them: what was permitted is a number here and a list in the record.
struct Brief<'a>(&'a Decisions);

impl Serialize for Brief<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Decisions { permitted, denied, overflow, .. } = self.0;
        let mut object = serializer.serialize_struct("Decisions", 2 + usize::from(*overflow > 0))?;
        object.serialize_field("permitted", permitted)?;
        object.serialize_field("denied", denied)?;
        if *overflow > 0 {
            object.serialize_field("overflow", overflow)?;
        }
        object.end()
    }
}
