//! `caplet approve`: looks at what changed of tools, and pins them as they are.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use caplet::audit::text::visible_line;
use caplet::authority::Limits;
use caplet::{Change, Configured, Lock, Pin, ProjectFile, Source, Standing, Toolbox, read_component};
use clap::Args;

use crate::drift;
use crate::failure::{Failure, Stop};
use crate::question;
use crate::toolbox::{ToolboxOptions, trust};
use crate::ui::{Ui, style};

/// The exit code when something was not approved.
const REFUSED: u8 = 3;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet approve editor
  caplet approve --all --config ./caplet.toml"#;

/// Approve tools of the toolbox as they are now
///
/// caplet.lock, beside the toolbox, holds each tool as it was approved: its digest, what an agent sees of it, and its ceiling. A tool that
/// is not as it says is hidden from agents. This shows what changed, authority first and by proof, asks, and pins the tool as it was
/// shown. What you grant in caplet.toml is yours to change, and needs no approval. Exits with 3 when something was not approved.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ApproveArgs {
    /// Tools of the toolbox
    #[arg(value_name = "TOOL", required_unless_present = "all")]
    tools: Vec<String>,

    /// Every tool that is hidden because it is not as it was approved; and forget those that are not in the toolbox any more
    #[arg(long, conflicts_with = "tools")]
    all: bool,

    /// Show what changed, and do not ask
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    toolbox: ToolboxOptions,
}

/// A tool that is not as it was approved.
struct Pending {
    name: String,
    /// The file of the toolbox that it is in.
    file: PathBuf,
    now: Pin,
    change: Change,
    was_approved: bool,
}

pub(crate) fn run(ui: &mut Ui, args: &ApproveArgs) -> Result<u8, Stop> {
    let toolbox = args.toolbox.load()?.toolbox;
    if toolbox.files().next().is_none() {
        let failure = Failure::new(ErrorKind::InvalidConfig, "there is no toolbox");
        return Err(failure.with_hint("`caplet add TOOL` makes one, or name one with --config").into());
    }
    let locks = Locks::read(&toolbox)?;
    let gone = locks.gone(args, &toolbox);
    for (_, name) in &gone {
        ui.note(&format!("{name} is not in the toolbox any more; its pin goes"))?;
    }
    let mut approved: Vec<Pending> = Vec::new();
    let mut refused = 0;
    for name in &named(args, &toolbox, &locks)? {
        let Some(pending) = pending(ui, &toolbox, &locks, name)? else { continue };
        if decide(ui, args, &pending)? { approved.push(pending) } else { refused += 1 }
    }
    if !args.yes && !question::can_ask() && refused > 0 {
        let failure = Failure::new(ErrorKind::InvalidArgs, "there is no terminal to ask on, so nothing was approved");
        return Err(failure.with_hint("if you approve of what is shown above, add --yes").into());
    }
    let names: Vec<String> = approved.iter().map(|pending| pending.name.clone()).collect();
    locks.write(&gone, approved)?;
    if !names.is_empty() {
        ui.note(&format!("approved: {}", names.join(", ")))?;
    } else if gone.is_empty() && refused == 0 {
        ui.note("there is nothing to approve")?;
    }
    Ok(if refused == 0 { 0 } else { REFUSED })
}

/// The locks of a toolbox, by the file that each is beside.
struct Locks(BTreeMap<PathBuf, Lock>);

impl Locks {
    fn read(toolbox: &Toolbox) -> Result<Self, Failure> {
        let read = |file: &Path| Ok((file.to_owned(), toolbox.lock(file)?));
        toolbox.files().map(read).collect::<Result<_, Failure>>().map(Self)
    }

    fn pin(&self, tool: &Configured<'_>) -> Option<&Pin> {
        self.0.get(tool.file())?.pin(tool.name())
    }

    /// What is pinned beside a file that does not have it any more.
    fn gone(&self, args: &ApproveArgs, toolbox: &Toolbox) -> Vec<(PathBuf, String)> {
        let is_there = |file: &Path, name: &str| toolbox.tool(name).is_some_and(|tool| tool.file() == file);
        let pinned =
            self.0.iter().flat_map(|(file, lock)| lock.tools().map(move |name| (file.clone(), name.to_owned())));
        pinned.filter(|(file, name)| args.all && args.toolbox.profile.is_none() && !is_there(file, name)).collect()
    }

    fn write(&self, gone: &[(PathBuf, String)], approved: Vec<Pending>) -> Result<(), Failure> {
        for (file, known) in &self.0 {
            let is_meant =
                gone.iter().any(|(of, _)| of == file) || approved.iter().any(|pending| pending.file == *file);
            if !is_meant {
                continue;
            }
            // Only a project's file is in the list of what is trusted, and its lock counts only as the user made it.
            let project = ProjectFile::read(file)?;
            let is_project = match &project {
                Some(project) => trust().standing(project)? == Standing::Trusted,
                None => false,
            };
            Lock::update(&Lock::beside(file), |lock| {
                // Of a lock that somebody else made, nothing stays.
                if is_project && known.tools().len() == 0 {
                    *lock = Lock::default();
                }
                for (_, name) in gone.iter().filter(|(of, _)| of == file) {
                    lock.remove(name);
                }
                for pending in approved.iter().filter(|pending| pending.file == *file) {
                    lock.set(&pending.name, pending.now.clone());
                }
            })?;
            if let Some(project) = project.filter(|_| is_project) {
                trust().keep_lock(&project)?;
            }
        }
        Ok(())
    }
}

/// The tools that are meant.
fn named(args: &ApproveArgs, toolbox: &Toolbox, locks: &Locks) -> Result<Vec<String>, Failure> {
    if args.all {
        // One that comes with Caplet is offered without a pin.
        let is_meant =
            |tool: &Configured<'_>| locks.pin(tool).is_some() || !matches!(tool.source(), Source::BuiltIn(_));
        return Ok(toolbox.tools().filter(is_meant).map(|tool| tool.name().to_owned()).collect());
    }
    let unknown = args.tools.iter().find(|name| toolbox.tool(name).is_none());
    let Some(name) = unknown else { return Ok(args.tools.clone()) };
    let failure = Failure::new(ErrorKind::UnknownTool, format!("the toolbox has no tool called {name:?}"));
    Err(match toolbox.nearest(name) {
        Some(near) => failure.with_hint(format!("did you mean {near}?")),
        None => failure.with_hint("`caplet tools` lists what it has; another file is named with --config"),
    })
}

/// What is to be approved of a tool, after it was shown; nothing where it is as it was.
fn pending(ui: &mut Ui, toolbox: &Toolbox, locks: &Locks, name: &str) -> Result<Option<Pending>, Stop> {
    let Some(tool) = toolbox.tool(name) else { return Ok(None) };
    let component = read_component(tool.source(), &Limits::default())?;
    let now = Pin::of(name, &component);
    let approved = locks.pin(&tool);
    let Some(change) = Change::between(approved, &now) else {
        ui.note(&format!("{name} is as it was approved"))?;
        return Ok(None);
    };
    let bold = style::NOTE;
    let from = match tool.source() {
        Source::Path(path) => path.display().to_string(),
        source => source.name(),
    };
    let state = if approved.is_some() { "it is not what was approved" } else { "it was never approved" };
    ui.line(format_args!("{bold}{name}{bold:#}, from {}: {state}", visible_line(&from)))?;
    if approved.is_none() {
        drift::show_ceiling(ui, component.manifest.as_ref())?;
    }
    drift::show(ui, &change, approved.is_some())?;
    Ok(Some(Pending {
        name: name.to_owned(),
        file: tool.file().to_owned(),
        now,
        change,
        was_approved: approved.is_some(),
    }))
}

fn decide(ui: &mut Ui, args: &ApproveArgs, pending: &Pending) -> io::Result<bool> {
    if args.yes {
        return Ok(true);
    }
    ui.flush()?;
    if !question::can_ask() {
        return Ok(false);
    }
    let Pending { name, change, was_approved, .. } = pending;
    let stake = drift::summary(change, *was_approved).map(|stake| format!(", with {stake}")).unwrap_or_default();
    let is_approved = question::is_yes(&format!("Approve {name}{stake}? [y/N] "))?;
    if !is_approved {
        ui.note(&format!("{name} stays hidden from agents"))?;
    }
    Ok(is_approved)
}
