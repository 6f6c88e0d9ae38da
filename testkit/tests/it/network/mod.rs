//! The lab's own tests: that it is as hostile as it says, that it counts everything, and that it always ends.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod canary;
mod dns;
mod h2;
mod http;
mod isolated;
mod tls;
