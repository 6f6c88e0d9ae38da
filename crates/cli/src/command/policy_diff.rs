//! `caplet policy diff`: does a new version ask for more?

use std::path::Path;

use caplet::audit::text::{json_line, visible_line};
use caplet::authority::Limits;
use caplet::component::Manifest;
use caplet::{Difference, difference, read_component};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::command::check::{manifest_failure, read_manifest};
use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::toolbox::ToolboxOptions;
use crate::ui::{Ui, style};

/// The exit code when the new version asks for more, or could not be proven not to.
const ASKS_FOR_MORE: u8 = 3;

/// Compare what tools may do
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

/// The verbs of `policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    Diff(DiffArgs),
}

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet policy diff old/agent-tool.toml new/agent-tool.toml
  caplet policy diff tool-1.0.wasm tool-1.1.wasm --json"#;

/// Say whether a new version of a tool asks for more than the old one
///
/// Both are manifests (.toml), .wasm or .wat files, or tools of the toolbox or built-in ones. The answer is a proof, not a comparison of text: each
/// thing that only NEW may do is shown with an example of it. Exits with 0 when NEW asks for nothing more, with 3 when it does,
/// or when the proof was given up because the rules are too intricate.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DiffArgs {
    /// The version that is trusted
    old: String,

    /// The version in question
    new: String,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    toolbox: ToolboxOptions,
}

pub(crate) fn run(ui: &mut Ui, command: &PolicyCommand) -> Result<u8, Stop> {
    let PolicyCommand::Diff(args) = command;
    let both = read(args, &args.old).and_then(|old| Ok((old, read(args, &args.new)?)));
    let (old, new) = or_json(ui, args.json, both)?;
    let found = difference(old.as_ref(), new.as_ref());
    if args.json {
        ui.json(&json_line(&Report::new(args, &found)).map_err(std::io::Error::from)?)?;
    } else {
        show(ui, args, &found)?;
    }
    Ok(if found.is_empty() { 0 } else { ASKS_FOR_MORE })
}

/// The manifest of one side, if it has one.
fn read(args: &DiffArgs, text: &str) -> Result<Option<Manifest>, Failure> {
    let path = Path::new(text);
    if path.extension().is_some_and(|extension| extension == "toml") {
        let content = read_manifest(path)?;
        return Manifest::parse(&content).map(Some).map_err(|error| manifest_failure(path, &content, error));
    }
    let found = args.toolbox.find(text)?;
    Ok(read_component(&found.source, &Limits::default())?.manifest)
}

fn show(ui: &mut Ui, args: &DiffArgs, found: &Difference) -> std::io::Result<()> {
    let (good, bad, quiet) = (style::GOOD, style::ERROR, style::QUIET);
    let (old, new) = (visible_line(&args.old), visible_line(&args.new));
    if found.is_empty() {
        return ui.line(format_args!("{good}proven:{good:#} {new} asks for nothing that {old} does not"));
    }
    for widened in &found.widened {
        let function =
            widened.function.as_deref().map(|function| format!("{}: ", visible_line(function))).unwrap_or_default();
        let rule = visible_line(&widened.rule);
        ui.line(format_args!("{bad}wider:{bad:#}  {function}{rule}  {quiet}({}){quiet:#}", widened.class.as_str()))?;
        ui.line(format_args!("        such as {}", visible_line(&widened.witness.to_string())))?;
    }
    for raised in &found.raised {
        ui.line(format_args!("{bad}higher:{bad:#} limit {} from {} to {}", raised.key, raised.from, raised.to))?;
    }
    for reason in &found.unproven {
        ui.line(format_args!("{bad}not proven:{bad:#} {}", visible_line(reason)))?;
    }
    if found.widened.is_empty() && found.raised.is_empty() {
        return Ok(());
    }
    ui.line(format_args!("{new} asks for more than {old}"))
}

/// The comparison as JSON.
#[derive(Serialize)]
struct Report<'a> {
    old: &'a str,
    new: &'a str,
    proven: bool,
    widened: Vec<WidenedFact<'a>>,
    raised: Vec<RaisedFact<'a>>,
    unproven: &'a [String],
}

#[derive(Serialize)]
struct WidenedFact<'a> {
    function: Option<&'a str>,
    capability: &'static str,
    rule: &'a str,
    witness: String,
}

#[derive(Serialize)]
struct RaisedFact<'a> {
    limit: &'a str,
    from: &'a str,
    to: &'a str,
}

impl<'a> Report<'a> {
    fn new(args: &'a DiffArgs, found: &'a Difference) -> Self {
        let widened = found.widened.iter().map(|widened| WidenedFact {
            function: widened.function.as_deref(),
            capability: widened.class.as_str(),
            rule: &widened.rule,
            witness: widened.witness.to_string(),
        });
        let raised =
            found.raised.iter().map(|raised| RaisedFact { limit: &raised.key, from: &raised.from, to: &raised.to });
        Self {
            old: &args.old,
            new: &args.new,
            proven: found.unproven.is_empty(),
            widened: widened.collect(),
            raised: raised.collect(),
            unproven: &found.unproven,
        }
    }
}
