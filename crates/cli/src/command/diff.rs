//! `caplet diff`: what calls have changed in an overlay.

use caplet::audit::text::json_line;
use caplet::vfs::overlay::Changes;
use clap::Args;
use serde::Serialize;

use super::changes::{ChangeOptions, Told, failed, line, summary};
use crate::failure::Stop;
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet run file-edit --mount /w=overlay:./repo --allow 'write:/w/**' --args '{…}'
  caplet diff ./repo
  caplet diff ./repo src --stat"#;

/// Show what calls have changed in an overlay
///
/// Calls with --mount GUEST=overlay:DIR leave DIR as it is; their changes are kept aside. This shows them as a unified diff, with a
/// summary on standard error. What somebody else has changed in DIR since then is a conflict and said so.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    options: ChangeOptions,

    /// One line for each change instead of a diff
    #[arg(long)]
    stat: bool,
}

#[derive(Serialize)]
struct Listing {
    changes: Vec<Told>,
    added: usize,
    changed: usize,
    removed: usize,
    bytes: u64,
    conflicts: usize,
}

pub(crate) fn run(ui: &mut Ui, args: &DiffArgs) -> Result<u8, Stop> {
    let options = &args.options;
    let overlay = options.open()?;
    let mut changes = Changes::default();
    if let Some(overlay) = &overlay {
        changes = overlay.changes().map_err(|error| failed(&error))?;
    }
    changes.list = options.pick(changes.list)?;
    let counted = changes.summary();
    if options.json {
        let listing = Listing {
            changes: changes.list.iter().map(Told::from).collect(),
            added: counted.added,
            changed: counted.changed,
            removed: counted.removed,
            bytes: counted.bytes,
            conflicts: counted.conflicts,
        };
        ui.json(&json_line(&listing).map_err(std::io::Error::from)?)?;
        return Ok(0);
    }
    if changes.list.is_empty() {
        ui.note("nothing has changed")?;
        return Ok(0);
    }
    if args.stat {
        for change in &changes.list {
            ui.line(line(change))?;
        }
    } else if let Some(overlay) = &overlay {
        let mut text = Vec::new();
        overlay.diff(&changes.list, &mut text).map_err(|error| failed(&error))?;
        ui.tool_text(&String::from_utf8_lossy(&text))?;
        for change in changes.list.iter().filter(|change| change.conflict.is_some()) {
            ui.warning(&line(change))?;
        }
    }
    ui.note(&summary(counted))?;
    Ok(0)
}
