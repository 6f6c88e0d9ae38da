//! How a call ended, and the record that it leaves.
//!
//! In: the end of a call and its decisions. Out: an [`Outcome`] that people and programs read, and a [`Record`] that a [`Sink`]
//! keeps. The shape of both as JSON is public and does not change without a new version number.
//!
//! What always holds: a record is one line of printable text however hostile the guest was, no field of it grows without bound,
//! and a sink that cannot keep a record says so instead of dropping it. This crate reads no environment and prints nothing.

pub mod json;
pub mod log;
mod outcome;
mod record;
pub mod recording;
mod sink;
pub mod text;
mod trace;

pub use outcome::{ErrorInfo, ErrorKind, Outcome, OutcomeKind, Usage};
pub use record::{CeilingSource, Record, RecordId, Who};
pub use sink::{BestEffort, MemorySink, Sink, SinkError};
pub use trace::{NoTraceParent, TraceParent};
