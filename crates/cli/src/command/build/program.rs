//! Running the programs of tool chains.

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use caplet::audit::ErrorKind;

use crate::failure::Failure;

/// A tool chain that is not there, and how to get it.
pub(super) fn missing(what: &str, install: &str) -> Failure {
    Failure::new(ErrorKind::InvalidConfig, format!("{what} is not installed")).with_hint(install)
}

/// Runs a compiler to its end. All that it prints is for the person: standard output is kept for what is built.
pub(super) fn run(command: &mut Command, missing: impl FnOnce() -> Failure) -> Result<(), Failure> {
    let status = command.stdin(Stdio::null()).stdout(io::stderr()).status();
    ended(command, status.map_err(|error| not_started(command, &error, missing))?)
}

/// Why a program did not start.
pub(super) fn not_started(command: &Command, error: &io::Error, missing: impl FnOnce() -> Failure) -> Failure {
    if error.kind() == io::ErrorKind::NotFound {
        return missing();
    }
    let program = command.get_program().display();
    Failure::new(ErrorKind::InvalidConfig, format!("{program} cannot be started: {error}"))
}

/// What a compiler that ended badly has to say, it has said.
pub(super) fn ended(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    let program = command.get_program().display();
    let message = format!("the tool was not built: {program} ended with {status}");
    Err(Failure::new(ErrorKind::InvalidComponent, message).with_hint("what it says stands above"))
}

/// The program called `name`, if the search path has it.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
