//! `caplet trust`: which projects' toolboxes are the user's own word.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use caplet::audit::text::{json_line, visible_line};
use caplet::{ProjectFile, Toolbox, Trusted};
use clap::Args;
use serde::Serialize;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::toolbox::{self, FILE};
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet trust
  caplet trust ~/project/caplet.toml
  caplet trust --list
  caplet trust --revoke"#;

/// Trust a project's caplet.toml, as it is now
///
/// A caplet.toml in the current directory comes with the project, and by itself it can only take away from what you grant. Once you trust
/// it, it counts as your own: its tools and what it grants them are yours. The trust is in these very bytes at this place. When the file
/// changes, or is elsewhere, it is not trusted until you say so again.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TrustArgs {
    /// The file, which is called caplet.toml [default: ./caplet.toml]
    file: Option<PathBuf>,

    /// List what you trust
    #[arg(long, conflicts_with_all = ["file", "revoke"])]
    list: bool,

    /// Trust the file no more, whatever it is now
    #[arg(long)]
    revoke: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ui: &mut Ui, args: &TrustArgs) -> Result<u8, Stop> {
    match args {
        TrustArgs { list: true, .. } => list(ui, args.json)?,
        TrustArgs { revoke: true, .. } => revoke(ui, args)?,
        _ => trust(ui, args)?,
    }
    Ok(0)
}

/// What `trust --json` prints.
#[derive(Serialize)]
struct Added<'a> {
    trusted: &'a Path,
    digest: String,
    /// What the file says for every tool.
    defaults: Vec<String>,
    tools: Vec<ToolFact<'a>>,
    profiles: Vec<ProfileFact<'a>>,
}

#[derive(Serialize)]
struct ProfileFact<'a> {
    name: &'a str,
    gives: Vec<String>,
}

#[derive(Serialize)]
struct ToolFact<'a> {
    name: &'a str,
    source: String,
    gives: Vec<String>,
}

fn trust(ui: &mut Ui, args: &TrustArgs) -> Result<(), Stop> {
    let added = or_json(ui, args.json, add(args))?;
    let (file, toolbox) = &added;
    let fact = |tool: caplet::Configured<'_>| (tool.name().to_owned(), tool.source().name(), tool.gives());
    let tools: Vec<_> = toolbox.tools().map(fact).collect();
    let defaults = toolbox.says_of_all();
    let profile = |name| ProfileFact { name, gives: toolbox.says_of_profile(name) };
    let profiles: Vec<_> = toolbox.profiles().into_iter().map(profile).collect();
    if args.json {
        let tools =
            tools.iter().map(|(name, source, gives)| ToolFact { name, source: source.clone(), gives: gives.clone() });
        let (trusted, digest, tools) = (file.real_path(), file.digest().to_string(), tools.collect());
        let added = Added { trusted, digest, defaults, tools, profiles };
        return Ok(ui.json(&json_line(&added).map_err(io::Error::from)?)?);
    }
    let (good, name, quiet) = (style::GOOD, style::NOTE, style::QUIET);
    let path = file.real_path().display().to_string();
    ui.line(format_args!("{good}trusted:{good:#} {}  {quiet}{}{quiet:#}", visible_line(&path), file.digest()))?;
    let mut show = |what: &str, beside: &str, lines: &[String]| {
        ui.line(format_args!("  {name}{what}{name:#}  {quiet}{}{quiet:#}", visible_line(beside)))?;
        lines.iter().try_for_each(|line| ui.line(format_args!("    {}", visible_line(line))))
    };
    if !defaults.is_empty() {
        show("[defaults]", "for every tool, also for those that are not in this file", &defaults)?;
    }
    for (tool, source, gives) in &tools {
        show(tool, source, gives)?;
    }
    for ProfileFact { name, gives } in &profiles {
        show(&format!("[profiles.{name}]"), "when it is chosen", gives)?;
    }
    Ok(())
}

fn add(args: &TrustArgs) -> Result<(ProjectFile, Toolbox), Failure> {
    let path = named(args)?;
    let file = ProjectFile::read(&path)?.ok_or_else(|| {
        let message = format!("there is no file {}", path.display());
        Failure::new(ErrorKind::InvalidConfig, message).with_hint("`caplet init` writes one")
    })?;
    // What cannot be understood would only be an error from here on.
    let toolbox = file.as_trusted()?;
    toolbox::trust().add(&file)?;
    Ok((file, toolbox))
}

/// The file that is meant. Another name would be trusted for nothing: it is never found by itself.
fn named(args: &TrustArgs) -> Result<PathBuf, Failure> {
    let path = args.file.as_ref().map_or_else(toolbox::projects, |file| Ok(host::current_dir()?.join(file)))?;
    if path.file_name().is_some_and(|name| name == FILE) {
        return Ok(path);
    }
    let message = format!("{} is not called {FILE}, so it is never found by itself", path.display());
    Err(Failure::new(ErrorKind::InvalidArgs, message).with_hint("to use it for once, name it: --config FILE"))
}

fn revoke(ui: &mut Ui, args: &TrustArgs) -> Result<(), Stop> {
    #[derive(Serialize)]
    struct Revoked<'a> {
        revoked: &'a Path,
        was_trusted: bool,
    }
    let done = named(args).map(|path| real(&path)).and_then(|path| {
        let was_trusted = toolbox::trust().revoke(&path)?;
        Ok((path, was_trusted))
    });
    let (path, was_trusted) = or_json(ui, args.json, done)?;
    if args.json {
        let revoked = Revoked { revoked: &path, was_trusted };
        return Ok(ui.json(&json_line(&revoked).map_err(io::Error::from)?)?);
    }
    let path = path.display().to_string();
    let word = if was_trusted { "not trusted any more" } else { "was not trusted" };
    Ok(ui.line(format_args!("{word}: {}", visible_line(&path)))?)
}

/// Where the file really is or was, as far as its folder exists.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    folder.map_or_else(|| path.to_owned(), |folder| folder.join(FILE))
}

fn list(ui: &mut Ui, json: bool) -> Result<(), Stop> {
    #[derive(Serialize)]
    struct Listing<'a> {
        trusted: Vec<Listed<'a>>,
    }
    #[derive(Serialize)]
    struct Listed<'a> {
        path: &'a Path,
        digest: &'a str,
        state: &'static str,
    }
    let trusted = or_json(ui, json, toolbox::trust().list().map_err(Failure::from))?;
    let listed: Vec<_> =
        trusted.iter().map(|file| Listed { path: &file.path, digest: &file.digest, state: state(file) }).collect();
    if json {
        return Ok(ui.json(&json_line(&Listing { trusted: listed }).map_err(io::Error::from)?)?);
    }
    let quiet = style::QUIET;
    for Listed { path, digest, state } in listed {
        let path = path.display().to_string();
        ui.line(format_args!("{}  {state}  {quiet}{}{quiet:#}", visible_line(&path), visible_line(digest)))?;
    }
    Ok(())
}

/// What has become of a file that is trusted.
fn state(trusted: &Trusted) -> &'static str {
    match ProjectFile::read(&trusted.path) {
        Ok(Some(file)) if file.digest().to_string() == trusted.digest => "as trusted",
        Ok(Some(_)) | Err(_) => "changed, so not trusted",
        Ok(None) => "gone",
    }
}
