//! What changed of a tool, for the person who approves of it: authority first, then what an agent sees.
//!
//! What always holds: each line of a stranger's text is escaped, and stands behind a sign that no line of ours has; and long texts do not
//! push authority out of sight, since it is told again below them.

use std::io;

use caplet::audit::text::visible_line;
use caplet::authority::{GuestPath, Rule};
use caplet::component::Manifest;
use caplet::{Change, ChangeKind, Difference, FunctionChange, in_words};

use crate::facts::ManifestFact;
use crate::ui::{Ui, style};

/// The most lines of one text that are shown. Nobody reads more, and `caplet inspect` shows them.
const MOST_LINES: usize = 200;

/// Shows the ceiling of a tool that is new to the person.
pub(crate) fn show_ceiling(ui: &mut Ui, manifest: Option<&Manifest>) -> io::Result<()> {
    let (quiet, warning) = (style::QUIET, style::WARNING);
    let Some(manifest) =
        manifest.filter(|manifest| manifest.sections().iter().any(|section| !section.grants.is_empty()))
    else {
        return ui.line("  its ceiling: it may compute and nothing else");
    };
    ui.line("  its ceiling, which is the most that you can grant:")?;
    for section in manifest.sections() {
        for declared in &section.grants {
            let rule = declared.rule.to_string();
            let wide =
                if declared.rule.is_broad() { format!("  {warning}VERY WIDE{warning:#}") } else { String::new() };
            ui.line(format_args!("    {}{wide}", visible_line(&in_words(&rule))))?;
            ui.line(format_args!("      {quiet}{}{quiet:#}", visible_line(&rule)))?;
        }
        for declared in &section.denies {
            ui.line(format_args!("    never {}", visible_line(&declared.rule.to_string())))?;
        }
        if let Some(reason) = section.description.as_deref().filter(|_| !section.grants.is_empty()) {
            ui.line(format_args!("    {quiet}the author says: {}{quiet:#}", visible_line(reason)))?;
        }
    }
    let broad = manifest.broad_rules().count();
    if broad > 0 {
        ui.warning(&format!("{broad} of its rules are very wide: they name no directory or no host"))?;
    }
    let limits = ManifestFact::new(manifest).limits_line();
    if limits.is_empty() { Ok(()) } else { ui.line(format_args!("    limits: {}", visible_line(&limits))) }
}

/// Shows what changed of a tool that was approved before, or what an agent sees of one that was not.
pub(crate) fn show(ui: &mut Ui, change: &Change, was_approved: bool) -> io::Result<()> {
    if was_approved {
        authority(ui, change)?;
    }
    for function in &change.functions {
        show_function(ui, function)?;
    }
    let quiet = style::QUIET;
    if let Some((old, new)) = &change.digest {
        let alone = if change.is_code_alone() { "; nothing else changed" } else { "" };
        ui.line(format_args!("  its code is another{alone}"))?;
        ui.line(format_args!("    {quiet}from {old}{quiet:#}"))?;
        ui.line(format_args!("    {quiet}to   {new}{quiet:#}"))?;
    }
    Ok(())
}

/// What is at stake, in one line, for the question at the end.
pub(crate) fn summary(change: &Change, was_approved: bool) -> Option<String> {
    let Difference { widened, raised, unproven, .. } = &change.wider;
    let unseen = change.functions.iter().filter(|function| !function.unseen.is_empty()).count();
    let parts = [
        counted(widened.len(), if was_approved { "wider rule" } else { "rule" }),
        counted(raised.len(), "raised limit"),
        counted(unproven.len(), "unproven comparison"),
        counted(unseen, "misleading text"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn counted(count: usize, what: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    }
}

fn authority(ui: &mut Ui, change: &Change) -> io::Result<()> {
    let (good, bad, quiet) = (style::GOOD, style::ERROR, style::QUIET);
    if change.wider.is_empty() {
        ui.line(format_args!("  {good}authority:{good:#} proven: it asks for nothing that was not approved"))?;
    }
    let told = |function: Option<&str>| function.map(|name| format!("{}: ", visible_line(name))).unwrap_or_default();
    for widened in &change.wider.widened {
        let rule = &widened.rule;
        let function = told(widened.function.as_deref());
        let wide = if is_broad(rule) { format!("  {bad}VERY WIDE{bad:#}") } else { String::new() };
        ui.line(format_args!("  {bad}wider:{bad:#}    {function}{}{wide}", visible_line(&in_words(rule))))?;
        ui.line(format_args!(
            "            {quiet}{}, such as {}{quiet:#}",
            visible_line(rule),
            visible_line(&widened.witness.to_string())
        ))?;
    }
    for raised in &change.wider.raised {
        ui.line(format_args!(
            "  {bad}raised:{bad:#}   the limit {}, from {} to {}",
            raised.key, raised.from, raised.to
        ))?;
    }
    for problem in &change.wider.unproven {
        ui.line(format_args!("  {bad}unproven:{bad:#} {}", visible_line(problem)))?;
    }
    for less in &change.narrower.widened {
        ui.line(format_args!(
            "  {good}no more:{good:#}  {}{}",
            told(less.function.as_deref()),
            visible_line(&in_words(&less.rule))
        ))?;
    }
    for lowered in &change.narrower.raised {
        ui.line(format_args!(
            "  {good}lowered:{good:#}  the limit {}, from {} to {}",
            lowered.key, lowered.to, lowered.from
        ))?;
    }
    change.manifest.as_ref().map_or(Ok(()), |text| difference(ui, "its manifest", text, true))
}

/// Whether a rule, in its short form, is so wide that a person should look twice.
fn is_broad(rule: &str) -> bool {
    Rule::parse_grant(rule, &GuestPath::root()).is_ok_and(|rule| rule.is_broad())
}

fn show_function(ui: &mut Ui, change: &FunctionChange) -> io::Result<()> {
    let (name, bad) = (style::NOTE, style::ERROR);
    let what = match change.kind {
        ChangeKind::New => "an agent will see",
        ChangeKind::Gone => "an agent will no longer see",
        _ => "an agent will see another",
    };
    ui.line(format_args!("  {what} {name}{}{name:#}", visible_line(&change.name)))?;
    if change.kind == ChangeKind::Gone {
        return Ok(());
    }
    if let Some((old, new)) = &change.function {
        ui.line(format_args!("    its function was {} and is {}", visible_line(old), visible_line(new)))?;
    }
    for (what, text) in
        [("its description", &change.description), ("its arguments", &change.input), ("its answer", &change.output)]
    {
        if let Some(text) = text {
            difference(ui, what, text, change.kind != ChangeKind::New)?;
        }
    }
    if change.unseen.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = change.unseen.iter().map(|c| format!("U+{:04X}", u32::from(*c))).collect();
    ui.line(format_args!(
        "    {bad}unseen:{bad:#} its texts have characters that cannot be seen, or that reorder what is read: {}",
        names.join(", ")
    ))
}

/// A unified difference, each line escaped behind its sign; with the places of its parts, where it has several.
fn difference(ui: &mut Ui, what: &str, text: &str, has_places: bool) -> io::Result<()> {
    let (good, bad, quiet) = (style::GOOD, style::ERROR, style::QUIET);
    ui.line(format_args!("    {what}:"))?;
    let count = text.lines().count();
    for line in text.lines().take(MOST_LINES) {
        let shown = visible_line(line);
        match line.as_bytes().first() {
            Some(b'+') => ui.line(format_args!("      {good}{shown}{good:#}"))?,
            Some(b'-') => ui.line(format_args!("      {bad}{shown}{bad:#}"))?,
            Some(b'@') if !has_places => {}
            Some(b'@') => ui.line(format_args!("      {quiet}{shown}{quiet:#}"))?,
            _ => ui.line(format_args!("      {shown}"))?,
        }
    }
    match count.checked_sub(MOST_LINES).filter(|rest| *rest > 0) {
        Some(rest) => ui.warning(&format!("{rest} more lines are not shown here; `caplet inspect` shows all of them")),
        None => Ok(()),
    }
}
