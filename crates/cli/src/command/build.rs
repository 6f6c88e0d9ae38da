//! `caplet build`: a tool's folder into a component, by the tool chain of its language.
//!
//! What always holds: the tool chain is the author's own, is started in the tool's folder with all of the author's rights, and what it
//! says is shown as it says it; a component is written only after it was checked as a whole.

mod c;
mod go;
mod javascript;
mod program;
mod project;
mod python;
mod rust;
mod sample;

use std::path::{Path, PathBuf};

use caplet::audit::text::{json_line, visible_line};
use caplet::authority::{Limits, quote};
use caplet::component::{Caps, Component, check, inspect};
use caplet::read_file;
use clap::Args;
use serde::Serialize;

use crate::command::{check as checking, or_json, pack};
use crate::drift;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::language::Language;
use crate::shell::path_word;
use crate::ui::{Ui, style};
use project::{Project, Raw};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet build
  caplet build tools/word-count -o dist/word-count.wasm"#;

/// Build a tool from its source, check it and pack it
///
/// Compiles the folder with the tool chain of its language, as told by what is in it: Cargo.toml, package.json, pyproject.toml or app.py,
/// go.mod, or C files. Then checks the component as `caplet check` does and puts the folder's agent-tool.toml into it, as `caplet pack`
/// does. If anything is wrong, nothing is written. The tool chain runs with all of your rights, outside of any sandbox, and may run
/// code of the tool and of what it depends on: build only what you trust.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct BuildArgs {
    /// The tool's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Where to write the component [default: the tool's name with .wasm, in its folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The language, where the folder has files of several
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `build --json` prints.
#[derive(Serialize)]
struct Report {
    component: PathBuf,
    language: &'static str,
    bytes: usize,
    digest: String,
}

/// A component that is fit for use.
struct Built {
    report: Report,
    component: Component,
}

pub(crate) fn run(ui: &mut Ui, args: &BuildArgs) -> Result<u8, Stop> {
    let project = or_json(ui, args.json, Project::open(&args.folder, args.lang))?;
    let packed = or_json(ui, args.json, compile(&project))?;
    // Only warnings are left: packing has refused what would be an error.
    let findings = check(&packed, None, &Caps::default());
    checking::show_all(ui, &format!("{} (its manifest)", project.name()), project.manifest.source(), &findings)?;
    let built = or_json(ui, args.json, write(&project, args, &packed))?;
    if args.json {
        ui.json(&json_line(&built.report).map_err(std::io::Error::from)?)?;
        return Ok(0);
    }
    show(ui, &built)
}

/// The component with its manifest, and with what its WIT says.
fn compile(project: &Project) -> Result<Vec<u8>, Failure> {
    let raw = Raw::new(project);
    let made = match project.language {
        Language::Rust => rust::build(project)?,
        Language::Js => javascript::build(project, &raw)?,
        Language::Python => python::build(project, &raw)?,
        Language::Go => go::build(project, &raw)?,
        Language::C => c::build(project, &raw)?,
    };
    let bytes = read_file(&made, Limits::default().component)?;
    let wit = project.folder.join("wit");
    pack::packed(project.name(), &bytes, &project.manifest, wit.is_dir().then_some(&*wit))
}

fn write(project: &Project, args: &BuildArgs, packed: &[u8]) -> Result<Built, Failure> {
    let path = match &args.output {
        Some(path) => host::current_dir()?.join(path),
        None => project.folder.join(format!("{}.wasm", project.name())),
    };
    let component = inspect(packed, &Caps::default())
        .map_err(|error| caplet::Error::Component { name: project.name().to_owned(), source: Box::new(error) })?;
    pack::write(&path, packed)?;
    let language = project.language.as_str();
    let report = Report { component: path, language, bytes: packed.len(), digest: component.digest.to_string() };
    Ok(Built { report, component })
}

fn show(ui: &mut Ui, built: &Built) -> Result<u8, Stop> {
    let Built { report, component } = built;
    let (good, quiet) = (style::GOOD, style::QUIET);
    let path = path_word(&report.component)?;
    ui.line(format_args!("{good}built:{good:#} {} ({} bytes)", visible_line(&path), report.bytes))?;
    ui.line(format_args!("  {quiet}{}{quiet:#}", report.digest))?;
    drift::show_ceiling(ui, component.manifest.as_ref())?;
    ui.flush()?;
    ui.help(&format!("to try it: caplet run {path}{}", arguments(component)))?;
    Ok(0)
}

/// The rest of a command line that calls the component's first function.
fn arguments(component: &Component) -> String {
    let Some(tool) = component.tools.first() else { return String::new() };
    let function = if component.tools.len() > 1 { format!(" {}", tool.function) } else { String::new() };
    match sample::arguments(&tool.input_schema) {
        Some(arguments) => format!("{function} --args {}", quote(&arguments)),
        None => function,
    }
}

/// Whether `folder` has a file called `name`.
fn has(folder: &Path, name: &str) -> bool {
    folder.join(name).is_file()
}
