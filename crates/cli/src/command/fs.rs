//! `caplet fs`: a look inside of a store that is one file. Only `cp` writes anything, and only to DEST.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use caplet::audit::ErrorKind;
use caplet::audit::text::{json_line, visible, visible_line};
use caplet::authority::{GuestPath, Journal, Layer, LayerKind, Policy, Rule};
use caplet::vfs::sqlite::{Report, SqliteError};
use caplet::vfs::{
    Descriptor, DescriptorFlags, EntryKind, FileStat, FsError, MAX_READ_BYTES, Mount, Namespace, NamespaceConfig,
    OpenFlags, SqliteStore,
};
use clap::{Args, Subcommand};
use rustix::fs::OFlags;
use serde::Serialize;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet fs ls sqlite:./notes.db
  caplet fs ls -l sqlite:./notes.db /2026
  caplet fs cat sqlite:./notes.db /2026/january.md
  caplet fs cp sqlite:./notes.db /2026/january.md .
  caplet fs check sqlite:./notes.db"#;

/// The exit code of a check that found something.
const FOUND: u8 = 1;

/// Look inside a file system that is one database file
///
/// A tool that runs with --mount GUEST=sqlite:FILE keeps its files in FILE. PATH is a path in there, whatever GUEST was. FILE itself
/// is never written to, and another process may use it meanwhile.
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

/// Copy a file out of it
///
/// Nothing is overwritten without --force, and nothing is written through a link at DEST: with --force, the link is replaced.
#[derive(Debug, Args)]
struct CpArgs {
    /// Replace a file that is at DEST
    #[arg(long)]
    force: bool,

    /// The store: sqlite:FILE
    store: String,

    /// The file in it
    path: String,

    /// Where to: a file, or a directory that exists
    dest: PathBuf,
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

/// One line of a listing.
#[derive(Serialize)]
struct Line {
    name: String,
    kind: &'static str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
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
    let inside = Inside::open(&args.store)?;
    let file = inside.file(&args.path)?;
    let name = args.path.rsplit('/').find(|name| !name.is_empty()).unwrap_or_default();
    let is_directory = fs::symlink_metadata(&args.dest).is_ok_and(|found| found.is_dir());
    let dest = if is_directory { args.dest.join(name) } else { args.dest.clone() };
    let copy = |to: &Path| -> Result<(), Stop> {
        let mut out = create(to).map_err(|error| unwritten(&dest, &error))?;
        let copied = inside.read(&file, &args.path, |bytes| out.write_all(bytes));
        copied.map_err(|stop| {
            // It was made here, and holds only a part.
            let _ = fs::remove_file(to);
            match stop {
                Stop::Io(error) => unwritten(&dest, &error).into(),
                stop => stop,
            }
        })
    };
    if args.force {
        may_replace(&dest)?;
        let beside = beside(&dest);
        copy(&beside)?;
        if let Err(error) = fs::rename(&beside, &dest) {
            let _ = fs::remove_file(&beside);
            return Err(unwritten(&dest, &error).into());
        }
    } else {
        copy(&dest)?;
    }
    Ok(0)
}

/// A new file, at a name that is vacant: not even a link that leads nowhere may have it.
fn create(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits()).unwrap_or_default();
    OpenOptions::new().write(true).create_new(true).custom_flags(flags).open(path)
}

/// Only a file or a link is replaced.
fn may_replace(dest: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(dest) {
        Ok(found) if !found.is_file() && !found.is_symlink() => {
            let why = format!("{} is not a file; it was left as it is", dest.display());
            Err(Failure::new(ErrorKind::InvalidArgs, why))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A name in the same directory that nobody else uses.
fn beside(dest: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(dest.file_name().unwrap_or_default());
    name.push(format!(".caplet-{}", std::process::id()));
    dest.with_file_name(name)
}

fn unwritten(dest: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write {}: {error}", dest.display());
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(ErrorKind::InvalidArgs, message)
            .with_hint("name another file, or replace this one with --force"),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            Failure::new(ErrorKind::InvalidArgs, message)
        }
        _ => Failure::new(ErrorKind::Host, message),
    }
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

/// What is in a store, to look at.
struct Inside {
    store: String,
    namespace: Namespace,
    top: Descriptor,
}

const READ: DescriptorFlags = DescriptorFlags { read: true, write: false, mutate_directory: false };

impl Inside {
    fn open(store: &str) -> Result<Self, Failure> {
        let opened = SqliteStore::open_existing(file_of(store)?).map_err(|error| unusable(store, &error))?;
        // The same way in as a guest's, with the right to read everything.
        let broken = |error: String| Failure::new(ErrorKind::Host, error);
        let all = Rule::parse_grant("read:/**", &GuestPath::root()).map_err(|error| broken(error.to_string()))?;
        let mut layer = Layer::new(LayerKind::Operator);
        layer.add_allow(all);
        let namespace = Namespace::new(NamespaceConfig {
            mounts: vec![Mount::new(GuestPath::root(), Arc::new(opened))],
            guard: Policy::new(layer).guard(&Arc::new(Journal::new())),
            cwd: None,
            preopen_cwd: false,
            write_quota: 0,
            time_resolution: Some(Duration::from_nanos(1)),
        });
        let top = namespace.preopens().pop().ok_or_else(|| broken("the store has no top".to_owned()))?.0;
        Ok(Self { store: store.to_owned(), namespace, top })
    }

    fn lines(&self, path: &str, full: bool) -> Result<Vec<Line>, Failure> {
        let failed = |error: FsError| self.failed(path, &error);
        let relative = relative(path);
        // What a link at the end leads to is asked for with a slash, as elsewhere.
        let stat = self.namespace.stat_at(&self.top, &relative, false).map_err(failed)?;
        if stat.kind != EntryKind::Directory {
            return Ok(vec![self.line(&self.top, &relative, Some(stat)).map_err(failed)?]);
        }
        let open = OpenFlags { directory: true, ..OpenFlags::default() };
        let directory = self.namespace.open_at(&self.top, &relative, true, open, READ).map_err(failed)?;
        let entries = self.namespace.list(&directory).map_err(failed)?;
        let line = |entry: Result<caplet::vfs::Entry, FsError>| {
            let entry = entry?;
            if full {
                return self.line(&directory, &entry.name, None);
            }
            Ok(Line { name: entry.name, kind: word(entry.kind), size: 0, modified: None, target: None })
        };
        entries.map(line).collect::<Result<_, _>>().map_err(failed)
    }

    fn line(&self, base: &Descriptor, name: &str, stat: Option<FileStat>) -> Result<Line, FsError> {
        let stat = stat.map_or_else(|| self.namespace.stat_at(base, name, false), Ok)?;
        // A link that leads out is shown without its target.
        let target = || self.namespace.read_link_at(base, name).ok();
        let since = |time: caplet::vfs::Timestamp| Duration::new(time.seconds, time.nanoseconds);
        let modified = stat.modified.and_then(|time| UNIX_EPOCH.checked_add(since(time)));
        Ok(Line {
            name: name.to_owned(),
            kind: word(stat.kind),
            size: stat.size,
            modified: modified.and_then(shown_time),
            target: if stat.kind == EntryKind::Link { target() } else { None },
        })
    }

    /// The file, opened to read.
    fn file(&self, path: &str) -> Result<Descriptor, Failure> {
        let opened = self.namespace.open_at(&self.top, &relative(path), true, OpenFlags::default(), READ);
        let file = opened.map_err(|error| self.failed(path, &error))?;
        match file.kind() {
            EntryKind::File => Ok(file),
            EntryKind::Directory | EntryKind::Link => Err(self.failed(path, &FsError::IsDirectory)),
        }
    }

    fn read(&self, file: &Descriptor, path: &str, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), Stop> {
        let mut offset = 0;
        loop {
            let read = self.namespace.read_at(file, offset, MAX_READ_BYTES);
            let bytes = read.map_err(|error| self.failed(path, &error))?;
            if bytes.is_empty() {
                return Ok(());
            }
            take(&bytes)?;
            offset = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
    }

    fn failed(&self, path: &str, error: &FsError) -> Failure {
        let store = &self.store;
        match error {
            FsError::NotPermitted(_) => {
                let why = format!("{path} in {store}: it leads out of the file system");
                Failure::new(ErrorKind::InvalidArgs, why)
            }
            FsError::Io => {
                let why = format!("{path} in {store} cannot be read: {error}");
                Failure::new(ErrorKind::Host, why).with_hint(format!("look for damage with `caplet fs check {store}`"))
            }
            FsError::Busy | FsError::NoMemory | FsError::NoSpace | FsError::Access => {
                Failure::new(ErrorKind::Host, format!("{path} in {store}: {error}"))
            }
            error => Failure::new(ErrorKind::InvalidArgs, format!("{path} in {store}: {error}")),
        }
    }
}

/// A time that a calendar has; files can have others.
fn shown_time(time: std::time::SystemTime) -> Option<String> {
    // The year 9999 is the last one that can be written so.
    let last = UNIX_EPOCH.checked_add(Duration::from_secs(253_402_300_799))?;
    (time <= last).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

/// A path from the top, as a namespace takes it.
fn relative(path: &str) -> String {
    let trimmed = path.trim_start_matches('/');
    if trimmed.is_empty() { ".".to_owned() } else { trimmed.to_owned() }
}

fn word(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "directory",
        EntryKind::Link => "link",
    }
}
