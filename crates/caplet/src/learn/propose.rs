//! From evidence to rules: patterns that it shows, literal rules for the rest, and the check of the whole.

use std::collections::{BTreeMap, HashSet};

use caplet_policy::proof::{self, Budget};
use caplet_policy::{AnyOp, Class, FsOp, GuestPath, Layer, LayerKind, Policy, Rule};

use super::bounds::{Bounds, rules_of};
use super::evidence::{Evidence, Seen};
use super::proposal::{NotGranted, Proposal, Proposed, Rests};
use super::telling::Telling;
use super::{files, limits, requests};

/// How rules are made of what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Patterns where the evidence shows them, else literal rules.
    #[default]
    Patterns,
    /// Literal rules alone.
    Exact,
}

/// A rule that is to be proposed.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) rule: Rule,
    /// What is to be taken away from it.
    pub(super) deny: Option<Rule>,
    pub(super) warning: Option<&'static str>,
    pub(super) because: String,
}

/// The rule that `text` is.
pub(super) fn rule(text: &str) -> Option<Rule> {
    Rule::parse_grant(text, &GuestPath::root()).ok()
}

/// The policy of one layer with these rules.
pub(super) fn policy<'a>(
    allow: impl IntoIterator<Item = &'a Rule>,
    deny: impl IntoIterator<Item = &'a Rule>,
) -> Policy {
    let mut layer = Layer::new(LayerKind::Operator);
    allow.into_iter().for_each(|rule| layer.add_allow(rule.clone()));
    deny.into_iter().for_each(|rule| layer.add_deny(rule.clone()));
    Policy::new(layer)
}

/// The smallest grant that permits what `evidence` says was permitted, within `bounds`.
///
/// It is made of rules alone, so what a rule cannot say is not in it: a listing under it shows the names that it can reach, and not all
/// that the calls saw.
#[must_use]
pub fn propose(evidence: &Evidence, bounds: &Bounds, style: Style) -> Proposal {
    // What every tool has without a grant.
    let usual = policy([], []);
    let seen: Vec<(&AnyOp, &Seen)> = evidence.seen().filter(|(op, _)| !usual.permits(op)).collect();
    let ops: Vec<&AnyOp> = seen.iter().map(|(op, _)| *op).collect();
    let rules = files::trees(&ops);
    let mut draft = Draft { ops, bounds, telling: Telling::new(), rules, denied: Vec::new() };
    if style == Style::Patterns {
        draft.patterns();
    }
    Stage::ALL.into_iter().for_each(|stage| draft.literals(stage));
    draft.carry_on();
    draft.stay_within();
    draft.drop_implied();
    let (allow, look_at) = draft.proposed(&seen);
    Proposal {
        allow,
        look_at,
        unwritable: draft.unwritable(),
        deny: draft.denied,
        limits: bounds.limits.as_ref().map(|held| limits::enough(evidence, held)).unwrap_or_default(),
        asked_about: evidence.asked().cloned().collect(),
        not_granted: not_granted(evidence),
        calls: evidence.calls(),
        missing: evidence.missing(),
    }
}

/// In which order literal rules are made: a later op may be permitted by what an earlier one needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What lets more be done than anything else of its class.
    Wide,
    /// Single things.
    Single,
    /// What follows from single things, mostly.
    Following,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Wide, Self::Single, Self::Following];

    fn of(op: &AnyOp) -> Self {
        match op {
            AnyOp::Filesystem(FsOp::Write(_) | FsOp::WriteTree(_)) => Self::Wide,
            AnyOp::Filesystem(FsOp::Search(_)) => Self::Following,
            AnyOp::KeyValue(op) if op.key().is_none() => Self::Following,
            AnyOp::KeyValue(op) if op.is_write() => Self::Wide,
            AnyOp::Http(op) if op.address().is_some() => Self::Following,
            AnyOp::Tools(op) if !op.to_string().contains('.') => Self::Wide,
            _ => Self::Single,
        }
    }
}

struct Draft<'a> {
    ops: Vec<&'a AnyOp>,
    bounds: &'a Bounds,
    telling: Telling,
    rules: Vec<Pattern>,
    denied: Vec<Rule>,
}

impl<'a> Draft<'a> {
    fn patterns(&mut self) {
        let files = files::patterns(&self.ops, &self.rules, self.bounds, &self.telling);
        self.rules.extend(files);
        self.rules.extend(requests::patterns(&self.ops, self.bounds));
        let denied: Vec<Rule> = self.rules.iter().filter_map(|pattern| pattern.deny.clone()).collect();
        self.denied = without_implied(denied);
    }

    fn policy(&self) -> Policy {
        policy(self.rules.iter().map(|pattern| &pattern.rule), &self.denied)
    }

    fn left_over(&self, is_meant: impl Fn(&AnyOp) -> bool) -> Vec<&'a AnyOp> {
        let policy = self.policy();
        self.ops.iter().copied().filter(|op| is_meant(op) && !policy.permits(op)).collect()
    }

    /// Literal rules for what is left over of a stage.
    fn literals(&mut self, stage: Stage) {
        let left = self.left_over(|op| Stage::of(op) == stage);
        let mut added: Vec<Pattern> = requests::literals(&left);
        added.extend(left.into_iter().filter_map(|op| self.literal(op)));
        let mut known: HashSet<String> = self.rules.iter().map(|pattern| pattern.rule.to_string()).collect();
        added.retain(|pattern| known.insert(pattern.rule.to_string()));
        self.rules.extend(added);
    }

    /// The rule for `op` alone; none for a URL, which has its own.
    fn literal(&self, op: &AnyOp) -> Option<Pattern> {
        let (rule, because) = match op {
            AnyOp::Http(_) | AnyOp::Secrets(_) => return None,
            // To look into a directory, something there has to be readable: it itself is the least.
            AnyOp::Filesystem(FsOp::Search(path)) => {
                let own = AnyOp::Filesystem(FsOp::Read(path.clone()));
                let Some(rule) = own.narrowest_rule().filter(|_| self.bounds.policy.permits(&own)) else {
                    return self.granted(op);
                };
                (rule, "looked into, and nothing in it was asked for: its names show only as far as rules reach them")
            }
            // With the value that was given.
            AnyOp::Config(_) | AnyOp::Environment(_) => return self.granted(op),
            op => (op.narrowest_rule()?, ""),
        };
        Some(Pattern { rule, deny: None, warning: self.warning(op), because: because.to_owned() })
    }

    fn warning(&self, op: &AnyOp) -> Option<&'static str> {
        match op {
            AnyOp::Filesystem(op) => self.telling.path(op.path(), &self.bounds.roots),
            op => requests::warning(op),
        }
    }

    /// The rule of the bounds that permits `op`, where it lets no more be done than the bounds as a whole.
    fn granted(&self, op: &AnyOp) -> Option<Pattern> {
        let layers = self.bounds.policy.layers().iter().rev();
        let mut rules = layers.flat_map(|layer| rules_of(layer, op.class())).map(|rule| as_read(op, rule));
        let rule =
            rules.find(|rule| policy([rule], []).permits(op) && is_its_text(rule) && self.bounds.covers(rule))?;
        let is_wide = rule.class() == Class::Filesystem && is_wide(&rule);
        let warning = is_wide.then_some("nothing less permits it, and it may cover hidden files");
        let because = "as it was granted".to_owned();
        Some(Pattern { rule, deny: None, warning: warning.or_else(|| self.warning(op)), because })
    }

    /// What nobody can see the use of stays as it was granted: variables are handed over before anything is asked for.
    fn carry_on(&mut self) {
        let kept = self.bounds.variables.iter().map(|rule| Pattern {
            rule: rule.clone(),
            deny: None,
            warning: None,
            because: "as you granted it: whether a variable is used cannot be seen".to_owned(),
        });
        self.rules.extend(kept);
    }

    /// Takes out, by proof, whatever the bounds do not permit, and puts the bounds' own rules in its place.
    fn stay_within(&mut self) {
        let (patterns, deny) = (&self.rules, &self.denied);
        let excess = match self.bounds.excess(patterns.iter().map(|pattern| &pattern.rule), deny) {
            Ok(excess) => excess,
            // Too many for one proof: each by itself.
            Err(_) => {
                let rules = patterns.iter().map(|pattern| &pattern.rule);
                rules.filter(|rule| !self.bounds.covers(rule)).map(ToString::to_string).collect()
            }
        };
        if excess.is_empty() {
            return;
        }
        self.rules.retain(|pattern| !excess.contains(&pattern.rule.to_string()));
        for op in self.left_over(|_| true) {
            if !self.policy().permits(op) {
                self.rules.extend(self.granted(op));
            }
        }
    }

    /// Takes out rules that another one makes needless. Literal rules for files and URLs are not made where a pattern is.
    fn drop_implied(&mut self) {
        let rules: Vec<Rule> = self.rules.iter().map(|pattern| pattern.rule.clone()).collect();
        let kept: HashSet<String> = without_implied(rules).iter().map(ToString::to_string).collect();
        self.rules.retain(|pattern| kept.contains(&pattern.rule.to_string()));
        self.rules.sort_by_cached_key(|pattern| (pattern.rule.class(), place(&pattern.rule)));
    }

    /// What no rule permits.
    fn unwritable(&self) -> Vec<String> {
        self.left_over(|_| true).into_iter().map(ToString::to_string).collect()
    }

    /// The rules with what they rest on; and those to look at.
    fn proposed(&self, seen: &[(&AnyOp, &Seen)]) -> (Vec<Proposed>, Vec<Proposed>) {
        let proposed = |pattern: &Pattern| {
            let alone = policy([&pattern.rule], []);
            let class = pattern.rule.class();
            let permitted = seen.iter().filter(|(op, _)| op.class() == class && alone.permits(op));
            let (following, single): (Vec<_>, Vec<_>) =
                permitted.partition(|(op, _)| Stage::of(op) == Stage::Following && matches!(op, AnyOp::Filesystem(_)));
            let rests_on = if single.is_empty() { following } else { single };
            let rests = |(op, seen): &(&AnyOp, &Seen)| Rests {
                op: op.to_string(),
                times: seen.times,
                calls: seen.calls.clone(),
            };
            Proposed {
                rule: pattern.rule.clone(),
                warning: pattern.warning.map(str::to_owned),
                because: pattern.because.clone(),
                rests_on: rests_on.into_iter().map(rests).collect(),
            }
        };
        self.rules.iter().map(proposed).partition(|proposed| proposed.warning.is_none())
    }
}

/// Whether a rule means the same when it is read from its own text: one with a value that is not shown does not.
fn is_its_text(own: &Rule) -> bool {
    rule(&own.to_string()).as_ref() == Some(own)
}

/// A rule to write as one to read, where nothing was to be written.
fn as_read(op: &AnyOp, own: Rule) -> Rule {
    let is_read = matches!(op, AnyOp::Filesystem(FsOp::Read(_) | FsOp::Search(_)));
    let text = own.to_string();
    let read = text.strip_prefix("write:").filter(|_| is_read).and_then(|glob| rule(&format!("read:{glob}")));
    read.unwrap_or(own)
}

/// By what rules are sorted for a reader: the place before the mode.
fn place(rule: &Rule) -> (String, String) {
    let text = rule.to_string();
    let (kind, place) = text.split_once(':').unwrap_or((&text, ""));
    (place.to_owned(), kind.to_owned())
}

/// Rules without those that permit nothing which another one of the same class does not.
///
/// A rule without a wildcard is about one thing, and is only compared with those that are about more.
fn without_implied(rules: Vec<Rule>) -> Vec<Rule> {
    let is_compared = |rule: &Rule| !matches!(rule.class(), Class::Filesystem | Class::Http) || is_wide(rule);
    let mut by_class: BTreeMap<Class, Vec<&Rule>> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| is_compared(rule)) {
        by_class.entry(rule.class()).or_default().push(rule);
    }
    let is_implied = |number: usize, rule: &Rule| {
        let wide = by_class.get(&rule.class()).into_iter().flatten();
        let mut others = wide.filter(|other| **other != rule);
        others.any(|other| {
            implies(other, rule) && (!implies(rule, other) || rules.iter().position(|own| own == *other) < Some(number))
        })
    };
    let kept = rules.iter().enumerate().filter(|(number, rule)| !is_implied(*number, rule));
    kept.map(|(_, rule)| rule.clone()).collect()
}

/// Whether a rule may be about more than one thing.
fn is_wide(rule: &Rule) -> bool {
    rule.to_string().contains(['*', '?', '[', '{'])
}

/// Whether `wide` permits all that `rule` does. What cannot be proven is not so.
fn implies(wide: &Rule, rule: &Rule) -> bool {
    let (old, new) = (policy([wide], []), policy([rule], []));
    let found = proof::widenings_within(old.layers(), new.layers(), &Budget::default());
    found.is_ok_and(|found| !found.iter().any(|more| more.class == rule.class()))
}

fn not_granted(evidence: &Evidence) -> Vec<NotGranted> {
    let denied = evidence.refused().map(|(op, refused)| NotGranted {
        op: op.to_owned(),
        layer: refused.layer.clone(),
        rule: refused.rule.clone(),
        hint: refused.hint.clone(),
        times: refused.seen.times,
        calls: refused.seen.calls.clone(),
    });
    denied.collect()
}
