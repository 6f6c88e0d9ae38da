//! What people and programs read: outcomes, records, and the log that keeps them.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod best_effort;
mod log;
mod outcome;
mod record;
mod recordings;
mod text;
mod trace;

fn denied(op: &str) -> caplet_policy::DeniedEntry {
    caplet_policy::DeniedEntry {
        capability: "wasi:filesystem".to_owned(),
        op: op.to_owned(),
        layer: "operator".to_owned(),
        rule: "no matching rule".to_owned(),
        hint: op.to_owned(),
        answered: None,
        count: 1,
    }
}
