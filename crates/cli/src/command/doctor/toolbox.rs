//! Whether the tools of the toolbox can be offered.

use super::{Finding, State};
use crate::failure::Failure;
use crate::toolbox::ToolboxOptions;
use crate::{catalog, host};

/// The toolbox, and each tool of it that is not offered.
pub(super) fn findings(options: &ToolboxOptions) -> Vec<Finding> {
    offered(options).unwrap_or_else(|failure| vec![broken("toolbox", failure)])
}

fn offered(options: &ToolboxOptions) -> Result<Vec<Finding>, Failure> {
    let loaded = options.load()?;
    let files: Vec<String> = loaded.toolbox.files().map(|file| file.display().to_string()).collect();
    if files.is_empty() {
        return Ok(vec![Finding::new("toolbox", State::Ok, "there is none, so that a server offers no tools")]);
    }
    let (caplet, _) = host::caplet()?;
    let catalog = catalog::now(options, &caplet, &loaded.toolbox)?;
    let (offers, hidden) = (catalog.offers().len(), catalog.hidden());
    let detail = format!("{} offers {offers} functions", files.join(" over "));
    let hidden = hidden.iter().map(|hidden| {
        let state = if hidden.needs_approval() { State::Worse } else { State::Broken };
        let finding = Finding::new(format!("tool {}", hidden.tool), state, &hidden.error.message);
        match &hidden.error.hint {
            Some(hint) => finding.with_help(hint),
            None => finding,
        }
    });
    Ok([Finding::new("toolbox", State::Ok, detail)].into_iter().chain(hidden).collect())
}

/// A failure, as something that does not work.
fn broken(what: &'static str, failure: Failure) -> Finding {
    let finding = Finding::new(what, State::Broken, failure.info.message);
    match failure.info.hint {
        Some(hint) => finding.with_help(hint),
        None => finding,
    }
}
