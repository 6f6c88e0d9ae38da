//! Development tasks: `cargo xtask TASK`. One task, one module, one line in [`TASKS`].
//!
//! A task works on the repository it was compiled from, keeps what it makes for later in the user's cache folder, and says in one
//! sentence what is wrong when it fails.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program for developers")]

mod bench;
mod ci;
mod clients;
mod dist;
mod guests;
mod packages;
mod programs;
mod repository;
mod run;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// Name, what it does, and the function that does it.
type Task = (&'static str, &'static str, fn(&[String]) -> Result<()>);

const TASKS: &[Task] = &[
    ("bench", bench::ABOUT, bench::run),
    ("ci", ci::ABOUT, ci::run),
    ("clients", clients::ABOUT, clients::run),
    ("dist", dist::ABOUT, dist::run),
    ("guests", guests::ABOUT, guests::run),
    ("programs", programs::ABOUT, programs::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let (name, rest) = match arguments.split_first() {
        None => ("help", &[][..]),
        Some((name, rest)) => (name.as_str(), rest),
    };
    if matches!(name, "help" | "--help" | "-h") {
        println!("Usage: cargo xtask TASK\n");
        for (name, about, _) in TASKS {
            println!("  {name:8} {about}");
        }
        return Ok(());
    }
    match TASKS.iter().find(|(task, _, _)| *task == name) {
        Some((_, _, task)) => task(rest),
        None => bail!("there is no task `{name}`; `cargo xtask help` lists them"),
    }
}
