//! `caplet tools`: what there is to run.

use caplet::audit::text::{json_line, visible_line};
use caplet::authority::Limits;
use caplet::component::Component;
use caplet::{Caplet, Source, read_component};
use clap::Args;
use serde::Serialize;

use crate::facts::ManifestFact;
use crate::failure::Stop;
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet tools
  caplet tools --json"#;

/// List the tools that come with caplet
///
/// For each what it does, and its ceiling: what it may do at most, whatever you grant.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ToolsArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `tools --json` prints.
#[derive(Serialize)]
struct Listing<'a> {
    tools: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'static str,
    digest: String,
    functions: Vec<&'a str>,
    manifest: Option<ManifestFact<'a>>,
}

pub(crate) fn run(ui: &mut Ui, args: &ToolsArgs) -> Result<u8, Stop> {
    let read = |tool| Ok((tool, read_component(&Source::BuiltIn(tool), &Limits::default())?));
    let components = Caplet::built_in().map(read).collect::<Result<Vec<_>, caplet::Error>>()?;
    let listing =
        Listing { tools: components.iter().map(|(tool, component)| Listed::new(tool.name, component)).collect() };
    if args.json {
        ui.json(&json_line(&listing).map_err(std::io::Error::from)?)?;
        return Ok(0);
    }
    let width = listing.tools.iter().map(|tool| tool.name.len()).max().unwrap_or(0);
    for tool in &listing.tools {
        show(ui, tool, width)?;
    }
    Ok(0)
}

impl<'a> Listed<'a> {
    fn new(name: &'static str, component: &'a Component) -> Self {
        Self {
            name,
            digest: component.digest.to_string(),
            functions: component.tools.iter().map(|tool| tool.function.as_str()).collect(),
            manifest: component.manifest.as_ref().map(ManifestFact::new),
        }
    }
}

fn show(ui: &mut Ui, tool: &Listed<'_>, width: usize) -> std::io::Result<()> {
    let (name, quiet) = (style::NOTE, style::QUIET);
    let description = tool.manifest.as_ref().and_then(|manifest| manifest.description()).unwrap_or_default();
    ui.line(format_args!("{name}{:width$}{name:#}  {}", tool.name, visible_line(description)))?;
    let rules = tool.manifest.as_ref().map(ManifestFact::rules).unwrap_or_default();
    let at_most = if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") };
    ui.line(format_args!("{:width$}  {quiet}at most: {}{quiet:#}", "", visible_line(&at_most)))
}
