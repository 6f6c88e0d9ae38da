//! `caplet tools`: what there is to run.

use std::path::Path;

use caplet::audit::text::{json_line, visible_line};
use caplet::authority::Limits;
use caplet::component::Component;
use caplet::{Caplet, Configured, Notice, Source, Toolbox, in_words, read_component, remembered_component};
use clap::Args;
use serde::Serialize;

use crate::command::or_json;
use crate::facts::ManifestFact;
use crate::failure::Stop;
use crate::host;
use crate::toolbox::ToolboxOptions;
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet tools
  caplet tools --json"#;

/// List the tools of the toolbox and those that come with caplet
///
/// For each what it does, and its ceiling: what it may do at most, whatever you grant; for one of the toolbox also where it comes from.
/// A built-in tool whose name the toolbox has is not listed: the name means the other. What of a ./caplet.toml that you do not trust is not
/// applied is told after the list.
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
    /// What of the project's file is not applied.
    not_applied: Vec<NotApplied<'a>>,
}

#[derive(Serialize)]
struct NotApplied<'a> {
    file: &'a Path,
    line: usize,
    key: &'a str,
    reason: &'a str,
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
    /// The project's file that takes something from it.
    narrowed_by: Option<&'a Path>,
    /// Whether agents are not offered it.
    hidden: bool,
    /// What the toolbox says that it is for.
    description: Option<&'a str>,
    /// Why nothing is known of it.
    error: Option<&'a str>,
}

/// A tool that there is.
struct Known<'t> {
    name: &'t str,
    configured: Option<Configured<'t>>,
    source: Source,
    component: Result<Component, String>,
}

pub(crate) fn run(ui: &mut Ui, args: &ToolsArgs) -> Result<u8, Stop> {
    let loaded = or_json(ui, args.json, args.toolbox.load())?;
    let known = known(&loaded.toolbox);
    let notices: Vec<Notice> = loaded.layers.notices().iter().cloned().chain(loaded.layers.wider(None)).collect();
    let listing = Listing {
        tools: known.iter().map(Listed::new).collect(),
        not_applied: notices.iter().map(NotApplied::new).collect(),
    };
    if args.json {
        ui.json(&json_line(&listing).map_err(std::io::Error::from)?)?;
        return Ok(0);
    }
    let width = listing.tools.iter().map(|tool| tool.name.len()).max().unwrap_or(0);
    for tool in &listing.tools {
        show(ui, tool, width)?;
    }
    ui.flush()?;
    loaded.tell(ui, None, &notices)?;
    Ok(0)
}

/// All tools: those of the toolbox, then the built-in ones whose names are not taken, which are in no profile.
fn known(toolbox: &Toolbox) -> Vec<Known<'_>> {
    // Without it, which is nobody's fault here, all are read anew.
    let cache = host::cache().ok();
    let configured = toolbox.tools().map(|tool| (tool.name(), Some(tool), tool.source().clone()));
    let is_free = |name: &str| toolbox.profile_name().is_none() && toolbox.tool(name).is_none();
    let built_in = Caplet::built_in().filter(|tool| is_free(tool.name));
    let built_in = built_in.map(|tool| (tool.name, None, Source::BuiltIn(tool)));
    configured
        .chain(built_in)
        .map(|(name, configured, source)| {
            let limits = Limits::default();
            let component = match &cache {
                Some(cache) => remembered_component(cache, &source, &limits),
                None => read_component(&source, &limits),
            };
            let component = component.map_err(|error| error.to_string());
            Known { name, configured, source, component }
        })
        .collect()
}

impl<'a> Listed<'a> {
    fn new(known: &'a Known<'_>) -> Self {
        let Known { name, configured, source, component } = known;
        let found = component.as_ref().ok();
        let functions = found.map(|component| component.tools.iter().map(|tool| tool.function.as_str()).collect());
        Self {
            name,
            digest: found.map(|component| component.digest.to_string()),
            functions: functions.unwrap_or_default(),
            manifest: found.and_then(|component| component.manifest.as_ref()).map(ManifestFact::new),
            toolbox: configured.map(|tool| tool.file()),
            source: configured.map(|_| origin(source)),
            narrowed_by: configured.and_then(|tool| tool.narrowed_by()),
            hidden: configured.is_some_and(|tool| tool.is_hidden()),
            description: configured.and_then(|tool| tool.description()),
            error: component.as_ref().err().map(String::as_str),
        }
    }
}

impl<'a> NotApplied<'a> {
    fn new(notice: &'a Notice) -> Self {
        Self { file: &notice.path, line: notice.line, key: &notice.key, reason: &notice.reason }
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
    let authors = || tool.manifest.as_ref().and_then(|manifest| manifest.description());
    let description = tool.description.or_else(authors).unwrap_or_default();
    ui.line(format_args!("{name}{:width$}{name:#}  {}", tool.name, visible_line(description)))?;
    if let (Some(toolbox), Some(source)) = (tool.toolbox, &tool.source) {
        let from = format!("{source}, in {}", toolbox.display());
        ui.line(format_args!("{:width$}  {quiet}from: {}{quiet:#}", "", visible_line(&from)))?;
    }
    if let Some(project) = tool.narrowed_by {
        let project = project.display().to_string();
        ui.line(format_args!("{:width$}  {quiet}narrowed by: {}{quiet:#}", "", visible_line(&project)))?;
    }
    if tool.hidden {
        ui.line(format_args!("{:width$}  {quiet}hidden from agents{quiet:#}", ""))?;
    }
    if let Some(error) = tool.error {
        let bad = style::ERROR;
        return ui.line(format_args!("{:width$}  {bad}cannot be used:{bad:#} {}", "", visible_line(error)));
    }
    let rules = tool.manifest.as_ref().map(ManifestFact::rules).unwrap_or_default();
    if rules.is_empty() {
        return ui.line(format_args!("{:width$}  {quiet}at most: nothing but compute{quiet:#}", ""));
    }
    ui.line(format_args!("{:width$}  {quiet}at most:{quiet:#}", ""))?;
    for rule in rules {
        ui.line(format_args!("{:width$}    {quiet}{}{quiet:#}", "", visible_line(&in_words(rule))))?;
    }
    Ok(())
}
