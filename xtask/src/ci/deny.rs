//! Licences, bans, sources and advisories of all dependencies, by `cargo deny` and the rules of `deny.toml`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{repository, run};

/// The release that is installed where there is none.
const VERSION: &str = "0.20.2";

/// Checks both workspaces. Advisories are checked where their database can be had: a machine without network still checks the rest.
pub(super) fn check() -> Result<()> {
    let program = program()?;
    let config = repository::root().join("deny.toml");
    for manifest in super::manifests() {
        let deny = |words: &[&str]| {
            let mut command = Command::new(&program);
            command.arg("--locked").arg("--manifest-path").arg(&manifest).arg("--config").arg(&config).args(words);
            command
        };
        run::run(&mut deny(&["check", "bans", "licenses", "sources"]))?;
        if run::output(&mut deny(&["fetch", "db"])).is_ok() {
            run::run(&mut deny(&["check", "advisories"]))?;
        } else {
            println!("advisories are not checked: their database cannot be reached");
        }
    }
    Ok(())
}

/// The `cargo-deny` on the path, or one in the cache folder, installed if need be.
fn program() -> Result<PathBuf> {
    if run::output(Command::new("cargo-deny").arg("--version")).is_ok() {
        return Ok(PathBuf::from("cargo-deny"));
    }
    let root = repository::cache()?.join("cargo-tools");
    let program = root.join("bin").join("cargo-deny");
    if run::output(Command::new(&program).arg("--version")).is_err() {
        eprintln!("installing cargo-deny {VERSION} into {} (some minutes, once) …", root.display());
        let mut command = run::cargo();
        // Unoptimised: it runs for a second, and compiles in a third of the time.
        command
            .args(["install", "--locked", "--debug", "--quiet", "--version", VERSION, "--root"])
            .arg(&root)
            .arg("cargo-deny");
        command.current_dir(root.parent().unwrap_or(&root)).env_remove("CARGO_TARGET_DIR");
        run::run(&mut command).context("cannot install cargo-deny")?;
    }
    Ok(program)
}
