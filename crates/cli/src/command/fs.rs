//! `caplet fs`: a look inside of a store that is one file. Only `cp` writes anything, and only to where it copies.

mod copy;
mod inside;
mod into;

use std::io;
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use caplet::audit::text::{json_line, visible, visible_line};
use caplet::vfs::SqliteStore;
use caplet::vfs::sqlite::{Report, SqliteError};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::ui::Ui;
use inside::{Inside, Line};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet fs ls sqlite:./notes.db
  caplet fs ls -l sqlite:./notes.db /2026
  caplet fs cat sqlite:./notes.db /2026/january.md
  caplet fs cp sqlite:./notes.db /2026/january.md .
  caplet fs cp ./february.md sqlite:./notes.db /2026/
  caplet fs check sqlite:./notes.db"#;

/// The exit code of a check that found something.
const FOUND: u8 = 1;

/// Look inside a file system that is one database file
///
/// A tool that runs with --mount GUEST=sqlite:FILE keeps its files in FILE. PATH is a path in there, whatever GUEST was. Only `cp` into
/// it writes to FILE, and another process may use it meanwhile.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct FsArgs {
    #[command(subcommand)]
    command: FsCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum FsCommand {
    Ls(LsArgs),
    Cat(CatArgs),
    Cp(CpArgs),
    Check(CheckArgs),
}

/// List a directory
#[derive(Debug, Args)]
struct LsArgs {
    /// Also show kind, size and time
    #[arg(short)]
    long: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// The store: sqlite:FILE
    store: String,

    /// What to list
    #[arg(default_value = "/")]
    path: String,
}

/// Print a file
#[derive(Debug, Args)]
struct CatArgs {
    /// The store: sqlite:FILE
    store: String,

    /// The file in it
    path: String,
}

/// Copy a file out of it, or into it
///
/// The store and the path in it stand together: `sqlite:FILE PATH DEST` copies out of it, `SOURCE sqlite:FILE PATH` into it. There, FILE and
/// the directories of PATH are made where they are missing. A copy is there as a whole or not at all. Nothing is overwritten without
/// --force, and nothing is written through a link at its end: with --force, the link is replaced.
#[derive(Debug, Args)]
#[command(
    override_usage = "caplet fs cp [--force] sqlite:FILE PATH DEST\n       caplet fs cp [--force] SOURCE sqlite:FILE PATH"
)]
struct CpArgs {
    /// Replace a file that is there
    #[arg(long)]
    force: bool,

    /// The store, or a file of this machine
    from: String,

    /// The file in the store, or the store
    #[arg(value_name = "PATH|STORE")]
    middle: String,

    /// Where to: a file, or a directory that exists
    to: PathBuf,
}

/// Look for damage
///
/// Reads all of it. The exit code is 1 if something does not fit together.
#[derive(Debug, Args)]
struct CheckArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// The store: sqlite:FILE
    store: String,
}

pub(crate) fn run(ui: &mut Ui, args: &FsArgs) -> Result<u8, Stop> {
    match &args.command {
        FsCommand::Ls(args) => ls(ui, args),
        FsCommand::Cat(args) => cat(ui, args),
        FsCommand::Cp(args) => cp(args),
        FsCommand::Check(args) => check(ui, args),
    }
}

fn ls(ui: &mut Ui, args: &LsArgs) -> Result<u8, Stop> {
    #[derive(Serialize)]
    struct Listing {
        entries: Vec<Line>,
    }
    let listed = Inside::open(&args.store).and_then(|inside| inside.lines(&args.path, args.long || args.json));
    let entries = or_json(ui, args.json, listed)?;
    if args.json {
        ui.json(&json_line(&Listing { entries }).map_err(io::Error::from)?)?;
        return Ok(0);
    }
    let width = entries.iter().map(|line| line.size.to_string().len()).max().unwrap_or(0);
    for Line { name, kind, size, modified, target } in entries {
        let slash = if kind == "directory" { "/" } else { "" };
        let name = visible_line(&name);
        if args.long {
            let arrow = target.map(|target| format!(" -> {}", visible_line(&target))).unwrap_or_default();
            let modified = modified.unwrap_or_else(|| "-".to_owned());
            ui.line(format_args!("{kind:9}  {size:width$}  {modified:20}  {name}{slash}{arrow}"))?;
        } else {
            ui.line(format_args!("{name}{slash}"))?;
        }
    }
    Ok(0)
}

fn cat(ui: &mut Ui, args: &CatArgs) -> Result<u8, Stop> {
    let inside = Inside::open(&args.store)?;
    let file = inside.file(&args.path)?;
    inside.read(&file, &args.path, |bytes| match ui.is_terminal() {
        true => ui.bytes(visible(&String::from_utf8_lossy(bytes)).as_bytes()),
        false => ui.bytes(bytes),
    })?;
    Ok(0)
}

fn cp(args: &CpArgs) -> Result<u8, Stop> {
    let CpArgs { force, from, middle, to } = args;
    // A file of this machine that is called so is ./sqlite:….
    if !from.starts_with("sqlite:") && middle.starts_with("sqlite:") {
        into::cp(Path::new(from), middle, to, *force)?;
    } else {
        copy::cp(from, middle, to, *force)?;
    }
    Ok(0)
}

fn check(ui: &mut Ui, args: &CheckArgs) -> Result<u8, Stop> {
    #[derive(Serialize)]
    struct Checked<'a> {
        sound: bool,
        files: u64,
        directories: u64,
        links: u64,
        used: u64,
        nameless: u64,
        findings: &'a [String],
        more: u64,
    }
    let checked =
        file_of(&args.store).and_then(|file| SqliteStore::check(file).map_err(|error| unusable(&args.store, &error)));
    let report = or_json(ui, args.json, checked)?;
    let Report { files, directories, links, used, nameless, more, .. } = report;
    if args.json {
        let sound = report.is_sound();
        let findings = &report.findings;
        let checked = Checked { sound, files, directories, links, used, nameless, findings, more };
        ui.json(&json_line(&checked).map_err(io::Error::from)?)?;
    } else {
        for finding in &report.findings {
            ui.line(visible_line(finding))?;
        }
        if more > 0 {
            ui.line(format_args!("and {more} more"))?;
        }
        if nameless > 0 {
            let why = "a process has them open, or was killed while it had";
            ui.note(&format!("{nameless} objects have no name: {why}; they go in a day"))?;
        }
        let all = format!("{files} files, {directories} directories, {links} links, {used} bytes");
        let verdict = if report.is_sound() { "sound" } else { "damaged" };
        ui.line(format_args!("{verdict}: {all}"))?;
    }
    Ok(if report.is_sound() { 0 } else { FOUND })
}

/// The file in `sqlite:FILE`.
fn file_of(store: &str) -> Result<&Path, Failure> {
    match store.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Ok(Path::new(file)),
        _ => Err(Failure::new(ErrorKind::InvalidArgs, format!("{store:?} is not a store that is one file"))
            .with_hint("write sqlite:FILE, such as sqlite:./notes.db")),
    }
}

fn unusable(store: &str, error: &SqliteError) -> Failure {
    let kind = if error.is_usage() { ErrorKind::InvalidConfig } else { ErrorKind::Host };
    let failure = Failure::new(kind, error.to_string());
    match error {
        SqliteError::Damaged { .. } => failure.with_hint("take it from a backup"),
        SqliteError::Busy(_) => failure.with_hint(format!("see which processes have {store} open")),
        _ => failure,
    }
}
