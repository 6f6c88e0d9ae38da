//! `caplet add`: puts a tool into a toolbox with what it is granted, and pins it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use caplet::audit::ErrorKind;
use caplet::audit::text::visible_line;
use caplet::authority::{
    FilesystemRule, HttpRule, Layer, LayerKind, Rules, SecretRule, Section, ToolRule, proof, quote,
};
use caplet::component::Manifest;
use caplet::{Change, NewTool, Pin, Source, Tool, Toolbox, ToolboxEdit, in_words};
use clap::Args;

use crate::drift;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::question;
use crate::target::TargetOptions;
use crate::toolbox::{Changing, FILE};
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet add file-read
  caplet add file-edit --as editor --allow 'write:src/**' --limit timeout=5s
  caplet add web-fetch --ask 'fetch:https://*.example.com/**'
  caplet add ./tool.wasm --config ./caplet.toml --yes"#;

/// What is asked about a rule, and about one that nobody can be asked about each time.
const GRANT_OR_ASK: &str = "Grant it? [y]es, [N]o, [a]sk me each time, or type a narrower rule: ";
const GRANT: &str = "Grant it? [y]es, [N]o, or type a narrower rule: ";

/// Put a tool into the toolbox, with what you grant, and pin it
///
/// Shows what the tool may do at most, and asks for each thing whether to grant it, or to have you asked each time that the tool wants it.
/// With rules or other options given it asks nothing. The tool is written into caplet.toml, where comments and order stay as they are, and pinned in caplet.lock: if it changes, agents do not
/// see it until `caplet approve`. If anything is wrong, no file is changed.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct AddArgs {
    /// A built-in tool, or a path to a .wasm or .wat file
    tool: String,

    /// What to call it: lower-case words joined by hyphens [default: the tool's own name]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,

    /// Grant authority, up to the tool's ceiling; may be given more than once
    #[arg(long, value_name = "RULE", help_heading = "Authority")]
    allow: Vec<String>,

    /// Take authority away, whatever else is allowed; may be given more than once
    #[arg(long, value_name = "RULE", help_heading = "Authority")]
    deny: Vec<String>,

    /// Ask a person about what the grant neither gives nor denies; may be given more than once
    #[arg(long, value_name = "RULE", help_heading = "Authority")]
    ask: Vec<String>,

    /// Put a directory of the host, or another store of files, at a path that the tool sees; @NAME is a store of the toolbox
    #[arg(long, value_name = "GUEST=STORE", help_heading = "Authority")]
    mount: Vec<String>,

    /// Set a limit, such as timeout=5s or memory=64MiB
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Authority")]
    limit: Vec<String>,

    /// Ask nothing: grant what the options say, and nothing without them
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    target: TargetOptions,
}

pub(crate) fn run(ui: &mut Ui, args: &AddArgs) -> Result<u8, Stop> {
    let (path, here) = (args.target.path()?, host::current_dir()?);
    let source = Source::parse(&args.tool)?;
    let name = args.name.clone().unwrap_or_else(|| usual_name(&source));
    let (caplet, notices) = host::caplet()?;
    notices.show(ui);
    let tool = caplet.load(&source)?.named(&name);
    let mut new = granted(args, NewTool::new(&name, &source, &path, &here)?)?;
    let mut edit = ToolboxEdit::open(&path)?;
    // Before anything is asked.
    edit.clone().add(&new)?;
    show(ui, &tool)?;
    if args.asks() {
        ui.flush()?;
        if !question::can_ask() {
            let failure = Failure::new(ErrorKind::InvalidArgs, "there is no terminal to ask on, so nothing was added");
            return Err(failure.with_hint("say what to grant with --allow RULE, or grant nothing with --yes").into());
        }
        ask(ui, &mut new, tool.component().manifest.as_ref())?;
    }
    let toolbox = edit.add(&new)?;
    warn(ui, &caplet, &tool, &toolbox, &here)?;
    make_folder(&path, args)?;
    let changing = Changing::begin(&path)?;
    edit.save(&name, Some(Pin::of(&name, tool.component())))?;
    let is_trusted = changing.end()?;
    let options = TargetOptions::options_for(&path)?;
    ui.note(&format!("{name} is in {}, pinned as {}", path.display(), tool.digest()))?;
    ui.help(&format!("to try it: caplet run {name}{options} --args JSON"))?;
    if path == here.join(FILE) && !is_trusted {
        ui.help(&format!(
            "without --config, a project's toolbox only takes away until you trust it: caplet trust ./{FILE}"
        ))?;
    }
    Ok(0)
}

impl AddArgs {
    /// Whether there is something to ask.
    fn asks(&self) -> bool {
        let Self { tool: _, name: _, allow, deny, ask, mount, limit, yes, target: _ } = self;
        !yes && [allow, deny, ask, mount, limit].iter().all(|option| option.is_empty())
    }
}

/// The tool's own name, in the spelling that a toolbox takes.
fn usual_name(source: &Source) -> String {
    let name = source.name().to_ascii_lowercase();
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn granted(args: &AddArgs, mut tool: NewTool) -> Result<NewTool, Failure> {
    for rule in &args.allow {
        tool.allow(rule)?;
    }
    for rule in &args.deny {
        tool.deny(rule)?;
    }
    for rule in &args.ask {
        tool.ask(rule)?;
    }
    for mount in &args.mount {
        tool.mount(mount)?;
    }
    for limit in &args.limit {
        tool.limit(limit)?;
    }
    Ok(tool)
}

/// Shows what the tool is, what it may do at most, and what an agent sees of it.
fn show(ui: &mut Ui, tool: &Tool) -> io::Result<()> {
    let bold = style::NOTE;
    let component = tool.component();
    let manifest = component.manifest.as_ref();
    let about = manifest.and_then(Manifest::description).map(|text| format!(": {}", visible_line(text)));
    ui.line(format_args!("{bold}{}{bold:#}{}", visible_line(tool.name()), about.unwrap_or_default()))?;
    drift::show_ceiling(ui, manifest)?;
    match Change::between(None, &Pin::of(tool.name(), component)) {
        Some(change) => drift::show(ui, &change, false),
        None => Ok(()),
    }
}

/// What a person says to a rule of the ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said<'a> {
    Nothing,
    Allow(&'a str),
    Ask(&'a str),
}

impl<'a> Said<'a> {
    /// What `answer` says to `rule`.
    fn new(answer: &'a str, rule: &'a str) -> Self {
        match answer.to_ascii_lowercase().as_str() {
            "" | "n" | "no" => Self::Nothing,
            "a" | "ask" => Self::Ask(rule),
            _ if question::means_yes(answer) => Self::Allow(rule),
            _ => answer.strip_prefix("ask ").map_or(Self::Allow(answer), |rule| Self::Ask(rule.trim_start())),
        }
    }
}

/// Asks for each rule of the ceiling whether to grant it.
fn ask(ui: &mut Ui, tool: &mut NewTool, manifest: Option<&Manifest>) -> Result<(), Stop> {
    let rules = manifest.into_iter().flat_map(|manifest| manifest.sections()).flat_map(|section| &section.grants);
    for declared in rules {
        let rule = declared.rule.to_string();
        let wide = if declared.rule.is_broad() { " It is VERY WIDE: better type a narrower one." } else { "" };
        ui.note(&format!("it asks to {} ({rule}).{wide}", in_words(&rule)))?;
        loop {
            let Some(answer) = question::line(if tool.clone().ask(&rule).is_ok() { GRANT_OR_ASK } else { GRANT })?
            else {
                return Err(Failure::new(ErrorKind::InvalidArgs, "no answer was given, so nothing was added").into());
            };
            let granted = match Said::new(&answer, &rule) {
                Said::Nothing => break,
                Said::Allow(rule) => tool.allow(rule),
                Said::Ask(rule) => tool.ask(rule),
            };
            match granted {
                Ok(_) => break,
                Err(error) => ui.failure(&error.into())?,
            }
        }
    }
    Ok(())
}

/// Says what a person should know of what is granted.
fn warn(ui: &mut Ui, caplet: &caplet::Caplet, tool: &Tool, toolbox: &Toolbox, here: &Path) -> Result<(), Stop> {
    let Some(configured) = toolbox.tool(tool.name()) else { return Ok(()) };
    let policy = caplet.policy(tool, None, &configured.grant(here)?);
    let operator = policy.layers().iter().find(|layer| layer.kind() == LayerKind::Operator);
    for rule in operator.map(broad).unwrap_or_default() {
        ui.warning(&format!("the grant {} is VERY WIDE: it names no directory or no host", quote(&rule)))?;
    }
    // What cannot be proven is not warned of.
    let dead = proof::dead_rules(&policy).unwrap_or_default();
    for rule in dead.into_iter().filter(|dead| dead.layer == LayerKind::Operator) {
        ui.warning(&format!(
            "the grant {} permits nothing: the tool's ceiling or a denial takes all of it",
            quote(&rule.rule)
        ))?;
    }
    Ok(())
}

/// The rules of a layer that are so wide that a person should look twice; `ask` stands before those that ask.
fn broad(layer: &Layer) -> Vec<String> {
    fn of<S: Section>(rules: &Rules<S>, is_broad: impl Fn(&S::Rule) -> bool) -> Vec<String> {
        let allowed = rules.allowed().iter().filter(|rule| is_broad(rule)).map(ToString::to_string);
        let asked = rules.asked().iter().filter(|rule| is_broad(rule)).map(|rule| format!("ask {rule}"));
        allowed.chain(asked).collect()
    }
    let files = of(layer.filesystem(), FilesystemRule::is_broad);
    let requests = of(layer.http(), HttpRule::is_broad);
    [files, requests, of(layer.secrets(), SecretRule::is_broad), of(layer.tools(), ToolRule::is_broad)].concat()
}

/// The folder of the user's own toolbox, which no one else can look into. Any other is to be there.
fn make_folder(path: &Path, args: &AddArgs) -> Result<(), Failure> {
    let Some(folder) = path.parent().filter(|folder| !args.target.is_named() && !folder.exists()) else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::new(ErrorKind::Host, format!("cannot make the folder {}: {error}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn what_is_no_clear_answer_is_a_narrower_rule() {
        let rule = "read:/**";
        for (answer, said) in [
            ("", Said::Nothing),
            ("No", Said::Nothing),
            ("y", Said::Allow(rule)),
            ("YES", Said::Allow(rule)),
            ("a", Said::Ask(rule)),
            ("Ask", Said::Ask(rule)),
            ("read:docs/**", Said::Allow("read:docs/**")),
            ("ask read:docs/**", Said::Ask("read:docs/**")),
            ("asks", Said::Allow("asks")),
        ] {
            assert_eq!(Said::new(answer, rule), said, "{answer:?}");
        }
    }
}
