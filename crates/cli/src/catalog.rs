//! What a server offers: the toolbox with its locks, followed as its files change.

use std::env;

use caplet::{Caplet, Catalog, Hidden, Pins, Snapshot, Terms, Toolbox, Watched};
use tokio::sync::watch;

use crate::failure::Failure;
use crate::host;
use crate::toolbox::{ToolboxOptions, projects, trust, users};

/// The catalog of `profile` of the toolbox that `options` mean, or of all of it: only what is as it was approved.
pub(crate) fn watched(options: &ToolboxOptions, caplet: Caplet, profile: Option<String>) -> Result<Watched, Failure> {
    Ok(Watched::of_layers(caplet, options.files()?, trust(), profile, terms(options)?)?)
}

/// What a server would offer of `toolbox`, which `options` mean, at this moment.
pub(crate) fn now(options: &ToolboxOptions, caplet: &Caplet, toolbox: &Toolbox) -> Result<Catalog, Failure> {
    Ok(Catalog::on(&terms(options)?.pins(Pins::of_toolbox(toolbox)), caplet, toolbox))
}

/// On what terms a person's tools are offered.
fn terms(options: &ToolboxOptions) -> Result<Terms, Failure> {
    let mut terms = Terms::new(host::current_dir()?).environment(|name| env::var(name).ok());
    // The next call may find a toolbox there, whatever is there now.
    for place in users().into_iter().chain([projects()?]) {
        terms = terms.keep_out_file(place);
    }
    Ok(match &options.config {
        Some(config) => terms.approve_with(format!("--config {}", caplet::authority::quote(&config.to_string_lossy()))),
        None => terms,
    })
}

/// The catalogs of `watched`, now and later. A person hears with `tell` what is hidden from then on, and of files that make none.
pub(crate) fn followed(watched: &Watched, tell: fn(&str)) -> watch::Receiver<Catalog> {
    let mut snapshots = watched.subscribe();
    let (sender, receiver) = watch::channel(snapshots.borrow_and_update().catalog.clone());
    // Held by the task: files are followed as long as somebody is served.
    let watched = watched.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = sender.closed() => break,
                changed = snapshots.changed() => if changed.is_err() { break },
            }
            let Snapshot { catalog, problem, .. } = snapshots.borrow_and_update().clone();
            if let Some(problem) = problem {
                let is_served = catalog.offers().len() > 0;
                let then = if is_served { "what was served before still is" } else { "so nothing is served" };
                tell(&format!("{}; {then}", problem.message));
            }
            let known: Vec<String> = hidden(&sender.borrow()).collect();
            hidden(&catalog).filter(|line| !known.contains(line)).for_each(|line| tell(&line));
            sender.send_replace(catalog);
        }
        drop(watched);
    });
    receiver
}

/// What is not offered, a line each: why, and what would bring it back.
pub(crate) fn hidden(catalog: &Catalog) -> impl Iterator<Item = String> + '_ {
    catalog.hidden().iter().map(|Hidden { tool, error }| match &error.hint {
        Some(hint) => format!("{tool} is hidden: {} ({hint})", error.message),
        None => format!("{tool} is hidden: {}", error.message),
    })
}
