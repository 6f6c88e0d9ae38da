//! The rules of one class in one layer, as automata over the texts of ops.

use regex_syntax::hir::Hir;

use super::budget::{GaveUp, Obstacle};
use crate::class::Class;
use crate::layer::Layer;
use crate::pattern::automaton::{Automaton, DEAD};
use crate::pattern::set::{Group, PatternSet};
use crate::section::{Allow, Reserved, Section};

/// Whether rules that ask count as rules that permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// What could be given counts.
    Count,
    /// Only what is given without asking counts.
    Ignored,
}

/// The rules of one section. Languages are numbered: allow rules first, those that ask among them last, then deny rules, then
/// reserved ones.
pub(super) struct Compiled<S: Section> {
    /// Those of the rules, then those of the reserved languages.
    groups: Vec<Group>,
    rule_groups: usize,
    everything: bool,
    allow: Vec<S::Rule>,
    /// How many of them, from the first on, permit without asking.
    unasked: usize,
    /// For each allow rule, whether it opens each reserved language.
    opens: Vec<Vec<bool>>,
    deny_count: usize,
    reserved: Vec<Reserved<S>>,
}

fn build(languages: &[(u32, Hir)], class: Class) -> Result<Vec<Group>, GaveUp> {
    let set = PatternSet::build(languages).map_err(|_| GaveUp::new(class, Obstacle::TooComplex))?;
    Ok(set.groups)
}

/// What a layer says about a text.
pub(super) struct Judgement {
    pub(super) permitted: bool,
    /// The allow rules that permit the text, were there no deny rule.
    pub(super) allowed_by: Vec<u32>,
    /// The deny rules that match.
    pub(super) denied_by: Vec<u32>,
}

impl<S: Section> Compiled<S> {
    pub(super) fn new(layer: &Layer, asks: Asks) -> Result<Self, GaveUp> {
        let rules = layer.section::<S>();
        let everything = *rules.allow() == Allow::Everything;
        let mut allow = rules.allowed().to_vec();
        if allow.is_empty() && !everything {
            allow.extend(S::default_rule());
        }
        let unasked = allow.len();
        if asks == Asks::Count && !everything {
            allow.extend_from_slice(rules.asked());
        }
        let mut reserved = S::reserved();
        // A language that every rule opens makes no difference.
        reserved.retain(|reserved| reserved.opened_by.is_none_or(|opened_by| !allow.iter().all(opened_by)));
        let opens = |rule: &S::Rule| {
            reserved.iter().map(|reserved| reserved.opened_by.is_some_and(|opened_by| opened_by(rule))).collect()
        };
        let opens = allow.iter().map(opens).collect();
        let languages = allow.iter().map(S::permitted_by).chain(rules.denied().iter().map(S::denied_by));
        let mut languages: Vec<(u32, Hir)> =
            (0..).zip(languages.chain(reserved.iter().map(|reserved| reserved.language.clone()))).collect();
        let deny_count = rules.denied().len();
        let reserved_languages = languages.split_off(allow.len() + deny_count);
        let mut groups = build(&languages, S::CLASS)?;
        let rule_groups = groups.len();
        groups.extend(build(&reserved_languages, S::CLASS)?);
        Ok(Self { groups, rule_groups, everything, allow, unasked, opens, deny_count, reserved })
    }

    /// Whether no text that goes on from `states` is one that a rule is about.
    pub(super) fn is_silent(&self, states: &[u32]) -> bool {
        states.iter().take(self.rule_groups).all(|&state| state == DEAD)
    }

    pub(super) fn automata(&self) -> impl Iterator<Item = &Automaton> {
        self.groups.iter().map(|group| &group.automaton)
    }

    pub(super) fn group_count(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn allow(&self) -> &[S::Rule] {
        &self.allow
    }

    /// The text of an allow rule; `ask` stands before one that asks.
    pub(super) fn text(&self, rule: u32) -> Option<String> {
        let rule = rule as usize;
        let text = self.allow.get(rule)?.to_string();
        Some(if rule < self.unasked { text } else { format!("ask {text}") })
    }

    pub(super) fn is_everything(&self) -> bool {
        self.everything
    }

    /// The judgement on the text that led to `states`, one for each group.
    pub(super) fn judge(&self, states: &[u32]) -> Judgement {
        let mut allowed: Vec<u32> = Vec::new();
        let mut denied_by: Vec<u32> = Vec::new();
        let mut reserved: Vec<usize> = Vec::new();
        for member in self.members(states) {
            let number = member as usize;
            match number.checked_sub(self.allow.len()) {
                None => allowed.push(member),
                Some(deny) if deny < self.deny_count => denied_by.push(u32::try_from(deny).unwrap_or(u32::MAX)),
                Some(rest) => reserved.push(rest - self.deny_count),
            }
        }
        let opens = |rule: u32, language: usize| {
            self.opens.get(rule as usize).and_then(|opens| opens.get(language)).copied().unwrap_or(false)
        };
        allowed.retain(|&rule| reserved.iter().all(|&language| opens(rule, language)));
        let is_never = |language: &usize| self.reserved.get(*language).is_none_or(|found| found.opened_by.is_none());
        let never = reserved.iter().any(is_never);
        let permitted = !never && denied_by.is_empty() && (self.everything || !allowed.is_empty());
        allowed.sort_unstable();
        Judgement { permitted, allowed_by: allowed, denied_by }
    }

    fn members(&self, states: &[u32]) -> impl Iterator<Item = u32> {
        self.groups.iter().zip(states).flat_map(|(group, &state)| {
            let set = group.automaton.matches(state).iter();
            set.filter_map(|&pattern| group.members.get(pattern as usize).copied())
        })
    }
}
