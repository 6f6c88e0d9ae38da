//! Puts a tool's manifest and its documentation into its component, and refuses a tool that a model could not work with.

use anyhow::{Context, Result, bail};
use caplet_component::{Caps, Docs, Existing, Manifest, Severity, check, inspect};

use super::sources::Tool;

/// `wasm` with the tool's `agent-tool.toml` and the doc comments of its WIT embedded.
pub(crate) fn embed(tool: &Tool, wasm: &[u8]) -> Result<Vec<u8>> {
    let (caps, name) = (Caps::default(), &tool.name);
    let file = tool.folder.join("agent-tool.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let manifest = Manifest::parse(&text).with_context(|| format!("{} is no valid manifest", file.display()))?;
    let docs =
        Docs::read_wit(&tool.folder.join("wit"), None).with_context(|| format!("cannot read the WIT of {name}"))?;
    let documented =
        caplet_component::embed_docs(wasm, &docs, &caps).with_context(|| format!("cannot document {name}"))?;
    let embedded = caplet_component::embed(&documented, &manifest, Existing::Refuse, &caps);
    let embedded = embedded.with_context(|| format!("cannot embed the manifest of {name}"))?;
    check_usable(&embedded, &caps).with_context(|| format!("{name} is not fit for use"))?;
    Ok(embedded)
}

/// The checks of `caplet check` pass, and the tool and each parameter say what they are.
fn check_usable(wasm: &[u8], caps: &Caps) -> Result<()> {
    if let Some(finding) = check(wasm, None, caps).iter().find(|finding| finding.severity == Severity::Error) {
        bail!("{}", finding.message);
    }
    let component = inspect(wasm, caps)?;
    if component.tools.is_empty() {
        bail!("it exports no tool");
    }
    for tool in &component.tools {
        if tool.description.is_empty() {
            bail!("the function `{}` has no doc comment", tool.function);
        }
        let parameters = tool.input_schema.get("properties").and_then(|properties| properties.as_object());
        for (name, schema) in parameters.into_iter().flatten() {
            if schema.get("description").is_none() {
                bail!("no line of the doc comment of `{}` speaks about `{name}`", tool.function);
            }
        }
    }
    Ok(())
}
