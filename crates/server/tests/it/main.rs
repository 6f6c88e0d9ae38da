//! The server as clients and attackers meet it: real sockets on loopback, requests as bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose world cannot be set up has failed"
)]

mod bodies;
mod handler;
mod hosts;
mod life;
mod metrics;
mod oauth;
mod sessions;
mod tls;
mod tokens;
mod wire;
mod world;
