//! `caplet run`: one call.

use std::io;
use std::sync::Arc;

use caplet::audit::text::json_line;
use caplet::audit::{ErrorKind, Outcome};
use caplet::authority::quote;
use caplet::{CallContext, Caplet, Catalog, Granted, Source, parse_arguments, recordings_in};
use clap::Args;
use serde_json::Value;

use crate::asking::TerminalApprover;
use crate::audit_options::AuditOptions;
use crate::export::ExportOptions;
use crate::failure::{Excerpt, Failure, Stop};
use crate::host;
use crate::input::InputOptions;
use crate::options::GrantOptions;
use crate::report::report;
use crate::signals::signalled;
use crate::toolbox::ToolboxOptions;
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet run file-read --allow 'read:docs/**' --args '{"path":"docs/index.md"}'
  caplet run ./tool.wasm summarize --args-file input.json --json
  echo '{"args":["--version"]}' | caplet run ./rg.wasm --args - --ceiling open
  caplet run ./tool.wasm --mount /w=. --allow 'write:/w/out/**' --limit timeout=5s"#;

/// Run a tool once
///
/// The tool's answer goes to standard output: text as it is, anything else as JSON. Everything else goes to standard error. The
/// tool may do what its manifest declares and what you grant here, never more than either. Every call leaves a record in the
/// audit log, and none runs when the log cannot be written.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// A tool of the toolbox or a built-in one (see `caplet tools`), or a path to a .wasm or .wat file
    tool: String,

    /// Which function of the tool; may be left out where there is one
    function: Option<String>,

    #[command(flatten)]
    input: InputOptions,

    /// Print the outcome as one JSON object, whatever it is
    #[arg(long)]
    json: bool,

    /// Keep all that the tool sees, so that `caplet replay` can run the call again
    ///
    /// Files that it reads, responses, values of buckets, clocks and the seed of its random numbers are kept with its arguments and its answer
    /// in $XDG_STATE_HOME/caplet/recordings, for you alone to read, up to 64 MiB. Values of secrets are masked.
    #[arg(long)]
    record: bool,

    #[command(flatten)]
    toolbox: ToolboxOptions,

    #[command(flatten)]
    grant: GrantOptions,

    #[command(flatten)]
    export: ExportOptions,

    #[command(flatten)]
    audit: AuditOptions,
}

pub(crate) fn run(ui: &mut Ui, args: &RunArgs) -> Result<u8, Stop> {
    let Ended { outcome, interrupted, excerpt } = call(ui, args);
    let shown = if args.json {
        json_line(&outcome).map_err(io::Error::from).and_then(|line| ui.json(&line))
    } else {
        report(ui, &outcome, excerpt.as_deref())
    };
    let exported = args.export.finish(&outcome);
    match shown {
        // A reader that has seen enough changes nothing about how the call ended.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        shown => shown?,
    }
    exported?;
    tell_recording(ui, args, &outcome)?;
    Ok(interrupted.unwrap_or_else(|| outcome.process_exit_code()))
}

/// Says how to replay the call. What is wrong with its recording is in the outcome's note.
fn tell_recording(ui: &mut Ui, args: &RunArgs, outcome: &Outcome) -> io::Result<()> {
    if !args.record || args.json {
        return Ok(());
    }
    if let Some(note) = &outcome.note {
        ui.warning(note)?;
    }
    let kept = host::state_dir().map(|state| recordings_in(&state));
    match &outcome.record {
        // A call that was refused before it began saw nothing.
        Some(id) if kept.is_ok_and(|kept| kept.has(id)) => {
            ui.note(&format!("recorded; to run it again: caplet replay {id}"))
        }
        _ => Ok(()),
    }
}

/// How a call ended.
struct Ended {
    outcome: Outcome,
    /// The exit code of the signal that ended it, if one did.
    interrupted: Option<u8>,
    /// The place in a file that it failed for.
    excerpt: Option<Box<Excerpt>>,
}

fn call(ui: &mut Ui, args: &RunArgs) -> Ended {
    let function = args.function.as_deref();
    let name = Source::parse(&args.tool).map_or_else(|_| args.tool.clone(), |source| source.name());
    let (caplet, notices) = match host::caplet_with(&args.audit) {
        Ok(made) => made,
        // There is no log to leave a record in.
        Err(Failure { info, excerpt }) => {
            return Ended { outcome: Outcome::host(name, args.function.clone(), info), interrupted: None, excerpt };
        }
    };
    let ended = prepare(ui, &caplet, args)
        .and_then(|(granted, arguments, callees)| run_until_interrupted(&granted, args, arguments, callees))
        .unwrap_or_else(|Failure { info, excerpt }| {
            let outcome = caplet.refuse(&name, function, info);
            Ended { outcome, interrupted: None, excerpt }
        });
    notices.show(ui);
    ended
}

/// Makes the catalog of the tools that the one that runs may call.
type Callees = Box<dyn FnOnce() -> Catalog + Send>;

fn prepare(ui: &mut Ui, caplet: &Caplet, args: &RunArgs) -> Result<(Granted, Value, Callees), Failure> {
    let found = args.toolbox.find(&args.tool)?;
    // Not worth failing for when standard error is gone.
    let _ = found.tell(ui);
    let mut grant = args.export.begin(args.grant.resolve(&found)?)?;
    grant.record(args.record);
    let callees = found.callees(caplet)?;
    let tool = caplet.load_within(&found.source, &grant.limits())?.named(found.name);
    let granted = caplet.grant(&tool, grant)?;
    for rule in granted.idle_rules() {
        // Not worth failing for when standard error is gone.
        let _ = ui.warning(&format!(
            "nothing is behind the rule {}: it is under no mount, and no such directory exists here",
            quote(rule)
        ));
    }
    let arguments = parse_arguments(&args.input.read(granted.limits().arguments)?)?;
    Ok((granted, arguments, callees))
}

fn run_until_interrupted(
    granted: &Granted,
    args: &RunArgs,
    arguments: Value,
    callees: Callees,
) -> Result<Ended, Failure> {
    let failed = |error: io::Error| Failure::new(ErrorKind::Host, format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut interrupted = None;
    let outcome = runtime.block_on(async {
        let ended = signalled().map_err(failed)?;
        let cancel = async { interrupted = Some(ended.await) };
        let mut context = CallContext::new().tools_when_called(callees);
        if let Some(person) = TerminalApprover::new() {
            context = context.approver(Arc::new(person));
        }
        Ok(granted.call_in(args.function.as_deref(), arguments, &context, cancel).await)
    });
    // A host call that is still blocked must not hold up the end.
    runtime.shutdown_background();
    outcome.map(|outcome| Ended { outcome, interrupted, excerpt: None })
}
