//! The stores as a host meets them: one suite for all, run against real servers, and attacks on each.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test whose world cannot be set up has failed")]

mod conformance;
mod limits;
mod listing;
mod names;
mod numbers;
mod outage;
mod processes;
mod servers;
mod speed;
mod sqlite_file;
mod swap;
mod tls;
mod urls;
mod world;
