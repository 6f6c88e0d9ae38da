//! The policy crate through its public surface.

#![allow(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test whose world cannot be set up has failed; helpers are shared by modules"
)]

mod allowance;
mod asks;
mod decisions;
mod generate;
mod globs;
mod journal;
mod laws;
mod layer_text;
mod limits;
mod network;
mod proofs;
mod rates;
mod resolved;
mod rules;
mod secrets;
mod trees;

use caplet_policy::{AnyOp, GuestPath, Layer, LayerKind, Policy, Rule};

/// A rule in its short form; relative globs are taken from the root.
fn rule(text: &str) -> Rule {
    Rule::parse_grant(text, &GuestPath::root()).unwrap_or_else(|error| panic!("{text}: {error} ({:?})", error.hint()))
}

/// A layer of rules in their short form.
fn layer(kind: LayerKind, allow: &[&str], deny: &[&str]) -> Layer {
    let mut layer = Layer::new(kind);
    allow.iter().for_each(|text| layer.add_allow(rule(text)));
    deny.iter().for_each(|text| layer.add_deny(rule(text)));
    layer
}

/// A policy of one layer.
fn policy(allow: &[&str], deny: &[&str]) -> Policy {
    Policy::new(layer(LayerKind::Operator, allow, deny))
}

fn op(text: &str) -> AnyOp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Checks that exactly the ops marked with `true` are permitted.
fn check(policy: &Policy, cases: &[(&str, bool)]) {
    for (text, expected) in cases {
        let op = op(text);
        assert_eq!(policy.permits(&op), *expected, "{}", policy.explain(&op));
    }
}
