//! JSON ↔ component values, directed by the tool's types.
//!
//! In: a JSON document and the [`Type`]s that were read from the component. Out: the engine's values, or an error that names
//! the place in the document and what was expected there; and the same way back.
//!
//! What always holds: a document is accepted exactly when the tool's JSON Schema accepts it; recursion goes as deep as the
//! type, whose depth is bounded when the component is read, and never as deep as the data; what comes back from a guest is
//! counted while it is converted, and conversion stops at the limit.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use caplet_component::{Tool, Type};
use serde_json::Value;
use wasmtime::component::Val;

pub(crate) use self::decode::OutputError;
pub(crate) use self::encode::{ArgumentError, arguments};
use crate::end::End;
use crate::state::ProcessInput;

/// The input of a command: its arguments, with the tool's name before them, and its standard input.
pub(crate) fn process_input(tool: &Tool, tool_name: &str, input: &Value) -> Result<ProcessInput, ArgumentError> {
    let values = arguments(tool, input)?;
    let mut process = ProcessInput { argv: vec![tool_name.to_owned()], stdin: Vec::new() };
    for (parameter, value) in tool.signature.parameters.iter().zip(values) {
        let Val::Option(Some(value)) = value else {
            continue;
        };
        match (parameter.name.wit.as_str(), *value) {
            ("args", Val::List(items)) => process.argv.extend(items.into_iter().filter_map(|item| match item {
                Val::String(text) => Some(text),
                _ => None,
            })),
            ("stdin", Val::String(text)) => process.stdin = text.into_bytes(),
            _ => {}
        }
    }
    if let Some(index) = process.argv.iter().position(|argument| argument.contains('\0')) {
        // The name was given by the operator, so the place is among the arguments.
        return Err(ArgumentError::new("a string without NUL characters", "one with")
            .at(&index.saturating_sub(1).to_string())
            .at("args"));
    }
    Ok(process)
}

/// What a typed function returned.
#[derive(Debug)]
pub(crate) struct Answered {
    ty: Option<Type>,
    value: Option<Val>,
}

impl Answered {
    pub(crate) fn new(tool: &Tool, value: Option<Val>) -> Self {
        Self { ty: tool.signature.result.clone(), value }
    }

    /// The tool's output or its error, as JSON of at most about `room` bytes.
    pub(crate) fn into_end(self, room: u64) -> Result<End, OutputError> {
        match (self.ty, self.value) {
            (Some(Type::Result { ok, .. }), Some(Val::Result(Ok(value)))) => {
                payload(ok.as_deref(), value.as_deref(), room).map(End::Output)
            }
            (Some(Type::Result { err, .. }), Some(Val::Result(Err(value)))) => {
                payload(err.as_deref(), value.as_deref(), room).map(|error| End::ToolError(error_text(error)))
            }
            (Some(ty), Some(value)) => decode::output(&ty, &value, room).map(End::Output),
            (None, None) => Ok(End::Output(Value::Null)),
            (Some(_), None) | (None, Some(_)) => Err(OutputError::Invalid(
                "the function returned another number of values than its type says".to_owned(),
            )),
        }
    }
}

fn payload(ty: Option<&Type>, value: Option<&Val>, room: u64) -> Result<Value, OutputError> {
    match (ty, value) {
        (Some(ty), Some(value)) => decode::output(ty, value, room),
        _ => Ok(Value::Null),
    }
}

/// A tool's own error as text: its string, or the JSON of anything else.
fn error_text(error: Value) -> String {
    match error {
        Value::String(text) => text,
        Value::Null => "the tool reported an error without saying which".to_owned(),
        other => other.to_string(),
    }
}
