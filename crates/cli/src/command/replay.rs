//! `caplet replay`: a recorded call again.

use std::io;
use std::path::Path;

use caplet::audit::ErrorKind;
use caplet::audit::log::{ReadError, Reader};
use caplet::audit::recording::{Recording, RecordingError, Recordings};
use caplet::audit::text::{json_line, visible, visible_line};
use caplet::{Error, NewOp, Replayed, Source, recordings_in};
use clap::Args;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::report::way_out;
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet run file-grep --allow 'read:src/**' --args '{"pattern":"TODO"}' --record
  caplet replay 01J9ZQ6XKQ3V0G5M8C4T7R2WNB
  caplet replay 01J9ZQ6XKQ3V0G5M8C4T7R2WNB --against ./file-grep-v2.wasm"#;

/// Exit code of a replay that went another way.
const DIFFERS: u8 = 1;

/// Run a recorded call again, and compare
///
/// The call runs with the tool, the arguments and the policy of the recording, and everything that it asks for is answered from the recording:
/// no file is read, nothing is sent, no store is opened. What it asks for, how it ends and what it answers is compared with the recorded
/// call. Exits with 0 where everything is the same, and with 1 where it first went another way, which is said; a recording that is not
/// as it was written is refused.
///
/// With --against, another version of the tool runs in its place: what it asks for that the recorded one did not, whether the policy
/// would permit that, what it no longer asks for, and how its answer differs. A replay leaves no record.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ReplayArgs {
    /// The id of the call's record, or the path of a recording's index, ID.json
    #[arg(value_name = "ID|FILE")]
    recording: String,

    /// Run this tool in place of the recorded one: a built-in tool, or a path to a .wasm or .wat file
    #[arg(long, value_name = "TOOL")]
    against: Option<String>,

    /// Print what came of it as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ui: &mut Ui, args: &ReplayArgs) -> Result<u8, Stop> {
    let replayed = replay(args);
    let replayed = or_json(ui, args.json, replayed)?;
    let shown = match args.json {
        true => json_line(&replayed).map_err(io::Error::from).and_then(|line| ui.json(&line)),
        false => show(ui, &replayed),
    };
    match shown {
        // A reader that has seen enough changes nothing about how it came out.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        shown => shown?,
    }
    Ok(if replayed.identical { 0 } else { DIFFERS })
}

fn replay(args: &ReplayArgs) -> Result<Replayed, Failure> {
    let recording = open(&args.recording)?;
    let (caplet, _notices) = host::caplet()?;
    let against = args.against.as_deref().map(|tool| Source::parse(tool).and_then(|source| caplet.load(&source)));
    let against = against.transpose()?;
    let failed = |error: io::Error| Failure::new(ErrorKind::Host, format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    Ok(runtime.block_on(caplet.replay(recording, against.as_ref()))?)
}

/// The recording that a person means.
fn open(text: &str) -> Result<Recording, Failure> {
    let path = Path::new(text);
    let is_path = text.contains('/') || path.extension().is_some_and(|extension| extension == "json");
    let (recordings, id) = match (is_path, path.file_stem().and_then(|stem| stem.to_str())) {
        (true, Some(id)) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            (Recordings::new(folder.unwrap_or(Path::new("."))), id.to_owned())
        }
        // Ids are written in capitals, and people type them as they like.
        _ => (recordings_in(&host::state_dir()?), text.to_ascii_uppercase()),
    };
    let (recording, digest) = recordings.open(&id).map_err(Error::from)?;
    must_be_of_record(&id, &digest)?;
    Ok(recording)
}

/// Who can write the folder of recordings can make one that is sound in itself. What the call's record says of it cannot be made with it.
/// Where there is no such record, as on another machine, there is nothing to compare with.
fn must_be_of_record(id: &str, digest: &str) -> Result<(), Failure> {
    let record = match Reader::new(host::audit_dir()?).find(id) {
        Ok(Some(kept)) => kept.record,
        Ok(None) | Err(ReadError::Missing(_)) => return Ok(()),
        Err(error) => return Err(Failure::new(ErrorKind::Host, error.to_string())),
    };
    if record.recording.as_deref() == Some(digest) {
        return Ok(());
    }
    let what = "the audit log has another digest of it".to_owned();
    Err(Error::from(RecordingError::Changed { id: id.to_owned(), what }).into())
}

fn show(ui: &mut Ui, replayed: &Replayed) -> io::Result<()> {
    let what = visible_line(&format!("{} ({})", replayed.recording, replayed.recording.id)).into_owned();
    if let Some(incomplete) = &replayed.recording.incomplete {
        ui.warning(&format!("the recording is incomplete: {}", visible_line(incomplete)))?;
    }
    let Some(divergence) = &replayed.divergence else {
        return ui.line(format!("identical: {what}"));
    };
    ui.line(format!("differs: {what}"))?;
    ui.line(format!("first: {}", visible_line(divergence)))?;
    for op in &replayed.new_ops {
        ui.line(format!("+ {}", new_op(op)))?;
        if let Some(hint) = &op.hint {
            ui.help(&way_out(&visible_line(hint)))?;
        }
    }
    for op in &replayed.gone_ops {
        ui.line(format!("- {}", visible_line(op)))?;
    }
    match &replayed.output_diff {
        Some(diff) => ui.line(visible(diff).trim_end()),
        None => Ok(()),
    }
}

fn new_op(op: &NewOp) -> String {
    let verdict = match op.permitted {
        Some(true) => " (permitted)",
        Some(false) => " (denied)",
        None => "",
    };
    let answer = if op.known { "" } else { "; not in the recording" };
    format!("{}{verdict}{answer}", visible_line(&op.op))
}
