//! How a call ended, and the outcome that this becomes.
//!
//! One place turns what the engine reports into the outcome that people and programs read: which limit it was, whether the
//! guest trapped or asked to exit, and whether a denial came first.

use caplet_audit::{ErrorInfo, ErrorKind, Outcome, OutcomeKind, Usage};
use caplet_policy::Decisions;
use serde_json::Value;
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;

use crate::error::{Exited, LimitHit};

/// The end of a call that got as far as an instance.
#[derive(Debug)]
pub(crate) enum End {
    /// The tool answered.
    Output(Value),
    /// The tool answered with its own error.
    ToolError(String),
    /// The guest exited with a code; the value is what it wrote to standard output.
    Exit { code: u32, output: Value, stderr: String },
}

/// The end of a call by something other than the tool's answer.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// Nothing was instantiated.
    Refused(ErrorInfo),
    /// A limit was hit.
    Limit(LimitHit),
    /// The guest did what WebAssembly forbids.
    Trap(String),
    /// The host failed.
    Host(String),
    /// The pool has no slot left for one of the instance's parts; the call has not started.
    NoSlot,
}

impl Stop {
    pub(crate) fn host(message: impl Into<String>) -> Self {
        Self::Host(message.into())
    }

    pub(crate) fn invalid_component(message: impl Into<String>) -> Self {
        Self::refused(ErrorKind::InvalidComponent, message, None)
    }

    pub(crate) fn refused(kind: ErrorKind, message: impl Into<String>, hint: Option<String>) -> Self {
        Self::Refused(ErrorInfo { kind, message: message.into(), hint })
    }

    /// The error that an outcome shows.
    pub(crate) fn into_error(self) -> ErrorInfo {
        match self {
            Self::Refused(error) => error,
            Self::Limit(hit) => ErrorInfo::new(hit.kind, hit.to_string()).with_hint(hit.hint()),
            Self::Trap(message) => ErrorInfo::new(ErrorKind::Trap, message),
            Self::Host(message) => ErrorInfo::new(ErrorKind::Host, message),
            Self::NoSlot => ErrorInfo::new(ErrorKind::Host, "the pool of instances has no room left for this tool"),
        }
    }

    /// What an error out of the engine means. An exit is not a stop, so it comes back as its code.
    pub(crate) fn classify(error: &wasmtime::Error) -> Result<u32, Self> {
        if let Some(Exited(code)) = error.downcast_ref::<Exited>() {
            return Ok(*code);
        }
        if let Some(hit) = error.downcast_ref::<LimitHit>() {
            return Err(Self::Limit(hit.clone()));
        }
        if error.is::<wasmtime::PoolConcurrencyLimitError>() {
            return Err(Self::NoSlot);
        }
        if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
            return Err(Self::Limit(handles_limit()));
        }
        // These two carry no public type, only their text; a test holds each.
        let root = error.root_cause().to_string();
        if root.contains("store handle limit exceeded") {
            return Err(Self::Limit(handles_limit()));
        }
        if root.contains("hostcall") && root.contains("exhausted") {
            return Err(Self::Limit(transfer_limit()));
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => {
                Err(Self::Limit(LimitHit::new(ErrorKind::Fuel, "the tool used up its fuel", "fuel")))
            }
            Some(Trap::StackOverflow) => Err(Self::Limit(LimitHit::new(
                ErrorKind::Stack,
                "the tool's calls nested deeper than its stack allows",
                "stack",
            ))),
            _ => Err(Self::Trap(describe_trap(error))),
        }
    }
}

/// The guest handed the host more in one value than any limit on output leaves room for.
fn transfer_limit() -> LimitHit {
    LimitHit::new(ErrorKind::Output, "the tool handed over a value larger than its output limit has room for", "output")
}

/// The limit on handles was hit.
pub(crate) fn handles_limit() -> LimitHit {
    LimitHit::new(ErrorKind::Handles, "the tool holds more handles than its limit allows", "handles")
}

/// The trap's own message and the innermost functions, on one line each. Names come from the guest; the host adds none of its own.
fn describe_trap(error: &wasmtime::Error) -> String {
    const FRAMES: usize = 8;
    let mut text = error.root_cause().to_string();
    if let Some(trace) = error.downcast_ref::<wasmtime::WasmBacktrace>() {
        for frame in trace.frames().iter().take(FRAMES) {
            let name = frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), str::to_owned);
            text.push_str("\n  in ");
            text.push_str(&name);
            if let Some(offset) = frame.module_offset() {
                text.push_str(&format!(" at wasm offset {offset:#x}"));
            }
        }
    }
    text
}

/// Makes the outcome of a call.
pub(crate) fn outcome(
    tool: &str,
    function: &str,
    ended: Result<End, Stop>,
    usage: Usage,
    decisions: Decisions,
) -> Outcome {
    let mut outcome = Outcome::new(tool, Some(function.to_owned()));
    let mut fill = |kind, output: Value, error, exit_code| {
        outcome.outcome = kind;
        outcome.output = output;
        outcome.error = error;
        outcome.exit_code = exit_code;
    };
    match ended {
        Ok(End::Output(value)) => fill(OutcomeKind::Ok, value, None, None),
        Ok(End::ToolError(message)) => {
            let (kind, error) = failed(OutcomeKind::Error, ErrorKind::ToolError, message, &decisions);
            fill(kind, Value::Null, Some(error), None);
        }
        Ok(End::Exit { code: 0, output, .. }) => fill(OutcomeKind::Exit, output, None, Some(0)),
        Ok(End::Exit { code, output, stderr }) => {
            let message = if stderr.is_empty() { format!("the tool exited with code {code}") } else { stderr };
            let (kind, error) = failed(OutcomeKind::Exit, ErrorKind::ToolError, message, &decisions);
            fill(kind, output, Some(error), Some(code));
        }
        Err(Stop::Trap(message)) => {
            let (kind, error) = failed(OutcomeKind::Trap, ErrorKind::Trap, message, &decisions);
            fill(kind, Value::Null, Some(error), None);
        }
        Err(stop) => {
            let kind = match stop {
                Stop::Refused(_) => OutcomeKind::Refused,
                Stop::Limit(_) => OutcomeKind::Limit,
                Stop::Trap(_) => OutcomeKind::Trap,
                Stop::Host(_) | Stop::NoSlot => OutcomeKind::Host,
            };
            fill(kind, Value::Null, Some(stop.into_error()), None);
        }
    }
    outcome.usage = usage;
    outcome.decisions = decisions;
    outcome
}

/// A tool that failed after something was denied failed, as far as anyone can tell, because of that denial.
fn failed(kind: OutcomeKind, error: ErrorKind, message: String, decisions: &Decisions) -> (OutcomeKind, ErrorInfo) {
    match decisions.denied.first() {
        Some(denied) => {
            (OutcomeKind::Denied, ErrorInfo { kind: ErrorKind::Denied, message, hint: Some(denied.hint.clone()) })
        }
        None => (kind, ErrorInfo { kind: error, message, hint: None }),
    }
}
