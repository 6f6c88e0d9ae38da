//! Behaviour of `caplet-component` through its public surface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod checks;
mod facts;
mod hostile;
mod manifests;
mod pack;
mod preview1;
mod refused;
mod tools;
