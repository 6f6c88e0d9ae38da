//! `caplet remove`: takes a tool out of a toolbox, and its pin out of the lock.

use caplet::ToolboxEdit;
use clap::Args;

use crate::failure::Stop;
use crate::target::TargetOptions;
use crate::toolbox::Changing;
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet remove editor
  caplet remove editor --config ./caplet.toml"#;

/// Take a tool out of the toolbox
///
/// Its table goes, with the comment right above it, and its pin in caplet.lock. The tool's file and its data stay.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct RemoveArgs {
    /// The tool's name in the toolbox
    name: String,

    #[command(flatten)]
    target: TargetOptions,
}

pub(crate) fn run(ui: &mut Ui, args: &RemoveArgs) -> Result<u8, Stop> {
    let path = args.target.path()?;
    let mut edit = ToolboxEdit::open(&path)?;
    edit.remove(&args.name)?;
    let changing = Changing::begin(&path)?;
    edit.save(&args.name, None)?;
    changing.end()?;
    ui.note(&format!("{} is not in {} any more", args.name, path.display()))?;
    Ok(0)
}
