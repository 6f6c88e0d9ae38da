//! `caplet approvals`: the questions of processes that have no terminal.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use caplet::audit::text::{json_line, visible_line};
use caplet::{Answer, OpenQuestion, answer_question, open_questions};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::asking::{always, description};
use crate::command::or_json;
use crate::failure::Stop;
use crate::host;
use crate::ui::{Ui, style};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet approvals
  caplet approvals allow 4711-1
  caplet approvals allow 4711-2 --always
  caplet approvals deny 4711-3"#;

/// How often `watch` looks for what is new.
const LOOK: Duration = Duration::from_millis(300);

/// List and answer what tools of servers ask for
///
/// A grant may say what a person is asked about (`ask` in caplet.toml, --ask). A server without a terminal, and whose client cannot ask,
/// puts such questions on a socket of its user's own; this verb finds them there. Without a verb of its own it lists them. A question
/// that nobody answers is a no after a minute.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct ApprovalsArgs {
    #[command(subcommand)]
    command: Option<ApprovalsCommand>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ApprovalsCommand {
    List(ListArgs),
    Allow(AllowArgs),
    Deny(DenyArgs),
    Watch(WatchArgs),
}

/// List the questions that wait for an answer
#[derive(Debug, Args)]
struct ListArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Say yes to a question, once
#[derive(Debug, Args)]
struct AllowArgs {
    /// The question, as `caplet approvals` names it
    id: String,

    /// Say yes for as long as the session lasts
    #[arg(long, conflicts_with = "always")]
    session: bool,

    /// Say yes from now on: what is granted is written into the toolbox that the tool is from
    #[arg(long)]
    always: bool,
}

/// Say no to a question
#[derive(Debug, Args)]
struct DenyArgs {
    /// The question, as `caplet approvals` names it
    id: String,
}

/// Show each question when it comes, and when nobody waits for its answer any more; until interrupted
#[derive(Debug, Args)]
struct WatchArgs {
    /// Print a JSON object on a line for each
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ui: &mut Ui, args: &ApprovalsArgs) -> Result<u8, Stop> {
    match &args.command {
        None => list(ui, args.json),
        Some(ApprovalsCommand::List(list_args)) => list(ui, list_args.json),
        Some(ApprovalsCommand::Allow(AllowArgs { id, session, always })) => answer(
            id,
            match (session, always) {
                (_, true) => Answer::Always,
                (true, false) => Answer::Session,
                (false, false) => Answer::Once,
            },
        ),
        Some(ApprovalsCommand::Deny(DenyArgs { id })) => answer(id, Answer::No),
        Some(ApprovalsCommand::Watch(WatchArgs { json })) => watch(ui, *json),
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    questions: &'a [OpenQuestion],
}

fn questions() -> Result<Vec<OpenQuestion>, crate::failure::Failure> {
    Ok(open_questions(&host::approvals_dir()?)?)
}

fn list(ui: &mut Ui, json: bool) -> Result<u8, Stop> {
    let questions = or_json(ui, json, questions())?;
    if json {
        ui.json(&json_line(&Listed { questions: &questions }).map_err(io::Error::from)?)?;
        return Ok(0);
    }
    for question in &questions {
        show(ui, question)?;
    }
    if questions.is_empty() {
        ui.note("nothing waits for an answer")?;
    }
    Ok(0)
}

fn show(ui: &mut Ui, OpenQuestion { id, waits_s, question }: &OpenQuestion) -> io::Result<()> {
    let (name, quiet) = (style::NOTE, style::QUIET);
    // A server of this user's wrote all of it, and a server may be wrong.
    let lines = description(question);
    let mut lines = lines.lines().map(visible_line);
    let first = lines.next().unwrap_or_default();
    ui.line(format_args!("{name}{}{name:#} {first} {quiet}({waits_s} s ago){quiet:#}", visible_line(id)))?;
    for line in lines {
        ui.line(line)?;
    }
    match always(question) {
        Some(always) => ui.line(format_args!("  {quiet}--always {}{quiet:#}", visible_line(&always))),
        None => Ok(()),
    }
}

fn answer(id: &str, answer: Answer) -> Result<u8, Stop> {
    answer_question(&host::approvals_dir()?, id, answer)?;
    Ok(0)
}

/// Something that happened to a question.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Event<'a> {
    Asked(&'a OpenQuestion),
    Gone(&'a str),
}

fn watch(ui: &mut Ui, json: bool) -> Result<u8, Stop> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    loop {
        let questions = questions()?;
        let gone: Vec<String> =
            known.iter().filter(|id| !questions.iter().any(|open| open.id == **id)).cloned().collect();
        for id in gone {
            known.remove(&id);
            tell(ui, json, &Event::Gone(&id))?;
        }
        for question in &questions {
            if known.insert(question.id.clone()) {
                tell(ui, json, &Event::Asked(question))?;
            }
        }
        ui.flush()?;
        std::thread::sleep(LOOK);
    }
}

fn tell(ui: &mut Ui, json: bool, event: &Event<'_>) -> Result<(), Stop> {
    match event {
        event if json => ui.json(&json_line(event).map_err(io::Error::from)?)?,
        Event::Asked(question) => show(ui, question)?,
        Event::Gone(id) => ui.line(format_args!("{} is over", visible_line(id)))?,
    }
    Ok(())
}
