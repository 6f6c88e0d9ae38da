//! The binary as people run it: what it prints, and the code that it ends with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose world cannot be set up has failed"
)]

mod asking;
mod audit;
mod bin;
mod build;
mod cache;
mod call;
mod callees;
mod clients;
mod deterministic;
mod doctor;
mod every_store;
mod fetch;
mod filling;
mod fs;
mod guests;
mod help;
mod hostile;
mod http;
mod layers;
mod learn;
mod lock;
mod memory;
mod new;
mod programs;
mod recordings;
mod reference;
mod rules;
mod serve;
mod setup;
mod stores;
mod toolbox;
mod toolchains;
mod traces;
mod verbs;
mod warm;
