//! The smallest grant: what is proposed for what, the laws of it, and that calls that are learnt from change nothing.

mod laws;
mod needs;
mod rules;

use caplet::authority::{AnyOp, Decisions, GuestPath, Layer, LayerKind, PermittedEntry, Policy, Rule};
use caplet::learn::{Bounds, Evidence, Proposal, Style, propose};

pub(crate) fn op(text: &str) -> AnyOp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn layer(kind: LayerKind, allow: &[&str], deny: &[&str]) -> Layer {
    let rule =
        |text: &str| Rule::parse_grant(text, &GuestPath::root()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut layer = Layer::new(kind);
    allow.iter().for_each(|text| layer.add_allow(rule(text)));
    deny.iter().for_each(|text| layer.add_deny(rule(text)));
    layer
}

/// The decisions of a call that was permitted `ops`.
pub(crate) fn decisions<'a>(ops: impl IntoIterator<Item = &'a str>) -> Decisions {
    let entry = |op: &str| PermittedEntry {
        capability: String::new(),
        op: op.to_owned(),
        layer: "operator".to_owned(),
        rule: String::new(),
        answered: None,
        count: 1,
    };
    Decisions { permitted_ops: ops.into_iter().map(entry).collect(), ..Decisions::default() }
}

/// The bounds of a tool that may use all of `/w` and `/other`, and fetch from anywhere that was granted.
pub(crate) fn bounds() -> Bounds {
    let hosts = ["fetch:ANY https://*:*", "fetch:ANY http://localhost:*", "fetch:ANY http://0.0.0.0/0:*"];
    let more = ["kv:notes", "call:*", "secret:*@https://*", "config:mode=fast", "random", "clock:1us"];
    let allow = [&["write:/w/**", "write:/other/**"][..], &hosts, &more].concat();
    within(&allow, &[])
}

pub(crate) fn within(allow: &[&str], deny: &[&str]) -> Bounds {
    let policy = Policy::new(layer(LayerKind::Manifest, allow, deny));
    Bounds::new(policy, ["/w", "/other"].map(|root| GuestPath::parse(root).unwrap()).to_vec())
}

pub(crate) fn learn(calls: &[&[&str]], bounds: &Bounds, style: Style) -> Proposal {
    let mut evidence = Evidence::new();
    calls.iter().for_each(|ops| evidence.add(&decisions(ops.iter().copied())));
    propose(&evidence, bounds, style)
}

/// The rules by their texts: those to allow, and those to look at.
pub(crate) fn texts(proposal: &Proposal) -> (Vec<String>, Vec<String>) {
    let texts = |rules: &[caplet::learn::Proposed]| rules.iter().map(|proposed| proposed.rule.to_string()).collect();
    (texts(&proposal.allow), texts(&proposal.look_at))
}
