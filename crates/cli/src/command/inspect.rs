//! `caplet inspect`: what a tool is, without running it.

use caplet::audit::text::json_line;
use caplet::authority::Limits;
use caplet::read_component;
use clap::Args;

use crate::command::or_json;
use crate::facts::{Facts, show};
use crate::failure::{Failure, Stop};
use crate::toolbox::ToolboxOptions;
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet inspect file-read
  caplet inspect ./tool.wasm --json"#;

/// Show what a tool is and what it may do at most
///
/// Its digest, its contract, what it imports, its ceiling, and its functions with their JSON Schemas. Nothing is run.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// A tool of the toolbox, a built-in tool, or a path to a .wasm or .wat file
    tool: String,

    #[command(flatten)]
    toolbox: ToolboxOptions,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ui: &mut Ui, args: &InspectArgs) -> Result<u8, Stop> {
    let found = or_json(ui, args.json, args.toolbox.find(&args.tool))?;
    found.tell(ui)?;
    let read = read_component(&found.source, &Limits::default()).map_err(Failure::from);
    let component = or_json(ui, args.json, read)?;
    let facts = Facts::new(&args.tool, &component);
    if args.json {
        ui.json(&json_line(&facts).map_err(std::io::Error::from)?)?;
    } else {
        show(ui, &facts)?;
    }
    Ok(0)
}
