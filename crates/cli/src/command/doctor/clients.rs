//! Whether what clients start under our name answers them. Nothing is started but this very program.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum as _;

use super::{Finding, State};
use crate::clients::{Client, Installed, Launch, Places, Scope, ServerName, Site, probe};
use crate::command::mcp::{is_this_program, program, shown};
use crate::failure::Failure;
use crate::host;

/// How long a server may take to answer: less than any client waits.
const TIME: Duration = Duration::from_secs(10);

/// Each client that has an entry of ours.
pub(super) fn findings() -> Vec<Finding> {
    let found = program().and_then(|program| {
        let sites = sites()?;
        let name = ServerName::default();
        Ok(sites.iter().filter_map(|site| finding(site, &name, &program)).collect::<Vec<_>>())
    });
    match found {
        Err(failure) => vec![Finding::new("clients", State::Worse, failure.info.message)],
        Ok(found) if found.is_empty() => {
            let finding = Finding::new("clients", State::Ok, "none of those known starts caplet");
            vec![finding.with_help("caplet mcp install --client NAME lets one do so")]
        }
        Ok(found) => found,
    }
}

fn sites() -> Result<Vec<Site>, Failure> {
    let (places, project) = (Places::of_user()?, host::current_dir()?);
    let all = Client::value_variants()
        .iter()
        .flat_map(|client| Scope::value_variants().iter().map(move |scope| (client, scope)));
    // A client without a file in projects has none to look at.
    Ok(all.filter_map(|(client, scope)| client.site(*scope, &places, &project).ok()).collect())
}

/// Nothing if the client has nothing of ours.
fn finding(site: &Site, name: &ServerName, program: &Path) -> Option<Finding> {
    let what = site.client.title();
    let install = format!("caplet mcp install --client {}{}", site.client.word(), site.scope.option());
    match site.installed(name) {
        Ok(Installed::No | Installed::Other) => None,
        Err(failure) => Some(Finding::new(what, State::Worse, failure.info.message)),
        Ok(Installed::Yes(launch)) if !is_this_program(&launch.command, program) => {
            let command = Path::new(&launch.command);
            // A bare name is looked for by the client, along a path of its own.
            let (state, why) = match command.is_absolute() && !command.is_file() {
                false => (State::Worse, "starts another caplet, which was not tried"),
                true => (State::Broken, "starts a caplet that is not there"),
            };
            Some(Finding::new(what, state, format!("{why}: {}", shown(&launch))).with_help(install))
        }
        Ok(Installed::Yes(launch)) if !launch.is_plain() => {
            let detail = format!("starts caplet with options that were not tried: {}", shown(&launch));
            Some(Finding::new(what, State::Ok, detail))
        }
        Ok(Installed::Yes(launch)) => Some(answered(what, &launch)),
    }
}

fn answered(what: &'static str, launch: &Launch) -> Finding {
    let started = Instant::now();
    let mut command = Command::new(&launch.command);
    command.args(&launch.args);
    match probe::probe(command, TIME) {
        Ok(probe::Answer { revision, tools }) => {
            let took = started.elapsed().as_millis();
            let detail = format!("starts a server that offers {tools} tools, by MCP {revision}, within {took} ms");
            Finding::new(what, State::Ok, detail)
        }
        Err(why) => Finding::new(what, State::Broken, why).with_help(format!("it starts: {}", shown(launch))),
    }
}
