//! `caplet audit`: whether the audit log is as it was written, and copies of it for other programs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use caplet::audit::log::{Fault, Order, PublicKey, ReadError, Reader, Report, Trust, verify};
use caplet::audit::text::{json_line, visible_line};
use caplet_telemetry::syslog_message;
use clap::{Args, Subcommand, ValueEnum};

use crate::asked::AskedRecords;
use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet audit verify
  caplet audit verify --key audit.pub --json
  caplet audit verify --log /backup/audit --checkpoints /backup/audit-keys
  caplet audit export --since 24h > yesterday.jsonl"#;

/// Exit code of a log that is not as it was written.
const NOT_SOUND: u8 = 1;

/// Verify the audit log, or copy records out of it
///
/// Each call leaves a record, and each record names the hash of the one before it: what was changed, removed or put in shows. So that a
/// missing end shows too, checkpoints that are signed with a key of this host are kept in a folder of their own.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    Verify(VerifyArgs),
    Export(ExportArgs),
}

/// Say whether the audit log is as it was written, or where it first is not
///
/// Exits with 0 if it is and with 1 if not. The end of a record that a crash cut short is no fault. What came after the last checkpoint
/// could be missing without a trace; it says how much that is.
#[derive(Debug, Args)]
struct VerifyArgs {
    /// The public key that checkpoints must be signed with: 64 hexadecimal digits, or a file with them
    ///
    /// Without it, the key that is beside the checkpoints is taken. Keep a copy of it elsewhere: who can change that folder can make a key
    /// and checkpoints anew.
    #[arg(long, value_name = "FILE|HEX")]
    key: Option<String>,

    /// The folder of the log, instead of your own
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,

    /// The folder of the checkpoints, instead of your own
    #[arg(long, value_name = "DIR")]
    checkpoints: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Print records for other programs, oldest first
#[derive(Debug, Args)]
struct ExportArgs {
    #[command(flatten)]
    asked: AskedRecords,

    /// What a line is
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// The record as one JSON object
    Jsonl,
    /// A message of syslog (RFC 5424) with the record as its text
    Syslog,
}

pub(crate) fn run(ui: &mut Ui, args: &AuditArgs) -> Result<u8, Stop> {
    match &args.command {
        AuditCommand::Verify(args) => verify_log(ui, args),
        AuditCommand::Export(args) => export(ui, args),
    }
}

fn verify_log(ui: &mut Ui, args: &VerifyArgs) -> Result<u8, Stop> {
    let report = or_json(ui, args.json, report(args))?;
    if args.json {
        ui.json(&json_line(&report).map_err(io::Error::from)?)?;
    } else {
        show(ui, &report)?;
    }
    Ok(if report.is_sound() { 0 } else { NOT_SOUND })
}

fn report(args: &VerifyArgs) -> Result<Report, Failure> {
    let folder = args.log.clone().map_or_else(host::audit_dir, Ok)?;
    let keys = args.checkpoints.clone().map_or_else(host::audit_keys_dir, Ok)?;
    let key = args.key.as_deref().map(key).transpose()?;
    verify(&folder, &Trust { keys: Some(keys), key }).map_err(|error| unreadable(&error))
}

fn key(text: &str) -> Result<PublicKey, Failure> {
    let bad = |why: String| {
        let failure = Failure::new(ErrorKind::InvalidArgs, format!("--key {}: {why}", visible_line(text)));
        failure.with_hint("give 64 hexadecimal digits, or a copy of audit.pub from the folder of the checkpoints")
    };
    if let Some(key) = PublicKey::parse(text) {
        return Ok(key);
    }
    let read = fs::read_to_string(Path::new(text)).map_err(|error| bad(error.to_string()))?;
    PublicKey::parse(&read).ok_or_else(|| bad("it holds no key".to_owned()))
}

fn show(ui: &mut Ui, report: &Report) -> io::Result<()> {
    let (good, bad) = (style::GOOD, style::ERROR);
    for note in &report.notes {
        ui.note(&format!("{}{}", place(note.segment.as_deref(), note.line), note.what))?;
    }
    let entries = report.entries;
    match &report.fault {
        Some(Fault { segment, line, kind, what, .. }) => {
            let kind = json_line(kind).map_err(io::Error::from)?;
            let (place, kind) = (place(segment.as_deref(), *line), kind.trim_matches('"').to_owned());
            ui.line(format_args!("{place}{bad}{kind}{bad:#}: {what}"))?;
            ui.note(&format!("what comes before it is as it was written: {entries} in number"))
        }
        None => {
            let segments = report.segments;
            let plural = if segments == 1 { "" } else { "s" };
            ui.line(format_args!("{good}sound{good:#}: {entries} entries in {segments} segment{plural}"))?;
            match (report.vouched, &report.key) {
                (Some(vouched), Some(key)) => {
                    let extent = match entries.saturating_sub(vouched) {
                        0 => "all of it".to_owned(),
                        after => format!("all but the last {after}"),
                    };
                    ui.line(format_args!("a checkpoint by {key} vouches for {extent}"))
                }
                _ => Ok(()),
            }
        }
    }
}

fn place(segment: Option<&str>, line: Option<u64>) -> String {
    match (segment, line) {
        (Some(segment), Some(line)) => format!("{segment}:{line}: "),
        (Some(segment), None) => format!("{segment}: "),
        (None, _) => String::new(),
    }
}

/// The failure of a log that cannot be read.
pub(crate) fn unreadable(error: &ReadError) -> Failure {
    match error {
        ReadError::Missing(_) => Failure::new(ErrorKind::InvalidConfig, error.to_string())
            .with_hint("run a tool first, or name the folder with --log"),
        _ => Failure::new(ErrorKind::Host, error.to_string())
            .with_hint("`caplet audit verify` says whether the log is whole"),
    }
}

fn export(ui: &mut Ui, args: &ExportArgs) -> Result<u8, Stop> {
    let filter = args.asked.filter()?;
    let reader = Reader::new(host::audit_dir()?);
    let records = reader.records(Order::OldestFirst, filter).map_err(|error| unreadable(&error))?;
    for kept in records {
        let record = kept.map_err(|error| unreadable(&error))?.record;
        match args.format {
            Format::Jsonl => ui.json(&record.to_line().map_err(io::Error::from)?)?,
            Format::Syslog => ui.json(&syslog_message(&record.to_line().map_err(io::Error::from)?))?,
        }
    }
    Ok(0)
}
