//! JavaScript, by componentize-js: an engine with the tool's modules in it.

use std::path::PathBuf;
use std::process::Command;

use caplet::audit::ErrorKind;
use caplet::authority::Class;
use serde::Deserialize;

use super::program::{missing, run};
use super::project::{Project, Raw};
use crate::failure::Failure;

/// What compiles it.
const PACKAGE: &str = "@bytecodealliance/componentize-js";

/// The release that the templates ask for and that is tested with.
const VERSION: &str = "0.23.0";

/// Calls the package: its command line does not work in this release.
const SCRIPT: &str = include_str!("componentize.mjs");

/// What is read of `package.json`.
#[derive(Deserialize)]
struct Package {
    main: Option<String>,
}

/// Builds the main module, for the world of `wit`.
pub(super) fn build(project: &Project, raw: &Raw) -> Result<PathBuf, Failure> {
    let main = main_module(project)?;
    // Found as Node.js finds it: in this folder or in one above it.
    let is_there = project.folder.ancestors().any(|folder| folder.join("node_modules").join(PACKAGE).is_dir());
    if !is_there {
        return Err(missing(
            PACKAGE,
            &format!("install it in the tool's folder: npm install --save-dev {PACKAGE}@{VERSION}"),
        ));
    }
    let mut command = Command::new("node");
    command.args(["--input-type=module", "--eval", SCRIPT, "--", &main, "wit", &left_out(project)]).arg(raw.path());
    run(command.current_dir(&project.folder), || {
        missing("node", "install Node.js 20 or later from https://nodejs.org, or with: apt-get install nodejs npm")
    })?;
    Ok(raw.path().to_owned())
}

fn main_module(project: &Project) -> Result<String, Failure> {
    let path = project.folder.join("package.json");
    let wrong = |reason: String| Failure::new(ErrorKind::InvalidConfig, format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let package: Package = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    package.main.ok_or_else(|| {
        wrong("it has no \"main\"".to_owned())
            .with_hint("name the module that exports what the WIT declares: \"main\": \"src/tool.js\"")
    })
}

/// What the engine would import or export by itself, and the tool does not need: `fetch` where nothing is declared for it, and the
/// part of a server.
fn left_out(project: &Project) -> String {
    let has_http = project.manifest.section(Class::Http).is_some();
    if has_http { "fetch-event" } else { "fetch-event,http" }.to_owned()
}
