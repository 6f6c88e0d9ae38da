//! `caplet mcp`: tells MCP clients how to start this program, and says what they start.

mod status;

use std::env;
use std::path::{Path, PathBuf};

use caplet::Toolbox;
use caplet::audit::ErrorKind;
use clap::{Args, Parser as _, Subcommand};

use crate::cli::Cli;
use crate::clients::{self, Client, Done, Launch, Places, Scope, ServerName, Site};
use crate::failure::{Failure, Stop};
use crate::host;
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet mcp install --client claude-code
  caplet mcp install --client vscode --scope project --config ./caplet.toml
  caplet mcp status
  caplet mcp uninstall --client claude-code"#;

/// Let MCP clients start caplet
///
/// Each client has a file that lists the servers it starts. These verbs edit that file, and nothing in it but the one entry: comments, order
/// and line ends stay. What was there is kept beside it. A file that is not understood is left as it is.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct McpArgs {
    #[command(subcommand)]
    command: McpCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum McpCommand {
    Install(InstallArgs),
    Uninstall(UninstallArgs),
    Status(status::StatusArgs),
}

/// Let a client start `caplet serve`
///
/// Writes the absolute path of this program. To do so twice is to do so once; with other options, the entry is changed. What was in the file
/// before is kept in a file beside it whose name ends in .caplet-backup.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
struct InstallArgs {
    #[command(flatten)]
    entry: EntryOptions,

    #[command(flatten)]
    serve: ServeOptions,
}

/// Let a client start nothing of ours
///
/// If nothing else was changed in the file since, it is again what it was, byte for byte. Otherwise only the entry goes.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
struct UninstallArgs {
    #[command(flatten)]
    entry: EntryOptions,
}

/// Which entry of which file.
#[derive(Debug, Args)]
struct EntryOptions {
    /// Which program starts it
    #[arg(long)]
    client: Client,

    /// Whom it is for
    #[arg(long, default_value = "user")]
    scope: Scope,

    /// What the client calls it
    #[arg(long, default_value_t)]
    name: ServerName,

    /// Also replace or remove an entry of this name that does not start caplet
    #[arg(long)]
    force: bool,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// How it is to serve.
#[derive(Debug, Args)]
struct ServeOptions {
    /// Serve the tools of this file, and not those of your own
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Serve only this profile of it
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

pub(crate) fn run(ui: &mut Ui, args: &McpArgs) -> Result<u8, Stop> {
    match &args.command {
        McpCommand::Install(args) => install(ui, args),
        McpCommand::Uninstall(args) => uninstall(ui, args),
        McpCommand::Status(args) => status::run(ui, args),
    }
}

fn install(ui: &mut Ui, args: &InstallArgs) -> Result<u8, Stop> {
    let InstallArgs { entry: EntryOptions { name, force, dry_run, .. }, serve } = args;
    let launch = serve.launch()?;
    must_be_taken(&launch)?;
    if let Some(config) = &serve.config {
        // A client that starts what ends at once says little about why.
        Toolbox::read(host::current_dir()?.join(config))?;
    }
    let site = args.entry.site()?;
    let done = clients::install(&site, name, &launch, *force, *dry_run)?;
    tell(ui, &site, name, done, *dry_run)?;
    if done != Done::Nothing {
        ui.detail(&format!("it starts: {}", shown(&launch)))?;
        if !site.is_used {
            ui.warning(&format!("{} seems not to be installed here", site.client.title()))?;
        }
    }
    Ok(0)
}

fn uninstall(ui: &mut Ui, args: &UninstallArgs) -> Result<u8, Stop> {
    let EntryOptions { name, force, dry_run, .. } = &args.entry;
    let site = args.entry.site()?;
    let done = clients::uninstall(&site, name, *force, *dry_run)?;
    tell(ui, &site, name, done, *dry_run)?;
    Ok(0)
}

fn tell(ui: &mut Ui, site: &Site, name: &ServerName, done: Done, is_trial: bool) -> std::io::Result<()> {
    let (file, name) = (site.file.display(), name.as_str());
    let would = if is_trial { "it would be so: " } else { "" };
    ui.note(&match done {
        Done::Nothing => format!("nothing to do: {file} is so already"),
        Done::Created => format!("{would}{file} is new, with {name}"),
        Done::Added => format!("{would}{name} is added to {file}"),
        Done::Changed => format!("{would}{name} is changed in {file}"),
        Done::Removed => format!("{would}{name} is removed from {file}"),
        Done::Restored => format!("{would}{file} is what it was before {name} was added"),
        Done::Deleted => format!("{would}{file}, which had nothing but {name}, is removed"),
    })
}

/// Refuses a command line that this very program would not take: a client that starts it would say little about why it ends.
fn must_be_taken(launch: &Launch) -> Result<(), Failure> {
    Cli::try_parse_from(launch.words()).map(drop).map_err(|error| {
        let error = error.to_string();
        let why = error.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Failure::new(ErrorKind::InvalidArgs, format!("`caplet serve` does not take that: {why}"))
    })
}

impl EntryOptions {
    fn site(&self) -> Result<Site, Failure> {
        self.client.site(self.scope, &Places::of_user()?, &host::current_dir()?)
    }
}

impl ServeOptions {
    /// This program, with these options.
    fn launch(&self) -> Result<Launch, Failure> {
        let mut options = Vec::new();
        if let Some(config) = &self.config {
            options.extend([clients::CONFIG.to_owned(), clients::word(&absolute(config)?)?]);
        }
        options.extend(self.profile.iter().flat_map(|profile| [clients::PROFILE.to_owned(), profile.clone()]));
        Launch::new(&program()?, options)
    }
}

/// A path that means the same from everywhere.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let path = host::current_dir()?.join(path);
    // It only takes out what means nothing, such as `./`.
    Ok(std::path::absolute(&path).unwrap_or(path))
}

/// Where this program is.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    let unknown = |why: String| {
        Failure::new(ErrorKind::Host, format!("cannot tell where this program is: {why}"))
            .with_hint("install it anew, and run it from there")
    };
    let program = env::current_exe().map_err(|error| unknown(error.to_string()))?;
    // One that was replaced while it runs has a name that no file has.
    if program.is_file() { Ok(program) } else { Err(unknown(format!("{} is gone", program.display()))) }
}

/// A command line for a person to read.
pub(crate) fn shown(launch: &Launch) -> String {
    let is_plain = |word: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:=@%,".contains(&byte);
        !word.is_empty() && word.bytes().all(plain)
    };
    let quoted = |word: &str| {
        if is_plain(word) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    launch.words().map(quoted).collect::<Vec<_>>().join(" ")
}

/// Whether a command is this very program, by whatever name.
pub(crate) fn is_this_program(command: &str, program: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let command = Path::new(command);
    command.is_absolute() && identity(command).is_some_and(|command| Some(command) == identity(program))
}
