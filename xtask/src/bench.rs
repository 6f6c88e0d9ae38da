//! `cargo xtask bench`: Caplet beside the bare engine, and beside other programs that are installed, in one run.
//!
//! Writes `docs/performance.md` and the plot beside it. Interpreters in WebAssembly are measured where `cargo xtask programs
//! --components` has built them, other commands where `CAPLET_BENCH_PEERS` names
//! them, one a line, and MCP servers where `CAPLET_BENCH_MCP` does (tool, arguments, command). `-- PART` runs one part and writes nothing.

use std::path::PathBuf;

use anyhow::Result;

use crate::{dist, repository, run};

/// What `cargo xtask help` says.
pub(crate) const ABOUT: &str = "the benchmark; writes docs/performance.md ([-- PART] one part)";

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let program = dist::build()?;
    let mut cargo = run::cargo();
    cargo.current_dir(repository::root()).args([
        "bench",
        "--locked",
        "--package",
        "caplet-cli",
        "--bench",
        "performance",
    ]);
    cargo.env("CAPLET_BENCH_QUICKJS", native_quickjs()?);
    cargo.env("CAPLET_BENCH_PROGRAM", program).env("CAPLET_BENCH_COMPONENTS", repository::cache()?.join("programs"));
    if arguments.is_empty() {
        cargo.env("CAPLET_BENCH_REPORT", repository::root().join("docs"));
    } else {
        cargo.args(arguments);
    }
    run::run(&mut cargo)
}

/// Builds the engine of the tool `javascript` as a program of this machine, with the options that the tool has it with.
fn native_quickjs() -> Result<PathBuf> {
    let tools = repository::root().join("tools");
    let mut cargo = run::cargo();
    cargo.current_dir(&tools).args([
        "build",
        "--release",
        "--locked",
        "--package",
        "javascript",
        "--example",
        "engine",
    ]);
    let target = repository::cache()?.join("guests").join("native");
    run::run(cargo.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("release/examples/engine"))
}
