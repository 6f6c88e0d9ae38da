//! A proposed grant, for a person: rules as options and for caplet.toml, each with what it rests on.

use std::io;

use caplet::audit::text::visible_line;
use caplet::authority::quote;
use caplet::learn::{Enough, NotGranted, Proposal, Proposed, Rests};

use crate::report::way_out;
use crate::ui::{Ui, style};

/// Ops shown below a rule. `--json` has all of them.
const SHOWN: usize = 3;
/// Denials that are shown. `--json` has all of them.
const DENIALS: usize = 20;

/// Shows `proposal` on standard output; what it lacks on standard error. `more` are lines of the tool's table beside the rules.
pub(crate) fn show(ui: &mut Ui, name: &str, proposal: &Proposal, more: &[String]) -> io::Result<()> {
    lacks(ui, name, proposal)?;
    if proposal.is_empty() {
        return ui.line(format_args!("{} needs no grant for this", visible_line(name)));
    }
    lines(name, proposal, more).iter().try_for_each(|line| match line {
        Line::Head(text) => ui.line(format_args!("{}{text}{:#}", style::NOTE, style::NOTE)),
        Line::Plain(text) => ui.line(text),
        Line::Quiet(text) => ui.line(format_args!("{}{text}{:#}", style::QUIET, style::QUIET)),
    })
}

/// The same text without colours, for standard error of a server or a file.
pub(crate) fn text(name: &str, proposal: &Proposal) -> String {
    let asks = if proposal.asked_about.is_empty() { String::new() } else { kept_asking(proposal) + "\n" };
    if proposal.is_empty() {
        return format!("{} needs no other grant for what it did\n{asks}", visible_line(name));
    }
    let shown = lines(name, proposal, &[]).into_iter().map(|line| match line {
        Line::Head(text) | Line::Plain(text) | Line::Quiet(text) => format!("{text}\n"),
    });
    shown.chain([asks]).collect()
}

/// A line of ours, escaped.
enum Line {
    Head(String),
    Plain(String),
    Quiet(String),
}

fn lines(name: &str, proposal: &Proposal, more: &[String]) -> Vec<Line> {
    let mut lines = Vec::new();
    let shown = match proposal.calls {
        1 => "1 call of it shows".to_owned(),
        calls => format!("{calls} calls of it show"),
    };
    let name_shown = visible_line(name);
    let mut look_at = "Look at these before you grant them:".to_owned();
    if proposal.allow.is_empty() {
        look_at = format!("{name_shown} needs this, as {shown}; look at it before you grant it:");
    } else {
        lines.push(Line::Head(format!("{name_shown} needs this, as {shown}:")));
    }
    proposal.allow.iter().for_each(|proposed| rule(&mut lines, proposed, proposal.calls));
    for denied in &proposal.deny {
        lines.push(Line::Plain(format!("  --deny {}", quote(&denied.to_string()))));
        lines.push(Line::Quiet("      so that no pattern covers hidden names, or those of credentials".to_owned()));
    }
    if !proposal.look_at.is_empty() {
        lines.push(Line::Head(look_at));
        proposal.look_at.iter().for_each(|proposed| rule(&mut lines, proposed, proposal.calls));
    }
    for Enough { key, value, used, .. } in &proposal.limits {
        let unit = if *key == "memory" { "bytes" } else { "requests" };
        lines.push(Line::Quiet(format!("  --limit {key}={value} would be enough: a call used {used} {unit} at most")));
    }
    lines.push(Line::Head("For caplet.toml:".to_owned()));
    lines.extend(proposal.toml(name, more).lines().map(|line| Line::Plain(format!("  {}", visible_line(line)))));
    lines
}

fn rule(lines: &mut Vec<Line>, proposed: &Proposed, calls: u32) {
    let Proposed { rule, warning, because, rests_on, .. } = proposed;
    lines.push(Line::Plain(format!("  --allow {}", quote(&rule.to_string()))));
    let reasons = warning.iter().map(String::as_str).chain([because.as_str()]).filter(|reason| !reason.is_empty());
    lines.extend(reasons.map(|reason| Line::Quiet(format!("      {}", visible_line(reason)))));
    for Rests { op, times, calls: numbers, .. } in rests_on.iter().take(SHOWN) {
        let times = if *times > 1 { format!(", {times} times") } else { String::new() };
        let which = if calls > 1 { format!(", {}", in_calls(numbers)) } else { String::new() };
        lines.push(Line::Quiet(format!("      {}{times}{which}", visible_line(op))));
    }
    let rest = rests_on.len().saturating_sub(SHOWN);
    if rest > 0 {
        lines.push(Line::Quiet(format!("      and {rest} more")));
    }
}

fn in_calls(numbers: &[u32]) -> String {
    let plural = if numbers.len() == 1 { "" } else { "s" };
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    format!("in call{plural} {}", numbers.join(", "))
}

/// Says that rules which ask are still needed.
fn kept_asking(proposal: &Proposal) -> String {
    let first = proposal.asked_about.first().map(|op| visible_line(op).into_owned()).unwrap_or_default();
    format!("keep the rules that ask: they are about {} of what it did, such as {first}", proposal.asked_about.len())
}

/// Says what was asked for and is in no rule.
fn lacks(ui: &mut Ui, name: &str, proposal: &Proposal) -> io::Result<()> {
    let name = visible_line(name).into_owned();
    for NotGranted { op, times, hint, .. } in proposal.not_granted.iter().take(DENIALS) {
        let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
        ui.warning(&format!("{name} asked for this, and it is not granted: {}{times}", visible_line(op)))?;
        ui.help(&way_out(hint))?;
    }
    let rest = proposal.not_granted.len().saturating_sub(DENIALS);
    if rest > 0 {
        ui.note(&format!("{rest} more denials are in --json and in the records"))?;
    }
    if !proposal.asked_about.is_empty() {
        ui.note(&kept_asking(proposal))?;
    }
    for op in &proposal.unwritable {
        ui.warning(&format!("no rule can be written for this: {}", visible_line(op)))?;
    }
    if proposal.missing > 0 {
        ui.warning(&format!(
            "{} more ops are not known, because a call keeps a thousand different ones: rules for them may be missing",
            proposal.missing
        ))?;
    }
    ui.flush()
}
