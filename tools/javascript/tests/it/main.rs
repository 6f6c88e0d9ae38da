//! What a program gets, natively: one engine, files of the machine, and a made-up outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod files;
mod globals;
mod hostile;
mod language;
mod network;
mod suite;
mod support;
mod tools;
