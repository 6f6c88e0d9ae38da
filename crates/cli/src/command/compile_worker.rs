//! The compiler as a process of its own, for `caplet` itself: not a verb that people use.

use std::io;

use caplet::sandbox::compile_worker;
use clap::Args;

use crate::failure::Stop;

/// What the verb is called.
pub(crate) const COMPILE_WORKER: &str = "compile-worker";

/// Compile a component from standard input to standard output, for caplet itself
#[derive(Debug, Args)]
pub(crate) struct CompileWorkerArgs {}

pub(crate) fn run(CompileWorkerArgs {}: &CompileWorkerArgs) -> Result<u8, Stop> {
    compile_worker(io::stdin().lock(), io::stdout().lock())?;
    Ok(0)
}
