//! Python, by componentize-py: the interpreter with the tool's modules in it.

use std::path::PathBuf;
use std::process::Command;

use caplet::audit::ErrorKind;

use super::has;
use super::program::{missing, run};
use super::project::{Project, Raw};
use crate::failure::Failure;

/// The release that the templates ask for and that is tested with.
const PACKAGE: &str = "componentize-py==0.25.1";

/// Builds `app.py`, for the world of `wit`.
pub(super) fn build(project: &Project, raw: &Raw) -> Result<PathBuf, Failure> {
    if !has(&project.folder, "app.py") {
        let message = format!("{} has no app.py, which is what a tool in Python starts from", project.folder.display());
        return Err(Failure::new(ErrorKind::InvalidConfig, message));
    }
    // The folder's own environment, which need not be activated.
    let own = project.folder.join(".venv/bin/componentize-py");
    let mut command = if own.is_file() { Command::new(own) } else { Command::new("componentize-py") };
    command.args(["-d", "wit", "componentize", "app", "-o"]).arg(raw.path()).current_dir(&project.folder);
    run(&mut command, || {
        let install = format!("install it for this tool: python3 -m venv .venv && .venv/bin/pip install {PACKAGE}");
        missing("componentize-py", &install)
    })?;
    Ok(raw.path().to_owned())
}
