//! `caplet mcp status`: what each client starts under our name.

use std::path::PathBuf;

use caplet::audit::text::{json_line, visible_line};
use clap::Args;
use clap::ValueEnum as _;
use serde::Serialize;

use super::ServeOptions;
use crate::clients::{Client, Installed, Launch, Places, Scope, ServerName, Site};
use crate::failure::Stop;
use crate::host;
use crate::ui::{Ui, style};

/// Say which clients start caplet, and how
///
/// Each client's own file is read, and the project's where it has one; `differs` is an entry with another path of caplet or other options than
/// those given here.
#[derive(Debug, Args)]
#[command(after_long_help = super::EXAMPLES)]
pub(super) struct StatusArgs {
    /// Look at this client alone
    #[arg(long)]
    client: Option<Client>,

    /// Look only at this kind of file
    #[arg(long)]
    scope: Option<Scope>,

    /// What the clients call it
    #[arg(long, default_value_t)]
    name: ServerName,

    #[command(flatten)]
    serve: ServeOptions,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// How a client stands to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// The client was never used here.
    NotFound,
    /// It starts nothing under our name.
    NotInstalled,
    /// It starts this program with these options.
    Installed,
    /// It starts another copy of caplet, or with other options.
    Differs,
    /// It starts something else under our name.
    Other,
    /// Its file cannot be read.
    Unreadable,
}

/// What `mcp status --json` prints.
#[derive(Serialize)]
struct Listing<'a> {
    name: &'a str,
    /// What would be installed.
    launch: &'a Launch,
    clients: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    client: Client,
    scope: Scope,
    file: PathBuf,
    state: State,
    /// What the client starts, if that is caplet.
    launch: Option<Launch>,
    /// Why its file cannot be read.
    error: Option<String>,
}

pub(super) fn run(ui: &mut Ui, args: &StatusArgs) -> Result<u8, Stop> {
    let launch = args.serve.launch()?;
    let clients = args.sites()?.into_iter().filter_map(|site| args.entry(site, &launch)).collect();
    let listing = Listing { name: args.name.as_str(), launch: &launch, clients };
    if args.json {
        ui.json(&json_line(&listing).map_err(std::io::Error::from)?)?;
        return Ok(0);
    }
    for entry in &listing.clients {
        show(ui, entry)?;
    }
    Ok(0)
}

impl StatusArgs {
    fn sites(&self) -> Result<Vec<Site>, Stop> {
        let (places, project) = (Places::of_user()?, host::current_dir()?);
        let clients = Client::value_variants().iter().filter(|client| self.client.is_none_or(|one| one == **client));
        let sites = clients.flat_map(|client| Scope::value_variants().iter().map(move |scope| (client, scope)));
        let sites = sites.filter(|(_, scope)| self.scope.is_none_or(|one| one == **scope));
        // A client without a file in projects has none to tell of.
        Ok(sites.filter_map(|(client, scope)| client.site(*scope, &places, &project).ok()).collect())
    }

    /// Nothing is told of a project's file that has nothing, unless it was asked for.
    fn entry(&self, site: Site, wanted: &Launch) -> Option<Entry> {
        let (state, launch, error) = match site.installed(&self.name) {
            Ok(Installed::No) if site.scope == Scope::Project && self.scope.is_none() => return None,
            Ok(Installed::No) if site.is_used => (State::NotInstalled, None, None),
            Ok(Installed::No) => (State::NotFound, None, None),
            Ok(Installed::Yes(launch)) if launch == *wanted => (State::Installed, Some(launch), None),
            Ok(Installed::Yes(launch)) => (State::Differs, Some(launch), None),
            Ok(Installed::Other) => (State::Other, None, None),
            Err(failure) => (State::Unreadable, None, Some(failure.info.message)),
        };
        Some(Entry { client: site.client, scope: site.scope, file: site.file, state, launch, error })
    }
}

fn show(ui: &mut Ui, entry: &Entry) -> std::io::Result<()> {
    let Entry { client, scope, file, state, launch, error } = entry;
    let (style, word) = match state {
        State::Installed => (style::GOOD, "installed"),
        State::NotInstalled => (style::QUIET, "not installed"),
        State::NotFound => (style::QUIET, "not found"),
        State::Differs => (style::WARNING, "differs"),
        State::Other => (style::WARNING, "something else"),
        State::Unreadable => (style::ERROR, "unreadable"),
    };
    let file = match scope {
        Scope::User => file.display().to_string(),
        Scope::Project => format!("{} (project)", file.display()),
    };
    ui.line(format_args!("{:<18} {style}{word:<14}{style:#} {}", client.title(), visible_line(&file)))?;
    if let Some(launch) = launch.as_ref().filter(|_| *state == State::Differs) {
        ui.line(format_args!("{:<18} it starts: {}", "", visible_line(&super::shown(launch))))?;
    }
    match error {
        Some(error) => ui.line(format_args!("{:<18} {}", "", visible_line(error))),
        None => Ok(()),
    }
}
