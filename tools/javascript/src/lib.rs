//! The built-in tool `javascript`: a program in, the value it comes to out, with what it printed.
//!
//! QuickJS-ng runs the program. The world outside is behind [`Host`] (network, other tools, time, randomness) and the standard
//! library's file system; nothing here decides what is permitted. Programs are hostile until shown otherwise: whatever one does to
//! the globals and prototypes, it changes only its own run, and memory, depth and time end in an error of the language.

mod bytes;
mod failure;
mod globals;
#[cfg(target_family = "wasm")]
mod guest;
mod host;
mod inspect;
mod json;
mod kinds;
mod modules;
mod native;
mod output;
mod redirect;
mod session;
mod source;
mod state;
mod turns;
mod types;

pub use host::{Callable, Ended, Host, HttpFailure, HttpRequest, HttpResponse, ToolFailure};
pub use session::Session;
pub use types::declarations;

use std::time::Duration;

/// A program to run.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its text.
    pub code: String,
    /// What the global `input` is: JSON text.
    pub input: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// JSON text of the program's value.
    pub value: String,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// What was left out or changed, and why.
    pub notes: Vec<String>,
}
