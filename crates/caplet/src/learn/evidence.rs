//! What calls asked for: their decisions, with like ones together.
//!
//! What always holds: nothing gets in that is not a decision of a call; what calls ask for cannot make it grow without bound; what is left
//! out is counted.

use std::collections::{BTreeMap, BTreeSet};

use caplet_audit::Usage;
use caplet_policy::{AnyOp, Decisions};

/// Different ops that are kept, of each verdict: a serving day of a busy tool. More are only counted.
const MOST_OPS: usize = 65_536;
/// Numbers of calls that are kept for one op. Nobody reads on.
const MOST_CALLS: usize = 8;
/// What stands before a rule that asks, in a decision.
const ASKED: &str = "ask ";
/// What a record puts at the end of a text that it cut, and a decision in the place of a value that is not shown.
const CUT: char = '…';

/// What calls of one tool asked for, and which of it was permitted.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    permitted: BTreeMap<String, (AnyOp, Seen)>,
    denied: BTreeMap<(String, String), Refused>,
    /// What a rule that asks is about, and was permitted.
    asked: BTreeSet<String>,
    calls: u32,
    missing: u64,
    /// The most that a call held, in bytes.
    memory: u64,
    /// The most that a call sent.
    requests: u64,
}

/// How often something was asked for, and in which calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) times: u64,
    /// Numbers of calls, from 1; of very many, the first.
    pub(super) calls: Vec<u32>,
}

/// Something that was denied.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) layer: String,
    pub(super) rule: String,
    pub(super) hint: String,
    pub(super) seen: Seen,
}

impl Seen {
    fn add(&mut self, times: u64, call: u32) {
        self.times = self.times.saturating_add(times);
        if self.calls.last() != Some(&call) && self.calls.len() < MOST_CALLS {
            self.calls.push(call);
        }
    }
}

impl Evidence {
    /// No evidence yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the decisions of one more call.
    pub fn add(&mut self, decisions: &Decisions) {
        self.calls = self.calls.saturating_add(1);
        self.missing = self.missing.saturating_add(decisions.overflow);
        for entry in &decisions.permitted_ops {
            // To allow it would be more than was granted: a rule that asks stays one.
            if entry.rule.starts_with(ASKED) {
                if self.asked.len() < MOST_OPS {
                    self.asked.insert(entry.op.clone());
                }
                continue;
            }
            self.permitted(&entry.op, entry.count);
        }
        for entry in &decisions.denied {
            let key = (entry.op.clone(), entry.layer.clone());
            if !self.denied.contains_key(&key) && self.denied.len() >= MOST_OPS {
                self.missing = self.missing.saturating_add(1);
                continue;
            }
            let refused = self.denied.entry(key).or_insert_with(|| Refused {
                layer: entry.layer.clone(),
                rule: entry.rule.clone(),
                hint: entry.hint.clone(),
                seen: Seen::default(),
            });
            refused.seen.add(entry.count, self.calls);
        }
    }

    /// Adds what one more call used.
    pub fn add_usage(&mut self, usage: &Usage) {
        self.memory = self.memory.max(usage.memory_peak_bytes);
        self.requests = self.requests.max(usage.http_requests);
    }

    pub(super) fn memory(&self) -> u64 {
        self.memory
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    fn permitted(&mut self, text: &str, times: u64) {
        if let Some((_, seen)) = self.permitted.get_mut(text) {
            return seen.add(times, self.calls);
        }
        if text.starts_with("config ") && text.ends_with(CUT) {
            // A value that a toolbox hides stays where it is.
            return;
        }
        // What was cut short would be another op.
        let op = text.parse::<AnyOp>().ok().filter(|_| !text.ends_with(CUT) && self.permitted.len() < MOST_OPS);
        let Some(op) = op else {
            self.missing = self.missing.saturating_add(1);
            return;
        };
        let mut seen = Seen::default();
        seen.add(times, self.calls);
        self.permitted.insert(text.to_owned(), (op, seen));
    }

    /// How many calls it is from.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// Different ops that are not in it, because there were too many or their text was cut: what rests on it may lack a rule.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Every op that was permitted, in the order of their texts.
    pub fn ops(&self) -> impl Iterator<Item = &AnyOp> {
        self.permitted.values().map(|(op, _)| op)
    }

    pub(super) fn asked(&self) -> impl Iterator<Item = &String> {
        self.asked.iter()
    }

    pub(super) fn seen(&self) -> impl Iterator<Item = (&AnyOp, &Seen)> {
        self.permitted.values().map(|(op, seen)| (op, seen))
    }

    pub(super) fn refused(&self) -> impl Iterator<Item = (&str, &Refused)> {
        self.denied.iter().map(|((op, _), refused)| (op.as_str(), refused))
    }
}
