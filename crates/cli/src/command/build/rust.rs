//! Rust, by Cargo: a library or a program for `wasm32-wasip2`.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use caplet::audit::ErrorKind;
use serde::Deserialize;

use super::program::{ended, missing, not_started};
use super::project::Project;
use crate::failure::Failure;

const TARGET: &str = "wasm32-wasip2";

/// What Cargo tells of each thing that it made.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Builds the folder's package; gives the one WebAssembly file that comes of it.
pub(super) fn build(project: &Project) -> Result<PathBuf, Failure> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    command.current_dir(&project.folder).stdin(Stdio::null()).stdout(Stdio::piped());
    let failed = |error: std::io::Error| {
        not_started(&Command::new("cargo"), &error, || {
            missing("cargo", &format!("install Rust from https://rustup.rs, and then: rustup target add {TARGET}"))
        })
    };
    let mut child = command.spawn().map_err(failed)?;
    let made = made(&mut child, &project.folder);
    let status = child.wait().map_err(failed)?;
    if !status.success() && !has_target(&project.folder) {
        return Err(missing(&format!("the target {TARGET}"), &format!("install it: rustup target add {TARGET}")));
    }
    ended(&command, status)?;
    match made.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::new(ErrorKind::InvalidConfig, "cargo made no component of this package")
            .with_hint("a tool is a library with crate-type = [\"cdylib\"], or a program")),
        several => {
            let names: Vec<String> = several.iter().map(|path| path.display().to_string()).collect();
            let message = format!("cargo made several components, and a tool is one: {}", names.join(", "));
            Err(Failure::new(ErrorKind::InvalidConfig, message)
                .with_hint("give each a package of its own, or pack the one that is meant with `caplet pack`"))
        }
    }
}

/// The WebAssembly files that Cargo makes of the package in `folder`, and not of what it depends on.
fn made(child: &mut Child, folder: &Path) -> Vec<PathBuf> {
    let manifest = folder.join("Cargo.toml");
    let manifest = manifest.canonicalize().unwrap_or(manifest);
    let lines = child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok);
    let messages = lines.filter_map(|line| serde_json::from_str::<Message>(&line).ok());
    let ours = messages.filter(|message| {
        message.reason == "compiler-artifact" && message.manifest_path.as_deref() == Some(&*manifest)
    });
    let files = ours.flat_map(|message| message.filenames);
    files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm")).collect()
}

/// Whether the compiler that Cargo uses here has a standard library for the target.
fn has_target(folder: &Path) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let mut command = Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", TARGET]).current_dir(folder).stdin(Stdio::null());
    let Ok(output) = command.output() else { return false };
    let folder = String::from_utf8_lossy(&output.stdout);
    output.status.success() && Path::new(folder.trim()).is_dir()
}
