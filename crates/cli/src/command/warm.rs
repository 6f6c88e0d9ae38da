//! `caplet warm`: tools compiled before they are called.

use std::io;
use std::time::Instant;

use caplet::audit::text::{json_line, visible_line};
use caplet::audit::{ErrorInfo, ErrorKind};
use caplet::{Caplet, Warmth};
use clap::Args;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::toolbox::ToolboxOptions;
use crate::ui::{Ui, style};

/// The exit code when a tool hit a limit.
const HIT_LIMIT: u8 = 5;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet warm --all
  caplet warm ./tool.wasm --limit compile=10m
  caplet warm editor notes --config ./caplet.toml"#;

/// Compile tools now, so that their first call does not wait
///
/// A tool is compiled when it is first called, unless its code is kept from before; that takes seconds for a tool of many megabytes. This
/// compiles what is not kept yet, and nothing is run. A tool that cannot be compiled does not hold up the others; the exit code is then
/// that of the first such tool.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct WarmArgs {
    /// Tools of the toolbox, built-in ones, or paths to .wasm or .wat files
    #[arg(value_name = "TOOL", required_unless_present = "all", conflicts_with = "all")]
    tools: Vec<String>,

    /// Every tool that `caplet tools` lists
    #[arg(long)]
    all: bool,

    /// Set a limit, such as compile=10m; code that was compiled with more time is used by every later call
    #[arg(long, value_name = "KEY=VALUE")]
    limit: Vec<String>,

    #[command(flatten)]
    toolbox: ToolboxOptions,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `warm --json` prints.
#[derive(Serialize)]
struct Listing<'a> {
    tools: &'a [Warmed],
}

/// What became of a tool.
#[derive(Serialize)]
struct Warmed {
    tool: String,
    digest: Option<String>,
    /// `compiled`, `warm` or `failed`.
    state: &'static str,
    /// How long that took.
    wall_ms: u128,
    error: Option<ErrorInfo>,
}

pub(crate) fn run(ui: &mut Ui, args: &WarmArgs) -> Result<u8, Stop> {
    let names = or_json(ui, args.json, args.names())?;
    // Code that cannot be kept would be compiled for nothing.
    or_json(ui, args.json, host::cache())?;
    let (caplet, notices) = or_json(ui, args.json, host::caplet())?;
    let failed = |error: io::Error| Failure::new(ErrorKind::Host, format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let (mut done, mut code) = (Vec::new(), 0);
    for name in names {
        let started = Instant::now();
        let ended = warm(ui, &runtime, &caplet, args, &name);
        notices.show(ui);
        let wall_ms = started.elapsed().as_millis();
        let warmed = match ended {
            Ok((digest, warmth)) => {
                let state = if warmth == Warmth::Compiled { "compiled" } else { "warm" };
                Warmed { tool: name, digest: Some(digest), state, wall_ms, error: None }
            }
            Err(failure) => {
                code = if code == 0 { exit_code(&failure) } else { code };
                if !args.json {
                    ui.failure(&failure)?;
                }
                Warmed { tool: name, digest: None, state: "failed", wall_ms, error: Some(failure.info) }
            }
        };
        if !args.json {
            show(ui, &warmed, width)?;
        }
        done.push(warmed);
    }
    if args.json {
        ui.json(&json_line(&Listing { tools: &done }).map_err(io::Error::from)?)?;
    }
    Ok(code)
}

impl WarmArgs {
    /// The tools that are meant.
    fn names(&self) -> Result<Vec<String>, Failure> {
        if !self.all {
            return Ok(self.tools.clone());
        }
        let toolbox = self.toolbox.load()?.toolbox;
        // A profile has no tools but its own.
        let is_free = |name: &str| toolbox.profile_name().is_none() && toolbox.tool(name).is_none();
        let built_in = Caplet::built_in().map(|tool| tool.name).filter(|name| is_free(name));
        Ok(toolbox.names().chain(built_in).map(str::to_owned).collect())
    }
}

/// Compiles one tool as its calls would, and gives its digest.
fn warm(
    ui: &mut Ui,
    runtime: &Runtime,
    caplet: &Caplet,
    args: &WarmArgs,
    name: &str,
) -> Result<(String, Warmth), Failure> {
    let found = args.toolbox.find(name)?;
    // Not worth failing for when standard error is gone.
    let _ = found.tell(ui);
    let mut grant = found.grant()?;
    for limit in &args.limit {
        grant.limit(limit)?;
    }
    let tool = caplet.load_within(&found.source, &grant.limits())?;
    let warmth = runtime.block_on(tool.warm(&grant)).map_err(|info| Failure { info, excerpt: None })?;
    Ok((tool.digest().to_string(), warmth))
}

/// Out of time to compile is a limit, as it is for a call.
fn exit_code(failure: &Failure) -> u8 {
    match failure.info.kind {
        ErrorKind::Timeout => HIT_LIMIT,
        _ => failure.exit_code(),
    }
}

fn show(ui: &mut Ui, warmed: &Warmed, width: usize) -> io::Result<()> {
    let (name, bad) = (style::NOTE, style::ERROR);
    let told = match warmed.state {
        "compiled" => format!("compiled in {} ms", warmed.wall_ms),
        "warm" => "was warm".to_owned(),
        _ => format!("{bad}failed{bad:#}"),
    };
    ui.line(format_args!("{name}{:width$}{name:#}  {told}", visible_line(&warmed.tool)))?;
    ui.flush()
}
