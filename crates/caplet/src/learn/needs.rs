//! Which rules of a toolbox recorded calls needed.
//!
//! What always holds: a rule is judged by asking it about the ops that are on record, never by comparing texts; what cannot be seen in a
//! record is not called unused.

use std::collections::HashMap;

use caplet_policy::{AnyOp, Class, Decisions, FsOp, Layer, LayerKind, Policy, Rule};

use super::propose::policy;

/// Different ops whose answers are remembered. A rule is asked again about more.
const MOST_REMEMBERED: usize = 65_536;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleKind {
    /// It gives.
    Allow,
    /// It takes away.
    Deny,
    /// It has somebody asked.
    Ask,
}

impl RuleKind {
    /// The key of it in caplet.toml.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Ask => "ask",
        }
    }
}

/// A rule of a tool, and whether calls needed it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleUse {
    /// What the rule does.
    pub kind: RuleKind,
    /// The rule.
    pub rule: Rule,
    /// How many of the calls needed it.
    pub calls: u64,
}

impl RuleUse {
    /// Whether no call needed it; `None` where that is on no record: a variable is handed over before anything is asked for.
    #[must_use]
    pub fn is_unused(&self) -> Option<bool> {
        (self.rule.class() != Class::Environment).then_some(self.calls == 0)
    }
}

/// The rules of one tool, and which of them recorded calls needed.
#[derive(Debug)]
pub struct Needs {
    rules: Vec<Judge>,
    calls: u64,
    missing: u64,
    known: HashMap<String, Vec<usize>>,
}

#[derive(Debug)]
struct Judge {
    rule: RuleUse,
    /// The rule by itself: what it permits, or what it leaves of everything.
    alone: Policy,
    /// All rules that allow but this one.
    others: Policy,
}

impl Needs {
    /// The rules of a tool, before any call is known.
    pub(crate) fn new<'a>(rules: impl Iterator<Item = (RuleKind, &'a Rule)>) -> Self {
        let rules: Vec<(RuleKind, &Rule)> = rules.collect();
        let judge = |number: usize, kind: RuleKind, rule: &Rule| {
            let others =
                rules.iter().enumerate().filter(|(other, (kind, _))| *other != number && *kind == RuleKind::Allow);
            let alone = match kind {
                RuleKind::Deny => {
                    let mut layer = Layer::open(LayerKind::Operator);
                    layer.add_deny(rule.clone());
                    Policy::new(layer)
                }
                RuleKind::Allow | RuleKind::Ask => policy([rule], []),
            };
            let others = policy(others.map(|(_, (_, rule))| *rule), []);
            Judge { rule: RuleUse { kind, rule: rule.clone(), calls: 0 }, alone, others }
        };
        let judges = rules.iter().enumerate().map(|(number, (kind, rule))| judge(number, *kind, rule)).collect();
        Self { rules: judges, calls: 0, missing: 0, known: HashMap::new() }
    }

    /// Adds the decisions of a recorded call.
    pub fn add(&mut self, decisions: &Decisions) {
        self.calls = self.calls.saturating_add(1);
        self.missing = self.missing.saturating_add(decisions.overflow);
        let permitted = decisions.permitted_ops.iter().map(|entry| (true, entry.op.as_str()));
        let denied = decisions.denied.iter().map(|entry| (false, entry.op.as_str()));
        let mut needed = vec![false; self.rules.len()];
        for (is_permitted, text) in permitted.chain(denied) {
            for number in self.needed_by(is_permitted, text) {
                needed.get_mut(number).into_iter().for_each(|needed| *needed = true);
            }
        }
        for (judge, needed) in self.rules.iter_mut().zip(needed) {
            judge.rule.calls += u64::from(needed);
        }
    }

    /// Numbers of the rules that an op needed.
    fn needed_by(&mut self, is_permitted: bool, text: &str) -> Vec<usize> {
        let key = format!("{}{text}", u8::from(is_permitted));
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let Ok(op) = text.parse::<AnyOp>() else {
            self.missing = self.missing.saturating_add(1);
            return Vec::new();
        };
        let judges = self.rules.iter().enumerate();
        let numbers: Vec<usize> =
            judges.filter(|(_, judge)| judge.is_needed(is_permitted, &op)).map(|(number, _)| number).collect();
        if self.known.len() < MOST_REMEMBERED {
            self.known.insert(key, numbers.clone());
        }
        numbers
    }

    /// How many calls were added.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Ops of these calls that are not known, because there were too many for a record, or it cut them: they may have needed a rule.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// The rules, in the order of the file.
    pub fn rules(&self) -> impl Iterator<Item = &RuleUse> {
        self.rules.iter().map(|judge| &judge.rule)
    }
}

impl Judge {
    fn is_needed(&self, is_permitted: bool, op: &AnyOp) -> bool {
        if self.rule.rule.class() != op.class() {
            return false;
        }
        match self.rule.kind {
            RuleKind::Allow => is_permitted && (self.is_about(op) || !self.others.permits(op) && self.helps(op)),
            RuleKind::Ask => self.alone.permits(op),
            RuleKind::Deny => !is_permitted && !self.alone.permits(op),
        }
    }

    /// Whether the rule permits `op` by itself. To look into a directory is permitted by whatever lies below; that alone says nothing
    /// about those of the rules which are about other things there.
    fn is_about(&self, op: &AnyOp) -> bool {
        match op {
            AnyOp::Filesystem(FsOp::Search(path)) => self.alone.permits(&AnyOp::Filesystem(FsOp::Read(path.clone()))),
            op => self.alone.permits(op),
        }
    }

    /// Whether the others permit `op` with it, but not without: one rule permits a request to a name, and another one the address.
    fn helps(&self, op: &AnyOp) -> bool {
        let others = self.others.layers().iter().flat_map(|layer| super::bounds::rules_of(layer, op.class()));
        let all: Vec<Rule> = others.chain([self.rule.rule.clone()]).collect();
        policy(&all, []).permits(op)
    }
}
