//! `cargo xtask dist`: the program as people should have it.
//!
//! Linked statically, so that it starts in two thirds of the time and runs on any Linux of the same processor; still at a random
//! address. All crates are optimised as one, which `cargo build --release` leaves out for the time it takes.

use std::path::PathBuf;

use anyhow::Result;

use crate::{repository, run};

/// What `cargo xtask help` says.
pub(crate) const ABOUT: &str = "the statically linked program, in target/dist";

/// Runs the task.
pub(crate) fn run(_arguments: &[String]) -> Result<()> {
    println!("{}", build()?.display());
    Ok(())
}

/// Builds the program; gives its path.
pub(crate) fn build() -> Result<PathBuf> {
    let mut cargo = run::cargo();
    cargo.current_dir(repository::root()).args(["rustc", "--profile", "dist", "--locked", "--package", "caplet-cli"]);
    cargo.args(["--bin", "caplet", "--", "-C", "target-feature=+crt-static", "-C", "strip=debuginfo"]);
    run::run(&mut cargo)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository::root().join("target"), PathBuf::from);
    Ok(target.join("dist/caplet"))
}
