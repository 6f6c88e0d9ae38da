//! Whether the tools of the toolbox can be offered.

use caplet::Catalog;

use super::{Finding, State};
use crate::failure::Failure;
use crate::host;
use crate::toolbox::ToolboxOptions;

/// The toolbox, and each tool of it that is not offered.
pub(super) fn findings(options: &ToolboxOptions) -> Vec<Finding> {
    offered(options).unwrap_or_else(|failure| vec![broken("toolbox", failure)])
}

fn offered(options: &ToolboxOptions) -> Result<Vec<Finding>, Failure> {
    let Some(toolbox) = options.read()? else {
        return Ok(vec![Finding::new("toolbox", State::Ok, "there is none, so that a server offers no tools")]);
    };
    let (caplet, _) = host::caplet()?;
    let catalog = Catalog::new(&caplet, &toolbox, host::current_dir()?);
    let (offers, hidden) = (catalog.offers().len(), catalog.hidden());
    let detail = format!("{} offers {offers} functions", toolbox.path().display());
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
