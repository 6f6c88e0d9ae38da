//! How a call ended, for a person: the answer on standard output; who refused what, and what would permit it, on standard error.

use std::io;

use caplet::audit::text::{json_pretty, visible_line};
use caplet::audit::{ErrorInfo, Outcome, OutcomeKind};
use serde_json::Value;

use crate::failure::Excerpt;
use crate::ui::Ui;

/// Denials listed below an error. The record has all of them.
const SHOWN: usize = 8;

/// Prints `outcome`, with the place in a file that it is about, if there is one.
pub(crate) fn report(ui: &mut Ui, outcome: &Outcome, excerpt: Option<&Excerpt>) -> io::Result<()> {
    output(ui, &outcome.output)?;
    ui.flush()?;
    match &outcome.error {
        Some(error) => failed(ui, outcome, error, excerpt)?,
        None => coped(ui, outcome)?,
    }
    if ui.is_verbose() { used(ui, outcome) } else { Ok(()) }
}

fn output(ui: &mut Ui, output: &Value) -> io::Result<()> {
    match output {
        Value::Null => Ok(()),
        Value::String(text) => ui.tool_text(text),
        value => ui.json(&json_pretty(value)?),
    }
}

fn failed(ui: &mut Ui, outcome: &Outcome, error: &ErrorInfo, excerpt: Option<&Excerpt>) -> io::Result<()> {
    let name = visible_line(&outcome.tool);
    let message = error.message.as_str();
    match outcome.outcome {
        OutcomeKind::Denied => {
            ui.error(&format!("{name} failed after it was denied something"))?;
            ui.detail(&format!("it said: {message}"))?;
            denials(ui, outcome)
        }
        OutcomeKind::Exit => {
            let code = outcome.exit_code.unwrap_or_default();
            ui.error(&format!("{name} exited with code {code}"))?;
            if message.is_empty() || message.ends_with(&format!("exited with code {code}")) {
                Ok(())
            } else {
                ui.detail(message)
            }
        }
        OutcomeKind::Error => ui.error(&format!("{name}: {message}")),
        OutcomeKind::Trap => ui.error(&format!("{name} trapped: {message}")),
        OutcomeKind::Limit | OutcomeKind::Refused | OutcomeKind::Host => ui.error(message),
        _ => ui.error(message),
    }?;
    excerpt.map_or(Ok(()), |excerpt| ui.excerpt(excerpt))?;
    match &error.hint {
        // A denial's hint stands beside the denial.
        Some(hint) if outcome.outcome != OutcomeKind::Denied => ui.help(&way_out(hint)),
        _ => Ok(()),
    }
}

/// A tool that did its work in spite of a denial: one line, since the answer may lack something.
fn coped(ui: &mut Ui, outcome: &Outcome) -> io::Result<()> {
    let distinct = outcome.decisions.denied.len();
    if distinct == 0 {
        return Ok(());
    }
    let name = visible_line(&outcome.tool);
    let what = if distinct == 1 { "one thing that it asked for" } else { "some of what it asked for" };
    if ui.is_verbose() {
        ui.note(&format!("{name} was denied {what}"))?;
        return denials(ui, outcome);
    }
    ui.note(&format!("{name} was denied {what}; --verbose says what, and what would permit it"))
}

fn denials(ui: &mut Ui, outcome: &Outcome) -> io::Result<()> {
    let denied = &outcome.decisions.denied;
    for entry in denied.iter().take(SHOWN) {
        let times = if entry.count > 1 { format!(" ({} times)", entry.count) } else { String::new() };
        ui.detail(&format!("denied: {}{times}", visible_line(&entry.op)))?;
        ui.detail(&format!("    by: {} layer, {}", entry.layer, visible_line(&entry.rule)))?;
        ui.help(&way_out(&entry.hint))?;
    }
    let more = denied.len().saturating_sub(SHOWN);
    if more == 0 { Ok(()) } else { ui.note(&format!("{more} more denials are in --json and in the record")) }
}

fn used(ui: &mut Ui, outcome: &Outcome) -> io::Result<()> {
    let usage = &outcome.usage;
    let fuel = usage.fuel.map(|fuel| format!(", {fuel} fuel")).unwrap_or_default();
    let took = match outcome.deterministic {
        Some(seed) => format!("deterministic with seed {seed}"),
        None => format!("{:.1} ms", usage.wall_us as f64 / 1e3),
    };
    ui.note(&format!(
        "{took}, {:.1} MiB of memory{fuel}, {} bytes of output, {} ops permitted",
        usage.memory_peak_bytes as f64 / f64::from(1 << 20),
        usage.output_bytes,
        outcome.decisions.permitted,
    ))?;
    if let Some(digest) = &outcome.record_digest {
        ui.note(&format!("record digest {digest}"))?;
    }
    match &outcome.record {
        Some(record) => ui.note(&format!("record {record}")),
        None => Ok(()),
    }
}

/// A hint as a sentence: where it is an option, it says what the option is for.
pub(crate) fn way_out(hint: &str) -> String {
    if hint.starts_with("--") { format!("to permit it, add {hint}") } else { hint.to_owned() }
}
