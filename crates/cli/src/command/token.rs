//! `caplet token`: bearer tokens of clients that reach `caplet serve` over HTTP, made, listed and removed.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use caplet::audit::ErrorKind;
use caplet::audit::text::{json_line, visible, visible_line};
use caplet_server::{DEFAULT_PROFILE, NewToken, Token, TokenFile};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::http_options::failed;
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet token new laptop
  caplet token new ci --profile read-only --expires 30d
  caplet token list
  caplet token rm laptop
  caplet serve --http 8473 --tokens ~/.config/caplet/tokens.toml"#;

/// Keep tokens for clients that reach your tools over HTTP
///
/// A client sends its token with each request to `caplet serve --http`, and gets the profile of grants that the token is for. A token is
/// shown once, when it is made; the file holds a hash of it. A running server takes notice of a change within a second.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

/// What to do with them.
#[derive(Debug, Subcommand)]
enum TokenCommand {
    New(NewArgs),
    List(ListArgs),
    Rm(RmArgs),
}

/// Make a token, and print it
#[derive(Debug, Args)]
struct NewArgs {
    /// What to call it: letters, digits, - _ . and @
    name: String,

    /// The profile of grants that it gives [default: default]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// How long it is valid, such as 12h or 30d [default: until it is removed]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    expires: Option<Duration>,

    /// It may also read /metrics
    #[arg(long)]
    metrics: bool,

    #[command(flatten)]
    place: Place,
}

/// List the tokens
#[derive(Debug, Args)]
struct ListArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

/// Remove a token: it is not valid any more
#[derive(Debug, Args)]
struct RmArgs {
    /// What it is called
    name: String,

    #[command(flatten)]
    place: Place,
}

/// Where tokens are kept.
#[derive(Debug, Args)]
struct Place {
    /// The file of tokens [default: $XDG_CONFIG_HOME/caplet/tokens.toml]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What `token list --json` prints.
#[derive(Serialize)]
struct Listing {
    tokens: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    profile: String,
    expires: Option<String>,
    expired: bool,
    metrics: bool,
}

pub(crate) fn run(ui: &mut Ui, args: &TokenArgs) -> Result<u8, Stop> {
    match &args.command {
        TokenCommand::New(args) => new(ui, args),
        TokenCommand::List(args) => list(ui, args),
        TokenCommand::Rm(args) => rm(ui, args),
    }
}

fn new(ui: &mut Ui, args: &NewArgs) -> Result<u8, Stop> {
    let file = args.place.file()?;
    let expires = args.expires.map(|time| SystemTime::now().checked_add(time).ok_or_else(too_long)).transpose()?;
    let new = NewToken { name: args.name.clone(), profile: args.profile.clone(), expires, metrics: args.metrics };
    let secret = file.add(new).map_err(failed)?;
    ui.line(secret.expose())?;
    let place = visible(&file.path().display().to_string()).into_owned();
    ui.note(&format!("this is the only time that it is shown: its hash is in {place}"))?;
    ui.help(&format!(
        "serve with `caplet serve --http ADDR --tokens {place}`; clients send `Authorization: Bearer TOKEN`"
    ))?;
    Ok(0)
}

fn list(ui: &mut Ui, args: &ListArgs) -> Result<u8, Stop> {
    let listed = args.place.file().and_then(|file| match file.path().symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        _ => file.list().map_err(failed),
    });
    let tokens = or_json(ui, args.json, listed)?;
    let listing = Listing { tokens: tokens.iter().map(Entry::new).collect() };
    if args.json {
        ui.json(&json_line(&listing).map_err(io::Error::from)?)?;
        return Ok(0);
    }
    if listing.tokens.is_empty() {
        ui.note("there are no tokens")?;
    }
    let width = listing.tokens.iter().map(|token| token.name.len()).max().unwrap_or(0);
    let quiet = style::QUIET;
    for Entry { name, profile, expires, expired, metrics } in &listing.tokens {
        let until = match (expires, expired) {
            (None, _) => String::new(),
            (Some(at), true) => format!(", expired {at}"),
            (Some(at), false) => format!(", until {at}"),
        };
        let metrics = if *metrics { ", may read metrics" } else { "" };
        let (name, profile) = (visible_line(name), visible_line(profile));
        ui.line(format_args!("{name:width$}  {quiet}profile {profile}{until}{metrics}{quiet:#}"))?;
    }
    Ok(0)
}

fn rm(ui: &mut Ui, args: &RmArgs) -> Result<u8, Stop> {
    let is_gone = args.place.file()?.remove(&args.name).map_err(failed)?;
    if !is_gone {
        let why = format!("there is no token called {:?}", args.name);
        return Err(Failure::new(ErrorKind::InvalidArgs, why).with_hint("see `caplet token list`").into());
    }
    ui.note(&format!("{} is removed", visible_line(&args.name)))?;
    Ok(0)
}

fn too_long() -> Failure {
    Failure::new(ErrorKind::InvalidArgs, "--expires is further away than clocks go")
}

impl Place {
    fn file(&self) -> Result<TokenFile, Failure> {
        let path = match &self.file {
            Some(path) => path.clone(),
            None => host::config_dir()?.join("tokens.toml"),
        };
        Ok(TokenFile::new(path))
    }
}

impl Entry {
    fn new(token: &Token) -> Self {
        let expires = token.expires();
        Self {
            name: token.name().to_owned(),
            profile: token.profile().unwrap_or(DEFAULT_PROFILE).to_owned(),
            expires: expires.map(|at| humantime::format_rfc3339_seconds(at).to_string()),
            expired: expires.is_some_and(|at| at <= SystemTime::now()),
            metrics: token.may_read_metrics(),
        }
    }
}
