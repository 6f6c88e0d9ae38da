//! The vault by what it does: on real files, with several threads and processes.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod home;
mod kept;
#[cfg(all(feature = "keyring", target_os = "linux"))]
mod keyring;
mod mask;
mod together;
mod trouble;
