//! `caplet commit`: applies what calls have changed in an overlay.

use caplet::audit::text::json_line;
use caplet::vfs::overlay::{Change, Committed, OverlayError, OverlayStore};
use clap::Args;
use serde::Serialize;

use super::changes::{ChangeOptions, Told, choice, failed, line};
use crate::failure::{Failure, Stop};
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet commit ./repo
  caplet commit ./repo src/main.rs docs"#;

/// The exit code where something stands in the way.
const CONFLICT: u8 = 1;

/// Apply what calls have changed in an overlay
///
/// Each file is replaced as a whole. If anything that was chosen is in conflict with what somebody else has changed in DIR since,
/// nothing is applied at all, and the conflicts are listed. A commit that was cut short goes on when it is called again.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CommitArgs {
    #[command(flatten)]
    options: ChangeOptions,
}

#[derive(Serialize)]
struct Report {
    applied: Vec<Told>,
    conflicts: Vec<Told>,
}

/// Tells what was applied before an error: what was a change, and is none any more.
fn cut_short(
    ui: &mut Ui,
    options: &ChangeOptions,
    overlay: &OverlayStore,
    before: Vec<Change>,
    error: &OverlayError,
) -> Result<Failure, Stop> {
    let mut failure = failed(error);
    let Ok(after) = overlay.changes() else { return Ok(failure) };
    let is_left =
        |change: &Change| after.list.iter().any(|left| (&left.path, left.kind) == (&change.path, change.kind));
    let applied: Vec<Change> = before.into_iter().filter(|change| !is_left(change)).collect();
    if applied.is_empty() {
        return Ok(failure);
    }
    if !options.json {
        for change in &applied {
            ui.line(line(change))?;
        }
    }
    failure.info.message.push_str(&format!("; {} changes were applied before", applied.len()));
    Ok(failure.with_hint("the others are kept; commit again when that is settled"))
}

pub(crate) fn run(ui: &mut Ui, args: &CommitArgs) -> Result<u8, Stop> {
    let options = &args.options;
    let mut committed = Committed::default();
    if let Some(overlay) = options.open()? {
        let before = overlay.changes().map_err(|error| failed(&error))?.list;
        if !before.is_empty() || !options.paths.is_empty() {
            committed = match overlay.commit(choice(&options.chosen())) {
                Ok(committed) => committed,
                Err(error) => return Err(cut_short(ui, options, &overlay, before, &error)?.into()),
            };
        }
    } else {
        options.pick(Vec::new())?;
    }
    let code = if committed.conflicts.is_empty() { 0 } else { CONFLICT };
    if options.json {
        let told = |changes: &[Change]| changes.iter().map(Told::from).collect();
        let report = Report { applied: told(&committed.applied), conflicts: told(&committed.conflicts) };
        ui.json(&json_line(&report).map_err(std::io::Error::from)?)?;
        return Ok(code);
    }
    for change in &committed.applied {
        ui.line(line(change))?;
    }
    for change in &committed.conflicts {
        ui.error(&line(change))?;
    }
    match (committed.applied.len(), committed.conflicts.len()) {
        (0, 0) => ui.note("nothing has changed")?,
        (applied, 0) => ui.note(&format!("{applied} changes applied"))?,
        (0, _) => ui.help("nothing was applied; commit other paths, or drop these with `caplet drop DIR PATH`")?,
        (applied, _) => ui.help(&format!("{applied} changes were applied before; the others are kept"))?,
    }
    Ok(code)
}
