//! `caplet log`: what tools did, from the audit log.

use std::io;
use std::time::Duration;

use caplet::audit::log::{Filter, Index, IndexError, Kept, Order, ReadError, Reader};
use caplet::audit::text::{json_line, visible_line};
use caplet::audit::{ErrorKind, OutcomeKind, Record};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::asked::AskedRecords;
use crate::command::audit::unreadable;
use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::ui::{Ui, style};

mod show;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet log
  caplet log --denied --since 24h
  caplet log --tool web-fetch --host api.example.com --json
  caplet log -f
  caplet log show 01KAN5H6C3M0YJ6XH2Z4QW8RTE"#;

/// How often `-f` looks for what is new.
const LOOK: Duration = Duration::from_millis(300);

/// List the records of calls, or show one
///
/// The last ones that fit, oldest first: when each call ended, how, of which tool, how long it took, what it was permitted and denied, and
/// the id of its record.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    command: Option<LogCommand>,

    #[command(flatten)]
    asked: AskedRecords,

    /// The most records to list
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,

    /// Print a JSON object on a line for each record
    #[arg(long)]
    json: bool,

    /// Go on with those to come, until interrupted
    #[arg(short, long)]
    follow: bool,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    Show(ShowArgs),
}

/// Show the whole record of a call, with those of the calls that it made
#[derive(Debug, Args)]
struct ShowArgs {
    /// The record's id
    id: String,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    hash: String,
    record: &'a Record,
}

pub(crate) fn run(ui: &mut Ui, args: &LogArgs) -> Result<u8, Stop> {
    if let Some(LogCommand::Show(ShowArgs { id, json })) = &args.command {
        return show::show(ui, id, *json);
    }
    let filter = args.asked.filter()?;
    let reader = Reader::new(host::audit_dir()?);
    let listed = match last(&reader, &filter, args.limit) {
        // Where nothing was recorded yet there is nothing to list, and something may come.
        Err(ReadError::Missing(_)) => Ok(Vec::new()),
        listed => listed.map_err(|error| unreadable(&error)),
    };
    let listed = listed?;
    if listed.is_empty() && !args.follow && !args.json {
        ui.note("no record fits")?;
    }
    for kept in &listed {
        print(ui, args.json, kept)?;
    }
    if args.follow {
        let seen = listed.last().map_or(0, |kept| kept.seq);
        follow(ui, args.json, (&reader, &filter), seen)?;
    }
    Ok(0)
}

/// Prints the records that come after entry `seen` and fit, until it is interrupted.
fn follow(ui: &mut Ui, json: bool, (reader, filter): (&Reader, &Filter), mut seen: u64) -> Result<(), Stop> {
    loop {
        ui.flush()?;
        std::thread::sleep(LOOK);
        for kept in after(reader, filter, seen).map_err(|error| unreadable(&error))? {
            seen = kept.seq;
            print(ui, json, &kept)?;
        }
    }
}

/// The last `limit` records that fit, oldest first: from the index, or where there can be none, from all of the log.
fn last(reader: &Reader, filter: &Filter, limit: usize) -> Result<Vec<Kept>, ReadError> {
    match Index::open(reader.folder()).and_then(|index| index.last(filter, limit)) {
        Ok(listed) => return Ok(listed),
        Err(IndexError::Log(error)) => return Err(error),
        Err(_) => {}
    }
    let mut listed: Vec<Kept> =
        reader.records(Order::NewestFirst, filter.clone())?.take(limit).collect::<Result<_, _>>()?;
    listed.reverse();
    Ok(listed)
}

/// The records after entry `seen` that fit, oldest first.
fn after(reader: &Reader, filter: &Filter, seen: u64) -> Result<Vec<Kept>, ReadError> {
    let records = match reader.records(Order::NewestFirst, Filter::default()) {
        Err(ReadError::Missing(_)) => return Ok(Vec::new()),
        records => records?,
    };
    let is_new = |kept: &Result<Kept, ReadError>| kept.as_ref().map_or(true, |kept| kept.seq > seen);
    let mut new: Vec<Kept> = records.take_while(is_new).collect::<Result<_, _>>()?;
    new.retain(|kept| filter.matches(&kept.record));
    new.reverse();
    Ok(new)
}

fn print(ui: &mut Ui, json: bool, kept: &Kept) -> io::Result<()> {
    if json {
        let line = Line { seq: kept.seq, hash: kept.hash.to_string(), record: &kept.record };
        return ui.json(&json_line(&line).map_err(io::Error::from)?);
    }
    let Record { id, time, outcome, .. } = &kept.record;
    let (quiet, good, bad) = (style::QUIET, style::GOOD, style::ERROR);
    let style = if *outcome == OutcomeKind::Ok { good } else { bad };
    let (what, details) = (called(&kept.record), details(&kept.record));
    let outcome = outcome.as_str();
    ui.line(format_args!(
        "{quiet}{time}{quiet:#}  {style}{outcome:7}{style:#}  {what}  {quiet}{details}  {}{quiet:#}",
        visible_line(id)
    ))
}

/// The tool, and the function where it is known.
fn called(record: &Record) -> String {
    let tool = visible_line(&record.tool);
    match &record.function {
        Some(function) => format!("{tool} {}", visible_line(function)),
        None => tool.into_owned(),
    }
}

/// How long it took, and how much it asked for.
fn details(record: &Record) -> String {
    let denied: u64 = record.decisions.denied.iter().map(|entry| entry.count).sum();
    let mut details = took(record.usage.wall_us);
    for (count, word) in [(record.decisions.permitted, "permitted"), (denied, "denied"), (record.usage.calls, "calls")]
    {
        if count > 0 {
            details += &format!(", {count} {word}");
        }
    }
    details
}

/// A time in the unit that makes it short.
fn took(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

fn unknown(id: &str) -> Failure {
    let message = format!("there is no record {}", visible_line(id));
    Failure::new(ErrorKind::InvalidArgs, message).with_hint("`caplet log` lists records with their ids")
}
