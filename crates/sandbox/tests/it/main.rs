//! Calls of real WebAssembly through the public surface of the sandbox: how each ends, and what it may do meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "a test whose world cannot be set up has failed"
)]

mod asking;
mod attacks;
mod cache;
mod concurrency;
mod deterministic;
mod ends;
mod faulty;
mod files;
mod harness;
mod hostile;
mod keyvalue;
mod limits;
mod network;
mod notes;
mod parallel;
mod typed;
mod world;
