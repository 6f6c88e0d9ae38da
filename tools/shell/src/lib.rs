//! `shell`: bash and the usual commands, in one instance and without a process.
//!
//! In: a script and what stands around it. Out: what it wrote, and its status. The grammar is parsed into a tree (`syntax`),
//! words are expanded (`expand`), commands run as futures in one thread over pipes in memory (`exec`, `stream`, `task`).
//! Nothing here decides what is permitted: every file and request goes to the host, and what it refuses is said in the words
//! of the command that asked.
#![deny(unsafe_code)]

mod arithmetic;
mod builtin;
mod calendar;
mod command;
mod escape;
mod exec;
mod expand;
mod fs;
#[cfg(target_family = "wasm")]
mod guest;
mod host;
mod number;
mod pattern;
mod regex;
mod session;
mod shell;
mod stop;
mod stream;
mod syntax;
mod task;
mod text;
mod variable;

pub use host::{CallFailure, Host, HttpFailure, HttpRequest, HttpResponse, Tool};
pub use session::{Answer, Request, Session};
