//! What went wrong, in words with the program's own lines.

use rquickjs::{CaughtError, Coerced, Ctx, Object, Value};

use crate::Request;
use crate::inspect;
use crate::kinds;
use crate::output::Ends;
use crate::session::FILE;
use crate::state::State;

/// Why a run has no value.
#[derive(Debug)]
pub(crate) enum Thrown {
    /// An error that nothing caught: its text with the trace.
    Error(String),
    /// `process.exit` with another code than 0.
    Exit(i32),
    /// The time is over.
    Timeout,
    /// The program waits for what cannot come.
    Deadlock,
    /// The input is no JSON.
    Input,
}

/// Bytes of an error's text, and of each output that is given with it.
const MAX_TEXT: usize = 32 * 1024;
const MAX_OUTPUT: usize = 16 * 1024;
/// Causes that are followed, and errors of an `AggregateError` that are told.
const MAX_CAUSES: usize = 4;
/// Characters of a line of code that are shown.
const MAX_LINE: usize = 160;

/// What the engine has just thrown.
pub(crate) fn thrown<'js>(ctx: &Ctx<'js>, state: &State, error: Option<CaughtError<'js>>) -> Thrown {
    match error {
        Some(CaughtError::Exception(exception)) => of_value(ctx, state, exception.as_object().as_value(), ""),
        Some(CaughtError::Value(value)) => of_value(ctx, state, &value, ""),
        Some(CaughtError::Error(error)) => Thrown::Error(error.to_string()),
        None => Thrown::Error("the engine failed and did not say why".to_owned()),
    }
}

/// A thrown value.
pub(crate) fn of_value<'js>(ctx: &Ctx<'js>, state: &State, value: &Value<'js>, prefix: &str) -> Thrown {
    let mut out = Ends::new(MAX_TEXT);
    out.push(prefix);
    match value.as_object().filter(|_| kinds::is_error(ctx, state, value)) {
        Some(error) => push_error(ctx, state, error, &mut out, MAX_CAUSES),
        None if value.is_null() => {
            out.push("thrown: null (the engine throws that too where it is out of memory even for an error)")
        }
        None => {
            out.push("thrown: ");
            out.push(&inspect::one(ctx, state, value));
        }
    }
    Thrown::Error(out.finish("the error"))
}

fn push_error<'js>(ctx: &Ctx<'js>, state: &State, error: &Object<'js>, out: &mut Ends, depth: usize) {
    out.push(&summary(ctx, error));
    let stack = property(ctx, error, "stack").unwrap_or_default();
    for line in own_lines(&stack) {
        out.push("\n");
        out.push(line);
    }
    if depth == 0 {
        return;
    }
    if let Ok(Some(errors)) = error.get::<_, Option<Vec<Value<'js>>>>("errors") {
        for inner in errors.iter().take(MAX_CAUSES) {
            out.push("\n  of them: ");
            push_value(ctx, state, inner, out, 0);
        }
    } else {
        drop(ctx.catch());
    }
    if let Ok(cause) = error.get::<_, Value<'js>>("cause") {
        if !cause.is_undefined() {
            out.push("\nCaused by: ");
            push_value(ctx, state, &cause, out, depth - 1);
        }
    } else {
        drop(ctx.catch());
    }
}

fn push_value<'js>(ctx: &Ctx<'js>, state: &State, value: &Value<'js>, out: &mut Ends, depth: usize) {
    match value.as_object().filter(|_| kinds::is_error(ctx, state, value)) {
        Some(error) => push_error(ctx, state, error, out, depth),
        None => out.push(&inspect::one(ctx, state, value)),
    }
}

/// `Name: message` of an error, whatever a program has made of its properties.
pub(crate) fn summary<'js>(ctx: &Ctx<'js>, error: &Object<'js>) -> String {
    let name = property(ctx, error, "name").filter(|name| !name.is_empty()).unwrap_or_else(|| "Error".to_owned());
    match property(ctx, error, "message").filter(|message| !message.is_empty()) {
        Some(message) => format!("{name}: {message}"),
        None => name,
    }
}

fn property<'js>(ctx: &Ctx<'js>, error: &Object<'js>, name: &str) -> Option<String> {
    match error.get::<_, Option<Coerced<String>>>(name) {
        Ok(text) => text.map(|text| text.0),
        Err(_) => {
            drop(ctx.catch());
            None
        }
    }
}

/// The lines of a trace without those of the glue between program and engine.
pub(crate) fn own_lines(stack: &str) -> impl Iterator<Item = &str> {
    stack.lines().filter(|line| line.trim_start().starts_with("at ") && !line.contains("caplet:"))
}

/// The tool's error for a run.
pub(crate) fn report(thrown: &Thrown, request: &Request, stdout: &str, stderr: &str, notes: &[String]) -> String {
    let mut text = match thrown {
        Thrown::Error(text) => with_line(text, &request.code),
        Thrown::Exit(code) => format!("the program ended itself with process.exit({code})."),
        Thrown::Timeout => {
            let millis = request.timeout.map_or(0, |timeout| timeout.as_millis());
            format!("the program was stopped after `timeout_ms` of {millis}: it had not ended.")
        }
        Thrown::Deadlock => {
            "the program waits for a promise that nothing can settle any more: no timer, request or call is \
                             under way."
                .to_owned()
        }
        Thrown::Input => "`input` is not JSON: give JSON text, or leave it out.".to_owned(),
    };
    if text.contains("out of memory") {
        text.push_str("\nThe engine's heap holds 112 MiB: work in smaller parts.");
    }
    for (name, output) in [("stdout", stdout), ("stderr", stderr)] {
        if !output.is_empty() {
            let mut ends = Ends::new(MAX_OUTPUT);
            ends.push(output);
            text.push_str(&format!("\n\n{name} until then:\n{}", ends.finish(name)));
        }
    }
    if !notes.is_empty() {
        text.push_str(&format!("\n\n{}", notes.join("\n")));
    }
    text
}

/// The text of a syntax error with the line that it is about.
fn with_line(text: &str, code: &str) -> String {
    let Some((place, column)) = text.starts_with("SyntaxError").then(|| place(text)).flatten() else {
        return text.to_owned();
    };
    let Some(line) = code.lines().nth(place.saturating_sub(1)) else { return text.to_owned() };
    let shown: String = line.chars().take(MAX_LINE).collect();
    let caret = if column > 0 && column <= shown.chars().count() + 1 {
        format!("\n{}^", " ".repeat(column - 1))
    } else {
        String::new()
    };
    format!("{text}\n\n{shown}{caret}")
}

/// Line and column of the first place in the program that a trace names.
fn place(text: &str) -> Option<(usize, usize)> {
    let rest = text.split_once(&format!("{FILE}:"))?.1;
    let mut numbers = rest.split(|char: char| !char.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// An error of a class and with properties, made without the program's own code having a say.
pub(crate) fn throw<'js>(ctx: &Ctx<'js>, message: &str, properties: &[(&str, &str)]) -> rquickjs::Error {
    let made = rquickjs::Exception::from_message(ctx.clone(), message);
    let error = match made {
        Ok(error) => error,
        Err(error) => return error,
    };
    for (name, value) in properties {
        if let Err(error) = error.as_object().set(*name, *value) {
            return error;
        }
    }
    error.throw()
}

/// An error value that is not thrown, for rejecting a promise.
pub(crate) fn value<'js>(ctx: &Ctx<'js>, message: &str, properties: &[(&str, &str)]) -> rquickjs::Result<Value<'js>> {
    let error = rquickjs::Exception::from_message(ctx.clone(), message)?;
    for (name, value) in properties {
        error.as_object().set(*name, *value)?;
    }
    Ok(error.into_object().into_value())
}
