//! `caplet check`: findings on a component and its manifest.

use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use caplet::audit::text::json_line;
use caplet::component::{Caps, Finding, ManifestError, Severity};
use caplet::{TomlKind, Toolbox, read_file};
use clap::Args;
use serde::Serialize;

use crate::command::{check_unused, or_json};
use crate::failure::{Excerpt, Failure, Stop};
use crate::host;
use crate::toolbox;
use crate::ui::Ui;

/// The exit code when a finding is an error.
const FOUND_ERROR: u8 = 2;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet check tool.wasm
  caplet check tool.wasm --manifest agent-tool.toml
  caplet check agent-tool.toml
  caplet check ./caplet.toml
  caplet check ./caplet.toml --unused --since 90d"#;

/// Check a component, its manifest and its rules
///
/// Looks at everything that can be known without running the tool: whether the component is one that caplet runs, whether its
/// manifest is valid and covers what the component imports, and which rules are broader than they should be. Nothing is run.
/// Exits with 2 when a finding is an error. A toolbox is checked for everything that can be known without opening what it names.
///
/// With --unused, lists the rules of a toolbox that no recorded call needed: each is asked about what the calls of its tool did. A deny
/// rule is used when it refused something.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// A .wasm or .wat file, a manifest alone (.toml), or a toolbox (.toml, told by what is in it)
    file: PathBuf,

    /// Check with this manifest instead of the one in the file
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// List the rules of this toolbox that no recorded call needed
    #[arg(long, conflicts_with = "manifest")]
    unused: bool,

    /// How far back the audit log is looked at for --unused, such as 12h or 90d [default: 30d]
    #[arg(long, value_name = "TIME", requires = "unused")]
    since: Option<String>,

    /// Print the findings as a JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ui: &mut Ui, args: &CheckArgs) -> Result<u8, Stop> {
    if args.unused {
        return check_unused::run(ui, &args.file, args.since.as_deref(), args.json);
    }
    let checked = or_json(ui, args.json, check(args))?;
    let errors = checked.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if args.json {
        ui.json(&json_line(&Report::new(args, &checked)).map_err(std::io::Error::from)?)?;
    } else {
        for finding in &checked.findings {
            show(ui, &checked, finding)?;
        }
        let warnings = checked.findings.len() - errors;
        ui.line(format_args!("{}: {errors} errors, {warnings} warnings", args.file.display()))?;
    }
    Ok(if errors == 0 { 0 } else { FOUND_ERROR })
}

/// Findings, and the text that they point into.
struct Checked {
    name: String,
    text: Option<String>,
    findings: Vec<Finding>,
    /// The place of all findings, where the text is not to be shown.
    masked: Option<Excerpt>,
}

fn check(args: &CheckArgs) -> Result<Checked, Failure> {
    let limits = caplet::authority::Limits::default();
    if args.manifest.is_none() && is_toolbox(&args.file) {
        // What is wrong with a toolbox ends the verb, at its first place.
        Toolbox::read(host::current_dir()?.join(&args.file))?;
        let name = args.file.display().to_string();
        return Ok(Checked { name, text: None, findings: Vec::new(), masked: None });
    }
    if args.file.extension().is_some_and(|extension| extension == "toml") {
        return check_manifest(&args.file);
    }
    let bytes = read_file(&args.file, limits.component)?;
    let caps = Caps::default();
    let text = args.manifest.as_deref().map(read_manifest).transpose()?;
    let findings = caplet::component::check(&bytes, text.as_deref(), &caps);
    let (name, text) = match (&args.manifest, text) {
        (Some(path), text) => (path.display().to_string(), text),
        (None, _) => (
            format!("{} (its manifest)", args.file.display()),
            caplet::component::extract(&bytes, &caps).ok().flatten().map(|manifest| manifest.source().to_owned()),
        ),
    };
    Ok(Checked { name, text, findings, masked: None })
}

/// Whether it is one by its name, or by what is in it.
fn is_toolbox(path: &Path) -> bool {
    if path.file_name().is_some_and(|name| name == toolbox::FILE) {
        return true;
    }
    let text = || String::from_utf8(read_file(path, Toolbox::LARGEST).ok()?).ok();
    path.extension().is_some_and(|extension| extension == "toml")
        && text().is_some_and(|text| TomlKind::of(&text) == TomlKind::Toolbox)
}

fn check_manifest(path: &Path) -> Result<Checked, Failure> {
    let text = read_manifest(path)?;
    let findings = caplet::component::check_manifest(&text);
    let name = path.display().to_string();
    if TomlKind::of(&text) != TomlKind::Broken {
        return Ok(Checked { name, text: Some(text), findings, masked: None });
    }
    // It may have been meant as a toolbox, which has secrets in it: its line is shown as that of a toolbox would be.
    let error = Toolbox::parse(&text, host::current_dir()?.join(path)).err();
    let masked = error.and_then(|error| Failure::from(error).excerpt);
    let masked = masked.map(|excerpt| Excerpt { name: name.clone(), ..*excerpt });
    Ok(Checked { name, text: None, findings, masked })
}

/// The text of a manifest file.
pub(crate) fn read_manifest(path: &Path) -> Result<String, Failure> {
    let bytes = read_file(path, Caps::default().manifest_bytes)
        .map_err(|error| Failure::new(ErrorKind::InvalidManifest, error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(
            ErrorKind::InvalidManifest,
            format!("{}: a manifest is UTF-8 text, and this is not", path.display()),
        )
    })
}

/// A manifest's error with the place that it is about.
pub(crate) fn manifest_failure(path: &Path, text: &str, error: ManifestError) -> Failure {
    let excerpt =
        error.span.map(|span| Excerpt { name: path.display().to_string(), text: text.to_owned(), span, at: None });
    let mut failure = Failure::new(ErrorKind::InvalidManifest, error.message);
    failure.info.hint = error.help;
    failure.excerpt = excerpt.map(Box::new);
    failure
}

/// Shows findings on a component whose manifest has this text and is called `name`.
pub(crate) fn show_all(ui: &mut Ui, name: &str, text: &str, findings: &[Finding]) -> std::io::Result<()> {
    let checked = Checked { name: name.to_owned(), text: Some(text.to_owned()), findings: Vec::new(), masked: None };
    findings.iter().try_for_each(|finding| show(ui, &checked, finding))
}

fn show(ui: &mut Ui, checked: &Checked, finding: &Finding) -> std::io::Result<()> {
    match finding.severity {
        Severity::Error => ui.error(&finding.message)?,
        _ => ui.warning(&finding.message)?,
    }
    if let (Some(text), Some(span)) = (&checked.text, &finding.span) {
        ui.excerpt(&Excerpt { name: checked.name.clone(), text: text.clone(), span: span.clone(), at: None })?;
    }
    if let Some(masked) = &checked.masked {
        ui.excerpt(masked)?;
    }
    match &finding.help {
        Some(help) => ui.help(help),
        None => Ok(()),
    }
}

/// The findings as JSON.
#[derive(Serialize)]
struct Report<'a> {
    file: String,
    findings: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    severity: &'static str,
    message: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    help: Option<&'a str>,
}

impl<'a> Report<'a> {
    fn new(args: &CheckArgs, checked: &'a Checked) -> Self {
        let found = |finding: &'a Finding| Found {
            severity: if finding.severity == Severity::Error { "error" } else { "warning" },
            message: &finding.message,
            line: finding.line,
            column: finding.column,
            help: finding.help.as_deref(),
        };
        Self { file: args.file.display().to_string(), findings: checked.findings.iter().map(found).collect() }
    }
}
