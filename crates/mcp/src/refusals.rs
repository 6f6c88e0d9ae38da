//! Denials, told to a model: what was asked, what is permitted instead, and what the operator would have to do.

use caplet::Offer;
use caplet::audit::text::{shortened, visible_line};
use caplet::authority::{Decisions, DeniedEntry};

use crate::words::{Permitted, without_value};

/// Denials that are told one by one; nobody reads on.
const MOST: usize = 8;

/// Bytes of one text of a denial. A guest chooses what it asks for.
const LONGEST: usize = 1024;

/// After a call that failed.
pub(crate) fn told(permitted: &Permitted, offer: &Offer, decisions: &Decisions) -> String {
    let mut lines = vec![format!("Denied to {} in this call:", offer.name())];
    lines.extend(decisions.denied.iter().take(MOST).map(line));
    lines.extend(more(decisions));
    let mut capabilities: Vec<&str> = Vec::new();
    for entry in &decisions.denied {
        if !capabilities.contains(&entry.capability.as_str()) {
            capabilities.push(&entry.capability);
        }
    }
    lines.extend(capabilities.into_iter().take(MOST).map(|capability| {
        let instead = permitted.of(offer, capability).unwrap_or("nothing");
        format!("Permitted of {}: {}", visible_line(capability), shortened(instead, LONGEST))
    }));
    lines.push(format!(
        "Nothing in this session can change that. A rule after --allow is for the operator, who may add it to `allow` of \
         [tools.{}] in caplet.toml.",
        offer.tool()
    ));
    lines.join("\n")
}

/// After a call that ended well all the same.
pub(crate) fn coped(decisions: &Decisions) -> String {
    let asked: Vec<String> = decisions.denied.iter().take(MOST).map(what).collect();
    let more = more(decisions).map(|more| format!("; {more}")).unwrap_or_default();
    format!("Denied to the tool while it ran, so its answer may lack something: {}{more}.", asked.join("; "))
}

fn line(entry: &DeniedEntry) -> String {
    let DeniedEntry { capability, layer, rule, hint, .. } = entry;
    let rule = shown(without_value(capability, rule));
    format!("- {}: by the {layer} layer, {rule}. To permit it: {}", what(entry), shown(hint))
}

/// What was asked for.
fn what(entry: &DeniedEntry) -> String {
    let DeniedEntry { capability, op, count, .. } = entry;
    let times = if *count == 1 { String::new() } else { format!(", {count} times") };
    format!("{} ({}{times})", shown(op), shown(capability))
}

fn more(decisions: &Decisions) -> Option<String> {
    decisions.denied.len().checked_sub(MOST).filter(|more| *more > 0).map(|more| format!("and {more} more"))
}

fn shown(text: &str) -> String {
    visible_line(&shortened(text, LONGEST)).into_owned()
}
