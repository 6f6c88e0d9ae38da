//! `caplet explain`: would this op be permitted, and by whom?

use caplet::Explained;
use caplet::audit::text::{json_line, visible_line};
use clap::Args;
use serde::Serialize;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::options::GrantOptions;
use crate::toolbox::ToolboxOptions;
use crate::ui::{Ui, style};

/// The exit code for an op that would be denied.
const DENIED: u8 = 3;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet explain file-write 'write /etc/passwd' --allow 'write:/**'
  caplet explain ./tool.wasm 'GET https://example.com/x' --function fetch --json"#;

/// Say whether a tool may do something, layer by layer
///
/// OP is what the tool would ask for: "read /path", "write /path", "GET https://host/path", "env NAME", "config KEY",
/// "kv-read BUCKET/KEY", "kv-write BUCKET/KEY", "clock 1ms", "random", "secret NAME@URL", "call TOOL". Give the same --allow,
/// --deny, --ask, --mount and --ceiling as for `run`: the verdict is the one that `run` would come to. Nothing is run, and nobody is
/// asked. Exits with 0 when the op is permitted, with 3 when it is denied or depends on an answer.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// A tool of the toolbox, a built-in tool, or a path to a .wasm or .wat file
    tool: String,

    /// What the tool would ask for
    op: String,

    /// The function of the tool that would ask
    #[arg(long, value_name = "NAME")]
    function: Option<String>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    toolbox: ToolboxOptions,

    #[command(flatten)]
    grant: GrantOptions,
}

pub(crate) fn run(ui: &mut Ui, args: &ExplainArgs) -> Result<u8, Stop> {
    let explained = explain(ui, args);
    let explained = or_json(ui, args.json, explained)?;
    if args.json {
        ui.json(&json_line(&Report::new(args, &explained)).map_err(std::io::Error::from)?)?;
    } else {
        show(ui, &explained)?;
    }
    Ok(if explained.is_permitted() { 0 } else { DENIED })
}

fn explain(ui: &mut Ui, args: &ExplainArgs) -> Result<Explained, Failure> {
    let found = args.toolbox.find(&args.tool)?;
    // Not worth failing for when standard error is gone.
    let _ = found.tell_all(ui);
    let grant = args.grant.resolve(&found)?;
    let (caplet, _) = host::caplet()?;
    let tool = caplet.load_within(&found.source, &grant.limits())?.named(found.name);
    Ok(caplet.explain(&tool, args.function.as_deref(), &grant, &args.op)?)
}

fn show(ui: &mut Ui, explained: &Explained) -> std::io::Result<()> {
    let (good, bad, quiet) = (style::GOOD, style::ERROR, style::QUIET);
    ui.line(visible_line(&explained.op))?;
    for layer in &explained.layers {
        let (style, word) = match (layer.permits, layer.asks) {
            (true, _) => (good, "permits"),
            (false, true) => (style::WARNING, "asks   "),
            (false, false) => (bad, "denies "),
        };
        let rule = visible_line(&layer.rule);
        ui.line(format_args!("  {:9} {style}{word}{style:#}  {quiet}{rule}{quiet:#}", layer.layer))?;
    }
    match (explained.denied_by(), explained.asked_by()) {
        (None, None) => ui.line(format_args!("{good}permitted{good:#}"))?,
        (None, Some(layer)) => {
            let asks = style::WARNING;
            ui.line(format_args!("{asks}asked about{asks:#}: a rule of the {layer} layer says so"))?;
        }
        (Some(layer), _) => ui.line(format_args!("{bad}denied{bad:#} by the {layer} layer"))?,
    }
    ui.flush()?;
    if let Some(hint) = &explained.hint {
        ui.help(&crate::report::way_out(hint))?;
    }
    explained.notes.iter().try_for_each(|note| ui.note(note))
}

/// The verdict as JSON.
#[derive(Serialize)]
struct Report<'a> {
    tool: &'a str,
    function: Option<&'a str>,
    op: &'a str,
    verdict: &'static str,
    layers: Vec<LayerFact<'a>>,
    hint: Option<&'a str>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct LayerFact<'a> {
    layer: String,
    verdict: &'static str,
    rule: &'a str,
}

fn verdict(permitted: bool, asks: bool) -> &'static str {
    match (permitted, asks) {
        (true, _) => "permitted",
        (false, true) => "asked",
        (false, false) => "denied",
    }
}

impl<'a> Report<'a> {
    fn new(args: &'a ExplainArgs, explained: &'a Explained) -> Self {
        let layers = explained.layers.iter().map(|layer| LayerFact {
            layer: layer.layer.to_string(),
            verdict: verdict(layer.permits, layer.asks),
            rule: &layer.rule,
        });
        Self {
            tool: &args.tool,
            function: args.function.as_deref(),
            op: &explained.op,
            verdict: verdict(explained.is_permitted(), explained.asked_by().is_some()),
            layers: layers.collect(),
            hint: explained.hint.as_deref(),
            notes: &explained.notes,
        }
    }
}
