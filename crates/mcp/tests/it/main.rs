//! The server as its clients meet it: bytes in, bytes out, real guests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose world cannot be set up has failed"
)]

mod answers;
mod asking;
mod calls;
mod flow;
mod guests;
mod lifecycle;
mod malformed;
mod tools;
mod world;
