//! `caplet log show`: one call as a tree, with the calls that it made.

use std::io;

use caplet::audit::log::{Index, IndexError, Reader};
use caplet::audit::text::{json_line, visible_line};
use caplet::audit::{ErrorKind, Record, Who};
use serde::Serialize;

use super::{called, or_json, took, unknown, unreadable};
use crate::failure::{Failure, Stop};
use crate::host;
use crate::ui::{Ui, style};

/// Calls of calls of calls: deeper than this are only named.
const MOST_DEPTH: usize = 16;

/// A call and those that it made.
#[derive(Serialize)]
struct Tree {
    record: Record,
    calls: Vec<Tree>,
}

pub(super) fn show(ui: &mut Ui, id: &str, json: bool) -> Result<u8, Stop> {
    let id = id.to_ascii_uppercase();
    let tree = or_json(ui, json, whole(&id))?;
    if json {
        ui.json(&json_line(&tree).map_err(io::Error::from)?)?;
    } else {
        print(ui, &tree, "")?;
    }
    Ok(0)
}

fn whole(id: &str) -> Result<Tree, Failure> {
    let reader = Reader::new(host::audit_dir()?);
    read(&reader, id, 0)?.ok_or_else(|| unknown(id))
}

fn read(reader: &Reader, id: &str, depth: usize) -> Result<Option<Tree>, Failure> {
    let found = match Index::open(reader.folder()).and_then(|index| index.find(id)) {
        // There may be no index, and one that does not know the record may be wrong.
        Ok(None) | Err(IndexError::File(_)) => reader.find(id),
        Ok(found) => Ok(found),
        Err(error) => return Err(Failure::new(ErrorKind::Host, error.to_string())),
    };
    let Some(kept) = found.map_err(|error| unreadable(&error))? else { return Ok(None) };
    let mut calls = Vec::new();
    for id in kept.record.calls.iter().filter(|_| depth < MOST_DEPTH) {
        calls.extend(read(reader, id, depth + 1)?);
    }
    Ok(Some(Tree { record: kept.record, calls }))
}

fn print(ui: &mut Ui, tree: &Tree, indent: &str) -> io::Result<()> {
    let Record { id, time, outcome, error, usage, .. } = &tree.record;
    let (name, quiet) = (style::NOTE, style::QUIET);
    ui.line(format_args!("{indent}{name}{}{name:#}  {quiet}{}{quiet:#}", called(&tree.record), visible_line(id)))?;
    let indent = format!("{indent}  ");
    ui.line(format_args!("{indent}{outcome} at {time}, after {}", took(usage.wall_us)))?;
    if let Some(error) = error {
        ui.line(format_args!("{indent}{}: {}", error.kind, visible_line(&error.message)))?;
    }
    for (what, value) in facts(&tree.record) {
        ui.line(format_args!("{indent}{quiet}{what:10}{quiet:#} {}", visible_line(&value)))?;
    }
    decisions(ui, &tree.record, &indent)?;
    tree.calls.iter().try_for_each(|call| print(ui, call, &indent))
}

/// What is known of the call beside what it did.
fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let text = |value: &Option<std::sync::Arc<str>>| value.as_ref().map(ToString::to_string);
    let ceiling = json_line(&record.ceiling).ok().map(|word| word.trim_matches('"').to_owned());
    let table = [
        ("component", text(&record.component)),
        ("manifest", text(&record.manifest)),
        ("policy", text(&record.policy)),
        ("ceiling", ceiling),
        ("arguments", record.arguments.clone()),
        ("", record.arguments_text.clone()),
        ("client", record.who.as_ref().and_then(client)),
        ("session", record.who.as_ref().and_then(|who| who.session.clone())),
        ("profile", record.who.as_ref().and_then(|who| who.profile.clone())),
        ("lost", record.lost.filter(|lost| *lost > 0).map(|lost| format!("{lost} records before this one"))),
        ("exit code", record.exit_code.map(|code| code.to_string())),
        ("trace", record.trace.as_ref().map(ToString::to_string)),
    ];
    table.into_iter().filter_map(|(what, value)| Some((what, value?))).collect()
}

/// What the client calls itself.
fn client(who: &Who) -> Option<String> {
    let name = who.client.clone()?;
    Some(who.version.as_ref().map_or_else(|| name.clone(), |version| format!("{name} {version}")))
}

fn decisions(ui: &mut Ui, record: &Record, indent: &str) -> io::Result<()> {
    let (good, bad, quiet) = (style::GOOD, style::ERROR, style::QUIET);
    let by = |layer: &str, rule: &str, count: u64| {
        let times = if count == 1 { String::new() } else { format!(" {count} times") };
        format!("{quiet}by {}: {}{times}{quiet:#}", visible_line(layer), visible_line(rule))
    };
    for entry in &record.decisions.permitted_ops {
        let by = by(&entry.layer, &entry.rule, entry.count);
        ui.line(format_args!("{indent}{good}permitted{good:#}  {}  {by}", visible_line(&entry.op)))?;
    }
    for entry in &record.decisions.denied {
        let by = by(&entry.layer, &entry.rule, entry.count);
        ui.line(format_args!("{indent}{bad}denied{bad:#}     {}  {by}", visible_line(&entry.op)))?;
    }
    match record.decisions.overflow {
        0 => Ok(()),
        more => ui.line(format_args!("{indent}and {more} decisions more, which are only counted")),
    }
}
