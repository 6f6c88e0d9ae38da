//! `caplet tools`: what there is to run.

use std::path::Path;

use caplet::audit::text::{json_line, visible_line};
use caplet::authority::Limits;
use caplet::component::Component;
use caplet::{Caplet, Source, Toolbox, read_component};
use clap::Args;
use serde::Serialize;

use crate::command::or_json;
use crate::facts::ManifestFact;
use crate::failure::Stop;
use crate::toolbox::ToolboxOptions;
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet tools
  caplet tools --json"#;

/// List the tools of the toolbox and those that come with caplet
///
/// For each what it does, and its ceiling: what it may do at most, whatever you grant; for one of the toolbox also where it comes from.
/// A built-in tool whose name the toolbox has is not listed: the name means the other.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ToolsArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    toolbox: ToolboxOptions,
}

/// What `tools --json` prints.
#[derive(Serialize)]
struct Listing<'a> {
    tools: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    digest: Option<String>,
    functions: Vec<&'a str>,
    manifest: Option<ManifestFact<'a>>,
    /// For a tool of the toolbox: the file that it is in, and where it comes from.
    toolbox: Option<&'a Path>,
    source: Option<String>,
    /// Why nothing is known of it.
    error: Option<&'a str>,
}

/// A tool that there is.
struct Known<'t> {
    name: &'t str,
    toolbox: Option<&'t Path>,
    source: Source,
    component: Result<Component, String>,
}

pub(crate) fn run(ui: &mut Ui, args: &ToolsArgs) -> Result<u8, Stop> {
    let toolbox = or_json(ui, args.json, args.toolbox.read())?;
    let known = known(toolbox.as_ref());
    let listing = Listing { tools: known.iter().map(Listed::new).collect() };
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

/// All tools: those of the toolbox, then the built-in ones whose names are not taken.
fn known(toolbox: Option<&Toolbox>) -> Vec<Known<'_>> {
    let configured = toolbox.iter().flat_map(|toolbox| toolbox.tools().map(|tool| (tool, toolbox.path())));
    let configured = configured.map(|(tool, path)| (tool.name(), Some(path), tool.source().clone()));
    let is_free = |name: &str| toolbox.is_none_or(|toolbox| toolbox.tool(name).is_none());
    let built_in = Caplet::built_in().filter(|tool| is_free(tool.name));
    let built_in = built_in.map(|tool| (tool.name, None, Source::BuiltIn(tool)));
    configured
        .chain(built_in)
        .map(|(name, toolbox, source)| {
            let component = read_component(&source, &Limits::default()).map_err(|error| error.to_string());
            Known { name, toolbox, source, component }
        })
        .collect()
}

impl<'a> Listed<'a> {
    fn new(known: &'a Known<'_>) -> Self {
        let Known { name, toolbox, source, component } = known;
        let found = component.as_ref().ok();
        let functions = found.map(|component| component.tools.iter().map(|tool| tool.function.as_str()).collect());
        Self {
            name,
            digest: found.map(|component| component.digest.to_string()),
            functions: functions.unwrap_or_default(),
            manifest: found.and_then(|component| component.manifest.as_ref()).map(ManifestFact::new),
            toolbox: *toolbox,
            source: toolbox.map(|_| origin(source)),
            error: component.as_ref().err().map(String::as_str),
        }
    }
}

/// Where a tool comes from.
fn origin(source: &Source) -> String {
    match source {
        Source::Path(path) => path.display().to_string(),
        source => source.name(),
    }
}

fn show(ui: &mut Ui, tool: &Listed<'_>, width: usize) -> std::io::Result<()> {
    let (name, quiet) = (style::NOTE, style::QUIET);
    let description = tool.manifest.as_ref().and_then(|manifest| manifest.description()).unwrap_or_default();
    ui.line(format_args!("{name}{:width$}{name:#}  {}", tool.name, visible_line(description)))?;
    if let (Some(toolbox), Some(source)) = (tool.toolbox, &tool.source) {
        let from = format!("{source}, in {}", toolbox.display());
        ui.line(format_args!("{:width$}  {quiet}from: {}{quiet:#}", "", visible_line(&from)))?;
    }
    if let Some(error) = tool.error {
        let bad = style::ERROR;
        return ui.line(format_args!("{:width$}  {bad}cannot be used:{bad:#} {}", "", visible_line(error)));
    }
    let rules = tool.manifest.as_ref().map(ManifestFact::rules).unwrap_or_default();
    let at_most = if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") };
    ui.line(format_args!("{:width$}  {quiet}at most: {}{quiet:#}", "", visible_line(&at_most)))
}
