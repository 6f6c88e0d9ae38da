//! `caplet doctor`: what this machine offers, what of it is in use, and why not where it is not.

mod clients;
mod toolbox;

use std::borrow::Cow;
use std::fs;
use std::time::Instant;

use caplet::audit::log::Log;
use caplet::audit::text::{json_line, visible_line};
use caplet::audit::{ErrorKind, Sink as _};
use caplet::sandbox::{Facilities, Sandbox, SandboxConfig};
use caplet::{Caplet, Grant, Source};
use clap::Args;
use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use crate::failure::{Failure, Stop};
use crate::host;
use crate::toolbox::ToolboxOptions;
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet doctor
  caplet doctor --json"#;

/// The smallest component there is, to see that the compiler runs.
const SMALLEST: &str = r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))"#;

/// Say what of this machine caplet uses, and why not where it does not
///
/// Tries what every call needs: an engine, the pool of instances that servers use, the compiler, the cache, the audit log. Then it looks
/// at each tool of the toolbox, and asks the server that each MCP client would start, if that is this program. The exit code is 6 if
/// something of it does not work.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    toolbox: ToolboxOptions,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Worse,
    /// It does not work.
    Broken,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: Cow<'static, str>,
    state: State,
    detail: String,
    help: Option<String>,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    findings: Vec<Finding>,
}

pub(crate) fn run(ui: &mut Ui, args: &DoctorArgs) -> Result<u8, Stop> {
    let facilities = Sandbox::new(&SandboxConfig::default().compiler(host::compiler()))
        .map_err(|error| Failure::new(ErrorKind::Host, error.to_string()))?;
    let facilities = facilities.facilities();
    let mut findings = vec![
        processor(),
        pool(&facilities),
        reset(),
        long_calls(&facilities),
        memory(&facilities),
        compiler(),
        cache(),
        audit_log(),
        open_files(),
    ];
    findings.extend(toolbox::findings(&args.toolbox));
    findings.extend(clients::findings());
    let report = Report { version: env!("CARGO_PKG_VERSION"), findings };
    if args.json {
        ui.json(&json_line(&report).map_err(std::io::Error::from)?)?;
    } else {
        show(ui, &report)?;
    }
    let is_broken = report.findings.iter().any(|finding| finding.state == State::Broken);
    Ok(if is_broken { crate::HOST_FAILED } else { 0 })
}

fn show(ui: &mut Ui, report: &Report) -> std::io::Result<()> {
    ui.line(format_args!("caplet {}", report.version))?;
    let width = report.findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or_default();
    for Finding { what, state, detail, help } in &report.findings {
        let (style, word) = match state {
            State::Ok => (style::GOOD, "ok    "),
            State::Worse => (style::WARNING, "worse "),
            State::Broken => (style::ERROR, "broken"),
        };
        ui.line(format_args!("{style}{word}{style:#} {:<width$} {}", visible_line(what), visible_line(detail)))?;
        if let Some(help) = help {
            ui.line(format_args!("       {:<width$} {}", "", visible_line(help)))?;
        }
    }
    Ok(())
}

impl Finding {
    fn new(what: impl Into<Cow<'static, str>>, state: State, detail: impl Into<String>) -> Self {
        Self { what: what.into(), state, detail: detail.into(), help: None }
    }

    fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

fn processor() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Finding::new("processor", State::Ok, format!("{}, {cores} cores", std::env::consts::ARCH))
}

fn pool(facilities: &Facilities) -> Finding {
    match &facilities.pool {
        Ok(places) => {
            let detail =
                format!("servers keep {places} places for instances; `caplet run` makes its one instance on demand");
            Finding::new("pool", State::Ok, detail)
        }
        Err(reason) => {
            let limit = getrlimit(Resource::As).current;
            let help = match limit {
                Some(bytes) => {
                    format!("addresses are limited to {bytes} bytes here: raise it with ulimit -v unlimited")
                }
                None => "every call allocates its instance on demand, which takes some ten times as long".to_owned(),
            };
            Finding::new("pool", State::Worse, format!("there is none: {reason}")).with_help(help)
        }
    }
}

/// The engine can also ask the kernel which pages a guest wrote, but then misses those that were swapped out.
fn reset() -> Finding {
    Finding::new("reset", State::Ok, "a place is cleared by writing over it and giving the rest back to the system")
}

fn long_calls(facilities: &Facilities) -> Finding {
    let detail = format!("in servers, {} threads of lower priority take turns between tools", facilities.lane_threads);
    Finding::new("long calls", State::Ok, detail)
}

fn memory(facilities: &Facilities) -> Finding {
    let mib = facilities.memory_bytes >> 20;
    let finding = Finding::new("memory", State::Ok, format!("all tools of a process together may hold {mib} MiB"));
    let mappings =
        fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|text| text.trim().parse::<u64>().ok());
    match mappings {
        Some(mappings) if mappings < 65_530 => {
            let help = "a server needs about four mappings for a call: sysctl vm.max_map_count=65530";
            Finding { state: State::Worse, ..finding }.with_help(format!("{mappings} mappings are few; {help}"))
        }
        _ => finding,
    }
}

fn compiler() -> Finding {
    let started = Instant::now();
    match try_compiler() {
        Ok(()) => {
            let detail =
                format!("runs in a process that can be stopped; answered in {} ms", started.elapsed().as_millis());
            Finding::new("compiler", State::Ok, detail)
        }
        Err(reason) => Finding::new("compiler", State::Broken, reason),
    }
}

/// Compiles and calls the smallest component, without the cache.
fn try_compiler() -> Result<(), String> {
    let caplet = Caplet::builder().sandbox(SandboxConfig::one_shot().compiler(host::compiler())).build();
    let caplet = caplet.map_err(|error| error.to_string())?;
    let source = Source::Bytes { name: "smallest".to_owned(), bytes: SMALLEST.as_bytes().to_vec() };
    let tool = caplet.load(&source).map_err(|error| error.to_string())?;
    let grant = Grant::new("/").map_err(|error| error.to_string())?;
    let granted = caplet.grant(&tool, grant).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let outcome = runtime.map_err(|error| error.to_string())?.block_on(granted.call(None, serde_json::json!({})));
    outcome.error.map_or(Ok(()), |error| Err(error.message))
}

fn cache() -> Finding {
    match host::cache() {
        Ok(cache) => match cache.stats() {
            Ok(stats) => {
                let detail =
                    format!("{} entries, {} MiB in {}", stats.entries, stats.bytes >> 20, cache.folder().display());
                Finding::new("cache", State::Ok, detail)
            }
            Err(error) => Finding::new("cache", State::Worse, error.to_string()),
        },
        Err(failure) => {
            let finding = Finding::new("cache", State::Worse, failure.info.message);
            finding.with_help(failure.info.hint.unwrap_or_else(|| "tools are compiled again for every run".to_owned()))
        }
    }
}

fn audit_log() -> Finding {
    let (config, folder) = match host::audit_config().and_then(|config| Ok((config, host::audit_dir()?))) {
        Ok(found) => found,
        Err(failure) => return Finding::new("audit log", State::Broken, failure.info.message),
    };
    match Log::new(config.one_shot()).ready() {
        Ok(()) => Finding::new("audit log", State::Ok, folder.display().to_string()),
        Err(error) => Finding::new("audit log", State::Broken, error.to_string()).with_help(error.hint()),
    }
}

fn open_files() -> Finding {
    /// Below this, some tens of tools with open files use up what the process may have.
    const FEW: u64 = 4096;
    match getrlimit(Resource::Nofile).current {
        Some(files) if files < FEW => Finding::new("open files", State::Worse, format!("a process may have {files}"))
            .with_help("a server may need more: raise it with ulimit -n 65536"),
        Some(files) => Finding::new("open files", State::Ok, format!("a process may have {files}")),
        None => Finding::new("open files", State::Ok, "no limit"),
    }
}
