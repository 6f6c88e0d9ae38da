//! What the calls of a server needed, when it has ended: for `caplet serve --learn`.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use caplet::audit::ErrorKind;
use caplet::audit::text::visible_line;
use caplet::learn::{Evidence, NotGranted, Style, propose};
use caplet::{Caplet, Toolbox};

use crate::failure::{Failure, Stop};
use crate::proposal::text;

/// Tells what the calls of each tool of `toolbox` needed, by `evidence`: in `file`, or on standard error.
pub(crate) fn tell(
    caplet: &Caplet,
    toolbox: &Toolbox,
    cwd: &Path,
    evidence: &BTreeMap<String, Evidence>,
    file: Option<&Path>,
) -> Result<(), Stop> {
    let mut told = String::new();
    for (name, evidence) in evidence {
        // Built-in tools that others called are granted nothing, and have no table to change.
        if toolbox.tool(name).is_some() {
            let of_tool = of_tool(caplet, toolbox, cwd, name, evidence);
            // What is wrong with one tool now says nothing about what the others did.
            told.push_str(&of_tool.unwrap_or_else(|failure| {
                format!("what {name} needed cannot be told: {}\n\n", visible_line(&failure.info.message))
            }));
        }
    }
    if told.is_empty() {
        told.push_str("no tool was called, so nothing is proposed\n");
    }
    match file {
        Some(file) => write(file, &told),
        None => {
            // Nobody may be there to read it.
            let _ = io::stderr().write_all(told.as_bytes());
            Ok(())
        }
    }
}

fn of_tool(caplet: &Caplet, toolbox: &Toolbox, cwd: &Path, name: &str, evidence: &Evidence) -> Result<String, Failure> {
    let Some(configured) = toolbox.tool(name) else { return Ok(String::new()) };
    let tool = caplet.load(configured.source())?.named(name);
    let proposal = propose(evidence, &caplet.bounds(&tool, &configured.grant(cwd)?), Style::Patterns);
    let mut told = text(name, &proposal);
    for NotGranted { op, hint, .. } in &proposal.not_granted {
        told.push_str(&format!(
            "{name} asked for this, and it is not granted: {} ({})\n",
            visible_line(op),
            visible_line(hint)
        ));
    }
    Ok(told + "\n")
}

/// Only its owner reads what tools did. What is there is kept.
fn write(file: &Path, told: &str) -> Result<(), Stop> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(file);
    let written = opened.and_then(|mut opened| opened.write_all(told.as_bytes()));
    written.map_err(|error| {
        Failure::new(ErrorKind::Host, format!("{}: what was learnt cannot be written: {error}", file.display())).into()
    })
}
