//! `caplet secret`: credentials that the host puts into requests, set, listed and removed. Nothing here shows one.

use std::io::{self, IsTerminal as _};

use caplet::audit::ErrorKind;
use caplet::audit::text::{json_line, visible_line};
use caplet::secret::{Backend, Listed, Masker, SecretError, SecretName, SecretValue};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::prompt;
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet secret set GITHUB_TOKEN
  caplet secret set GITHUB_TOKEN < token.txt
  caplet secret list
  caplet secret rm GITHUB_TOKEN"#;

/// Keep credentials that caplet puts into requests
///
/// A tool that is granted secret:NAME@URL sends requests to that URL with the credential in them, and never sees it: caplet adds it
/// after the request was decided on, and masks it in what comes back. Secrets are in your keyring where there is one, else in a file
/// that is encrypted with a key of yours. No verb shows a value again.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

/// What to do with them.
#[derive(Debug, Subcommand)]
enum SecretCommand {
    Set(SetArgs),
    List(ListArgs),
    Rm(RmArgs),
}

/// Set a secret, in place of one of the same name
///
/// The value is one line of text of up to 64 KiB. It is read from standard input, or asked for on a terminal without being shown.
#[derive(Args)]
struct SetArgs {
    /// What to call it: letters, digits, _ . and -
    name: String,

    /// Keep secrets in the encrypted file even if there is a keyring; for the first one, the others go where it is
    #[arg(long)]
    file: bool,

    /// Taken only to be refused with a reason, and without being repeated.
    #[arg(hide = true, allow_hyphen_values = true, trailing_var_arg = true)]
    value: Vec<std::ffi::OsString>,
}

/// List the names of all secrets, and when each was set
#[derive(Debug, Args)]
struct ListArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Remove a secret
#[derive(Debug, Args)]
struct RmArgs {
    /// What it is called
    name: String,
}

/// What `secret list --json` prints.
#[derive(Serialize)]
struct Listing {
    secrets: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    set_at: String,
}

impl std::fmt::Debug for SetArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetArgs").field("name", &self.name).field("file", &self.file).finish_non_exhaustive()
    }
}

pub(crate) fn run(ui: &mut Ui, args: &SecretArgs) -> Result<u8, Stop> {
    match &args.command {
        SecretCommand::Set(args) => set(ui, args),
        SecretCommand::List(args) => list(ui, args),
        SecretCommand::Rm(args) => rm(ui, args),
    }
}

fn set(ui: &mut Ui, args: &SetArgs) -> Result<u8, Stop> {
    let name = named(&args.name)?;
    if !args.value.is_empty() {
        let why = "a value cannot be an argument: other programs can see arguments, and your shell keeps them";
        let hint = format!("run `caplet secret set {name}` alone and type the value, and renew one that is real");
        return Err(Failure::new(ErrorKind::InvalidArgs, why).with_hint(hint).into());
    }
    let vault = host::vault(if args.file { Backend::File } else { Backend::Auto })?;
    let value = if io::stdin().is_terminal() {
        prompt::hidden(&format!("value of {name} (not shown): "))?
    } else {
        SecretValue::read(io::stdin().lock()).map_err(failed)?
    };
    let is_new = vault.set(&name, &value).map_err(failed)?;
    let place = vault.place().map_err(failed)?;
    let did = if is_new { "is set" } else { "is set anew" };
    ui.note(&format!("{name} {did}, in {place}"))?;
    if value.expose().len() < Masker::SHORTEST {
        let shortest = Masker::SHORTEST;
        ui.warning(&format!(
            "it has fewer than {shortest} bytes: it is not masked inside longer texts that servers send"
        ))?;
    }
    Ok(0)
}

fn list(ui: &mut Ui, args: &ListArgs) -> Result<u8, Stop> {
    let listed = host::vault(Backend::Auto).and_then(|vault| vault.list().map_err(failed));
    let secrets = or_json(ui, args.json, listed)?;
    let listing = Listing { secrets: secrets.iter().map(Entry::new).collect() };
    if args.json {
        ui.json(&json_line(&listing).map_err(io::Error::from)?)?;
        return Ok(0);
    }
    if listing.secrets.is_empty() {
        ui.note("no secrets are set")?;
    }
    let width = listing.secrets.iter().map(|secret| secret.name.len()).max().unwrap_or(0);
    let quiet = style::QUIET;
    for Entry { name, set_at } in &listing.secrets {
        ui.line(format_args!("{:width$}  {quiet}set {set_at}{quiet:#}", visible_line(name)))?;
    }
    Ok(0)
}

fn rm(ui: &mut Ui, args: &RmArgs) -> Result<u8, Stop> {
    let name = named(&args.name)?;
    host::vault(Backend::Auto)?.remove(&name).map_err(failed)?;
    ui.note(&format!("{name} is removed"))?;
    Ok(0)
}

impl Entry {
    fn new(listed: &Listed) -> Self {
        let set_at = humantime::format_rfc3339_seconds(listed.set_at).to_string();
        Self { name: listed.name.to_string(), set_at }
    }
}

fn named(text: &str) -> Result<SecretName, Failure> {
    text.parse().map_err(failed)
}

/// The error as every other is shown.
pub(crate) fn failed(error: SecretError) -> Failure {
    let kind = if error.is_usage() { ErrorKind::InvalidArgs } else { ErrorKind::Host };
    let failure = Failure::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
