//! How the layers of a call come together.

use caplet_audit::CeilingSource;
use caplet_component::Digest;
use caplet_policy::{Layer, LayerKind, Policy};

use crate::caplet::Tool;
use crate::grant::{Ceiling, Grant};

/// The policy of a call: the ceiling, then the operator's rules, then whatever narrows further.
pub(crate) fn policy_for(tool: &Tool, function: Option<&str>, grant: &Grant) -> Policy {
    let manifest = tool.component().manifest.as_ref();
    let ceiling = match (grant.ceiling, manifest) {
        (Ceiling::Open, _) => Layer::open(LayerKind::Manifest),
        (Ceiling::Manifest, Some(manifest)) => manifest.ceiling(),
        (Ceiling::Manifest, None) => Layer::new(LayerKind::Manifest),
    };
    let mut policy = Policy::new(ceiling);
    if grant.ceiling == Ceiling::Manifest
        && let Some(narrowing) = function.and_then(|function| manifest?.narrowing(function))
    {
        policy = policy.attenuate(narrowing);
    }
    policy = policy.attenuate(grant.operator());
    for layer in grant.function_layers(function).chain(&grant.narrower) {
        policy = policy.attenuate(layer.clone());
    }
    policy
}

/// Where the outermost layer of such a policy comes from.
pub(crate) fn ceiling_source(tool: &Tool, grant: &Grant) -> CeilingSource {
    match (grant.ceiling, &tool.component().manifest) {
        (Ceiling::Open, _) => CeilingSource::Open,
        (Ceiling::Manifest, Some(_)) => CeilingSource::Manifest,
        (Ceiling::Manifest, None) => CeilingSource::None,
    }
}

/// A digest of what every layer was made from, for the record.
pub(crate) fn policy_digest(tool: &Tool, function: Option<&str>, grant: &Grant) -> Digest {
    let manifest = tool.component().manifest.as_ref().filter(|_| grant.ceiling == Ceiling::Manifest);
    let mut text = match manifest {
        Some(manifest) => format!("manifest {} {}\n", manifest.digest(), function.unwrap_or_default()),
        None => format!("ceiling {:?}\n", grant.ceiling),
    };
    for rule in &grant.texts {
        text.push_str(&format!("operator {rule}\n"));
    }
    // Without what they say: from a digest, a short value could be guessed.
    for rule in &grant.values {
        text.push_str(&format!("operator allow {rule}\n"));
    }
    for layer in grant.function_layers(function).chain(&grant.narrower) {
        text.push_str(&format!("{layer:?}\n"));
    }
    Digest::of(text.as_bytes())
}
