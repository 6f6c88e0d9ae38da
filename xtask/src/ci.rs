//! `cargo xtask ci`: the whole check, the same on a developer's machine and in CI.
//!
//! Every step runs, also after one has failed, so that one run shows all there is to mend; at the end the table says which failed
//! and how long each took. `--without-tests` leaves out the host's tests, for who has run them already; a name runs that step only.

mod deny;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::{guests, repository, run};

/// What `cargo xtask help` says.
pub(crate) const ABOUT: &str = "the whole check ([STEP…] only these; --without-tests)";

/// A step's name and what it does.
type Step = (&'static str, fn() -> Result<()>);

/// The quick ones first: what fails soon is known soon.
const STEPS: &[Step] = &[
    ("format", format),
    ("guests", || guests::run(&["--check".to_owned()])),
    ("test", test),
    ("doctest", doctest),
    ("tools", tools),
    ("clippy", clippy),
    ("doc", doc),
    ("deny", deny::check),
    ("rebuild", || guests::run(&["--rebuild-check".to_owned()])),
];

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let without_tests = arguments.iter().any(|argument| argument == "--without-tests");
    let wanted: Vec<&String> = arguments.iter().filter(|argument| *argument != "--without-tests").collect();
    if let Some(unknown) = wanted.iter().find(|wanted| STEPS.iter().all(|(name, _)| name != **wanted)) {
        let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        bail!("there is no step `{unknown}`; the steps are {}", names.join(", "));
    }
    let mut failed = Vec::new();
    let mut table = String::new();
    for (name, step) in STEPS {
        let chosen = wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
        if !chosen || (without_tests && matches!(*name, "test" | "doctest")) {
            continue;
        }
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = step();
        if let Err(error) = &result {
            eprintln!("error: {error:#}");
            failed.push(*name);
        }
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        table.push_str(&format!("{name:8} {verdict:6} {:6.1} s\n", start.elapsed().as_secs_f64()));
    }
    println!("\n{table}");
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

/// The two workspaces: the host's and the guests'.
fn manifests() -> [PathBuf; 2] {
    let root = repository::root();
    [root.join("Cargo.toml"), root.join("tools").join("Cargo.toml")]
}

fn each(verb: &str, arguments: &[&str]) -> Result<()> {
    for manifest in manifests() {
        run::run(run::cargo().arg(verb).arg("--manifest-path").arg(manifest).args(arguments))?;
    }
    Ok(())
}

fn format() -> Result<()> {
    each("fmt", &["--all", "--check"])
}

fn test() -> Result<()> {
    let nextest = Command::new("cargo-nextest")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let words: &[&str] =
        if nextest.is_ok_and(|status| status.success()) { &["nextest", "run"] } else { &["test", "--all-targets"] };
    run::run(run::cargo().args(words).args(["--workspace", "--locked"]).current_dir(repository::root()))
}

fn doctest() -> Result<()> {
    run::run(run::cargo().args(["test", "--doc", "--workspace", "--locked", "--quiet"]).current_dir(repository::root()))
}

/// The guests' logic, as programs of this machine.
fn tools() -> Result<()> {
    let manifest = repository::root().join("tools").join("Cargo.toml");
    run::run(run::cargo().args(["test", "--workspace", "--locked", "--quiet", "--manifest-path"]).arg(manifest))
}

fn clippy() -> Result<()> {
    each("clippy", &["--workspace", "--all-targets", "--locked", "--quiet", "--", "--deny", "warnings"])
}

fn doc() -> Result<()> {
    for manifest in manifests() {
        let mut command = run::cargo();
        command.args(["doc", "--workspace", "--no-deps", "--locked", "--quiet", "--manifest-path"]).arg(manifest);
        run::run(command.env("RUSTDOCFLAGS", "--deny warnings"))?;
    }
    Ok(())
}
