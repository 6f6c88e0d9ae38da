//! `caplet learn`: the smallest grant that calls need.

use std::io;
use std::path::{Path, PathBuf};

use caplet::audit::text::json_line;
use caplet::audit::{ErrorInfo, ErrorKind, Outcome};
use caplet::learn::{Lessons, Proposal, Style};
use caplet::{CallContext, Caplet, Catalog, Grant, NewTool, Pin, Source, Tool, ToolboxEdit, parse_arguments};
use clap::Args;
use serde::Serialize;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::input::InputOptions;
use crate::options::GrantOptions;
use crate::signals::signalled;
use crate::toolbox::{Changing, ToolboxOptions};
use crate::ui::Ui;
use crate::{host, proposal};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet learn file-grep --args '{"pattern":"TODO","path":"src"}'
  caplet learn file-read -- '{"path":"a.txt"}' '{"path":"b.txt"}'
  caplet learn web-fetch --allow 'fetch:https://example.com/**' --args '{"url":"https://example.com/"}'
  caplet learn shell --args-file task.json --write ./caplet.toml"#;

/// Learn the smallest grant that a task needs
///
/// Makes one call for each --args, each JSON behind --, and each --args-file, in this order, and prints the rules that would have permitted just what they did, each
/// with what it rests on. Files need no rule for this: in the current directory, and in what --mount names, the tool may do what its ceiling
/// allows. Whatever it changes there is kept in memory, where the next call sees it, and gone in the end; so is what it puts into buckets.
/// Everything else is as you grant it: requests go out, secrets are used and other tools are called only if --allow says so, and then for real.
///
/// Where three things side by side were asked for, the rule is a pattern: `read:/w/src/*.rs`. Patterns cover no hidden names and none that
/// credentials go by; those that were asked for, and addresses that are not public, stand apart to be looked at.
///
/// Exits as `run` does, by the first call that did not end well.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct LearnArgs {
    /// A tool of the toolbox or a built-in one (see `caplet tools`), or a path to a .wasm or .wat file
    tool: String,

    /// Which function of the tool; may be left out where there is one
    function: Option<String>,

    /// The tool's input as a JSON object; may be given more than once, for one call each
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    args: Vec<String>,

    /// Read the input of a call from a file; may be given more than once, and comes after --args
    #[arg(long, value_name = "FILE")]
    args_file: Vec<PathBuf>,

    /// The same as --args for each of them
    #[arg(last = true, value_name = "JSON")]
    calls: Vec<String>,

    /// Propose literal rules alone, and no patterns
    #[arg(long)]
    exact: bool,

    /// Print one JSON object with the proposal
    #[arg(long)]
    json: bool,

    /// Add the tool to the toolbox FILE with what is proposed, but for what is to be looked at
    ///
    /// FILE may not have a tool of this name. Comments and order stay as they are, and the tool is pinned in caplet.lock, as by `caplet add`.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    #[command(flatten)]
    toolbox: ToolboxOptions,

    #[command(flatten)]
    grant: GrantOptions,
}

pub(crate) fn run(ui: &mut Ui, args: &LearnArgs) -> Result<u8, Stop> {
    let learnt = learn(ui, args);
    let Learnt { tool, source, outcomes, proposal, interrupted } = or_json(ui, args.json, learnt)?;
    if args.json {
        let report = Report::new(args, &tool, &outcomes, &proposal);
        ui.json(&json_line(&report).map_err(io::Error::from)?)?;
    } else {
        outcomes.iter().enumerate().try_for_each(|(number, outcome)| ended(ui, number + 1, outcome))?;
        proposal::show(ui, tool.name(), &proposal, &mounts(&args.grant))?;
    }
    ui.flush()?;
    if let Some(file) = &args.write {
        write(ui, file, &source, &tool, &proposal, &args.grant)?;
    }
    let failed = outcomes.iter().map(Outcome::process_exit_code).find(|code| *code != 0);
    Ok(interrupted.or(failed).unwrap_or(0))
}

/// What came of the calls.
struct Learnt {
    tool: Tool,
    source: Source,
    outcomes: Vec<Outcome>,
    proposal: Proposal,
    /// The exit code of the signal that ended them, if one did.
    interrupted: Option<u8>,
}

/// Makes the catalog of the tools that the one that runs may call.
type Callees = Box<dyn FnOnce() -> Catalog + Send>;

fn learn(ui: &mut Ui, args: &LearnArgs) -> Result<Learnt, Failure> {
    let found = args.toolbox.find(&args.tool)?;
    // Not worth failing for when standard error is gone, here and below.
    let _ = found.tell(ui);
    let grant = args.grant.resolve(&found)?;
    let (caplet, notices) = host::caplet()?;
    let callees = found.callees(&caplet)?;
    let source = found.source.clone();
    let tool = caplet.load_within(&found.source, &grant.limits())?.named(found.name);
    if let Some(file) = &args.write {
        // Before anything is run.
        ToolboxEdit::open(file)?.add(&new_tool(file, &source, &tool, &args.grant)?)?;
    }
    let inputs = inputs(args, &grant)?;
    let mut lessons = lessons(&caplet, &tool, args, grant)?;
    let _ = ui.note(&format!(
        "{} may use the files of {} up to its ceiling; what it changes there is gone in the end",
        caplet::audit::text::visible_line(tool.name()),
        lessons.directories().join(", ")
    ));
    let called = call_all(&mut lessons, args, inputs, callees);
    notices.show(ui);
    let (outcomes, interrupted) = called?;
    let style = if args.exact { Style::Exact } else { Style::Patterns };
    Ok(Learnt { proposal: lessons.proposal(style), tool, source, outcomes, interrupted })
}

fn lessons(caplet: &Caplet, tool: &Tool, args: &LearnArgs, grant: Grant) -> Result<Lessons, Failure> {
    let function = args.function.as_deref();
    let only = || tool.component().tools.first().filter(|_| tool.component().tools.len() == 1);
    let known = function.or_else(|| only().map(|only| only.function.as_str()));
    Ok(caplet.learn(tool, known, grant)?)
}

/// The texts of the input of each call, at most as long as the limit of `grant`.
fn inputs(args: &LearnArgs, grant: &Grant) -> Result<Vec<String>, Failure> {
    let inline =
        args.args.iter().chain(&args.calls).map(|text| InputOptions { args: Some(text.clone()), args_file: None });
    let files = args.args_file.iter().map(|file| InputOptions { args: None, args_file: Some(file.clone()) });
    let mut options: Vec<InputOptions> = inline.chain(files).collect();
    if options.is_empty() {
        options.push(InputOptions { args: None, args_file: None });
    }
    options.iter().map(|input| input.read(grant.limits().arguments)).collect()
}

/// Makes the calls one after another, until a signal ends them.
fn call_all(
    lessons: &mut Lessons,
    args: &LearnArgs,
    inputs: Vec<String>,
    callees: Callees,
) -> Result<(Vec<Outcome>, Option<u8>), Failure> {
    let failed = |error: io::Error| Failure::new(ErrorKind::Host, format!("cannot start: {error}"));
    let inputs = inputs.iter().map(|input| parse_arguments(input)).collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let ended = runtime.block_on(async {
        let mut signal = Box::pin(signalled().map_err(failed)?);
        let mut interrupted = None;
        let mut outcomes = Vec::new();
        let context = CallContext::new().tools_when_called(callees);
        for input in inputs {
            let cancel = async { interrupted = Some((&mut signal).await) };
            outcomes.push(lessons.call_in(args.function.as_deref(), input, &context, cancel).await);
            if interrupted.is_some() {
                break;
            }
        }
        Ok((outcomes, interrupted))
    });
    // A host call that is still blocked must not hold up the end.
    runtime.shutdown_background();
    ended
}

/// Says how a call ended.
fn ended(ui: &mut Ui, number: usize, outcome: &Outcome) -> io::Result<()> {
    let ops = outcome.decisions.permitted;
    match &outcome.error {
        None => ui.note(&format!("call {number} ended {}, with {ops} ops permitted", outcome.outcome)),
        Some(error) => {
            ui.warning(&format!("call {number} ended {}: {}", outcome.outcome, error.message))?;
            error.hint.as_ref().map_or(Ok(()), |hint| ui.help(&crate::report::way_out(hint)))
        }
    }
}

/// The mounts that were asked for, as a line of the tool's table.
fn mounts(grant: &GrantOptions) -> Vec<String> {
    let pairs = grant.mount.iter().filter_map(|mount| mount.split_once('='));
    let text = |text: &str| toml_edit::Value::from(text).to_string();
    let pairs: Vec<String> = pairs.map(|(at, store)| format!("{} = {}", text(at), text(store))).collect();
    if pairs.is_empty() { Vec::new() } else { vec![format!("mounts = {{ {} }}", pairs.join(", "))] }
}

/// The tool with the mounts that were asked for and nothing granted, for the toolbox `file`.
fn new_tool(file: &Path, source: &Source, tool: &Tool, grant: &GrantOptions) -> Result<NewTool, Failure> {
    let here = host::current_dir()?;
    let mut new = NewTool::new(tool.name(), source, &here.join(file), &here)?;
    for mount in &grant.mount {
        new.mount(mount)?;
    }
    Ok(new)
}

/// Adds the tool to the toolbox `file`, with what is proposed but for what is to be looked at.
fn write(
    ui: &mut Ui,
    file: &Path,
    source: &Source,
    tool: &Tool,
    proposal: &Proposal,
    grant: &GrantOptions,
) -> Result<(), Stop> {
    let mut new = new_tool(file, source, tool, grant)?;
    for proposed in &proposal.allow {
        new.allow(&proposed.rule.to_string())?;
    }
    for rule in &proposal.deny {
        new.deny(&rule.to_string())?;
    }
    let mut edit = ToolboxEdit::open(file)?;
    edit.add(&new)?;
    let changing = Changing::begin(file)?;
    edit.save(tool.name(), Some(Pin::of(tool.name(), tool.component())))?;
    changing.end()?;
    ui.note(&format!("{} is in {}, pinned as {}", tool.name(), file.display(), tool.digest()))?;
    if !proposal.look_at.is_empty() {
        ui.note("what is to be looked at was left out: add it by hand if you mean it")?;
    }
    Ok(())
}

/// What was learnt, as JSON.
#[derive(Serialize)]
struct Report<'a> {
    tool: &'a str,
    function: Option<&'a str>,
    calls: Vec<Called<'a>>,
    proposal: &'a Proposal,
    toml: String,
}

/// A call, as far as it matters here.
#[derive(Serialize)]
struct Called<'a> {
    outcome: String,
    error: Option<&'a ErrorInfo>,
    exit_code: Option<u32>,
    permitted: u64,
    record: Option<&'a str>,
}

impl<'a> Report<'a> {
    fn new(args: &'a LearnArgs, tool: &'a Tool, outcomes: &'a [Outcome], proposal: &'a Proposal) -> Self {
        let called = |outcome: &'a Outcome| Called {
            outcome: outcome.outcome.to_string(),
            error: outcome.error.as_ref(),
            exit_code: outcome.exit_code,
            permitted: outcome.decisions.permitted,
            record: outcome.record.as_deref(),
        };
        Self {
            tool: tool.name(),
            function: args.function.as_deref(),
            calls: outcomes.iter().map(called).collect(),
            proposal,
            toml: proposal.toml(tool.name(), &mounts(&args.grant)),
        }
    }
}
