//! `caplet drop`: forgets what calls have changed in an overlay.

use caplet::audit::text::json_line;
use clap::Args;
use serde::Serialize;

use super::changes::{ChangeOptions, Told, choice, failed, line};
use crate::failure::Stop;
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet drop ./repo
  caplet drop ./repo src/main.rs"#;

/// Forget what calls have changed in an overlay
///
/// DIR was never touched, so nothing in it changes; what the calls wrote is lost. The changes to a DIR that is gone can be dropped too.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DropArgs {
    #[command(flatten)]
    options: ChangeOptions,
}

#[derive(Serialize)]
struct Report {
    dropped: Vec<Told>,
}

pub(crate) fn run(ui: &mut Ui, args: &DropArgs) -> Result<u8, Stop> {
    let options = &args.options;
    let dropped = match options.all_of_gone()? {
        Some(dropped) => dropped,
        None => match options.open()? {
            Some(overlay) => overlay.discard(choice(&options.chosen())).map_err(|error| failed(&error))?,
            None => options.pick(Vec::new())?,
        },
    };
    if options.json {
        let report = Report { dropped: dropped.iter().map(Told::from).collect() };
        ui.json(&json_line(&report).map_err(std::io::Error::from)?)?;
        return Ok(0);
    }
    for change in &dropped {
        ui.line(line(change))?;
    }
    match dropped.len() {
        0 => ui.note("nothing has changed")?,
        dropped => ui.note(&format!("{dropped} changes dropped"))?,
    }
    Ok(0)
}
