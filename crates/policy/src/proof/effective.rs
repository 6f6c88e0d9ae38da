//! What layers permit together, as rules; and the rules that do nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;

use serde::Serialize;

use super::budget::{Budget, GaveUp, Obstacle};
use super::compiled::{Asks, Compiled, Judgement};
use super::product::Product;
use super::widening::{compile, judge_all, split, universe};
use crate::class::Class;
use crate::layer::LayerKind;
use crate::policy::Policy;
use crate::section::{Section, for_each_section};

/// Ways in which the rules of all layers may combine. More are no help to a reader.
const MOST_COMBINATIONS: usize = 4_096;

/// What all layers permit together in one class.
///
/// An op is permitted when all rules of one item match it, and none of `deny`. No item is empty of ops, and no item is part of
/// another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Effective {
    /// The class.
    pub class: Class,
    /// Rules in their short form; `ask` stands before those that ask. Those of one item must all match; `everything` stands for no bounds.
    pub allow: Vec<Vec<String>>,
    /// Deny rules that take something away of what `allow` says.
    pub deny: Vec<String>,
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self.allow.iter().map(|rules| rules.join(" ∩ ")).collect();
        write!(f, "{}: {}", self.class, if items.is_empty() { "nothing".to_owned() } else { items.join(", ") })?;
        if self.deny.is_empty() { Ok(()) } else { write!(f, ", but not {}", self.deny.join(", ")) }
    }
}

/// An allow rule that permits nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeadRule {
    /// The layer that has it.
    pub layer: LayerKind,
    /// Its class.
    pub class: Class,
    /// The rule, in its short form.
    pub rule: String,
}

macro_rules! by_class {
    ($($field:ident: $class:ident, $section:ident, $op:ident, $rule:ident;)*) => {
        /// What all layers of `policy` permit together. See [`super::effective`].
        ///
        /// # Errors
        ///
        /// When the proof for a class does not fit `budget`, or its rules combine in more ways than can be listed.
        pub fn effective_within(policy: &Policy, budget: &Budget) -> Result<Vec<Effective>, GaveUp> {
            Ok(vec![$(Survey::<crate::$section>::new(policy, budget)?.effective()?,)*])
        }

        /// Whether `policy` permits no op of `class` at all.
        ///
        /// # Errors
        ///
        /// When the proof does not fit `budget`.
        pub fn is_empty_within(policy: &Policy, class: Class, budget: &Budget) -> Result<bool, GaveUp> {
            match class {
                $(Class::$class => {
                    let survey = Survey::<crate::$section>::new(policy, budget)?;
                    Ok(!survey.outcomes.iter().any(|outcome| outcome.permitted))
                })*
            }
        }

        /// The allow rules of `policy` that permit nothing. See [`super::dead_rules`].
        ///
        /// # Errors
        ///
        /// When the proof for a class does not fit `budget`.
        pub fn dead_rules_within(policy: &Policy, budget: &Budget) -> Result<Vec<DeadRule>, GaveUp> {
            let mut dead = Vec::new();
            $(dead.extend(Survey::<crate::$section>::new(policy, budget)?.dead(policy));)*
            Ok(dead)
        }
    };
}
for_each_section!(by_class);

/// Everything that the texts of a class can do to the rules of all layers.
struct Survey<S: Section> {
    layers: Vec<Compiled<S>>,
    deny: Vec<Vec<String>>,
    /// For each text that some rule is about: by layer, the allow rules that match. With whether every layer permits it.
    outcomes: BTreeSet<Outcome>,
    /// Deny rules that take something away that every layer would permit otherwise.
    taking: BTreeSet<(usize, u32)>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    allowed: Vec<Vec<u32>>,
    permitted: bool,
}

/// One allow rule of each layer; `None` where the layer has no bounds.
type Combination = Vec<Option<u32>>;

impl<S: Section> Survey<S> {
    fn new(policy: &Policy, budget: &Budget) -> Result<Self, GaveUp> {
        let layers = compile::<S>(policy.layers(), Asks::Count)?;
        let deny =
            policy.layers().iter().map(|layer| layer.section::<S>().denied().iter().map(ToString::to_string).collect());
        let deny = deny.collect();
        let mut survey = Self { layers, deny, outcomes: BTreeSet::new(), taking: BTreeSet::new() };
        let is_silent = |layer: &Compiled<S>| layer.allow().is_empty() && !layer.is_everything();
        if !survey.layers.iter().any(is_silent) {
            survey.explore(budget)?;
        }
        Ok(survey)
    }

    fn explore(&mut self, budget: &Budget) -> Result<(), GaveUp> {
        let universe = universe::<S>()?;
        let layers = std::mem::take(&mut self.layers);
        let product = Product::new(S::CLASS, &universe, layers.iter().flat_map(Compiled::automata));
        let is_too_many = |outcomes: &BTreeSet<Outcome>| outcomes.len() > MOST_COMBINATIONS;
        let has_bounds = layers.iter().any(|layer| !layer.is_everything());
        let explored = product.explore(
            budget,
            |states| has_bounds && split(&layers, states).all(|(layer, own)| layer.is_silent(own)),
            |states, _text| {
                self.note(&layers, judge_all(&layers, states));
                if is_too_many(&self.outcomes) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        drop(product);
        self.layers = layers;
        explored?;
        if is_too_many(&self.outcomes) { Err(GaveUp::new(S::CLASS, Obstacle::TooMany)) } else { Ok(()) }
    }

    fn note(&mut self, layers: &[Compiled<S>], judgements: Vec<Judgement>) {
        let permitted = judgements.iter().all(|judgement| judgement.permitted);
        let matched = layers
            .iter()
            .zip(&judgements)
            .all(|(layer, judgement)| layer.is_everything() || !judgement.allowed_by.is_empty());
        if matched {
            for (number, judgement) in judgements.iter().enumerate() {
                self.taking.extend(judgement.denied_by.iter().map(|&deny| (number, deny)));
            }
        }
        self.outcomes.insert(Outcome {
            allowed: judgements.into_iter().map(|judgement| judgement.allowed_by).collect(),
            permitted,
        });
    }

    fn dead(&self, policy: &Policy) -> Vec<DeadRule> {
        let mut dead = Vec::new();
        for (number, layer) in policy.layers().iter().enumerate() {
            let rules = layer.section::<S>();
            let allowed = rules.allowed().iter().map(ToString::to_string);
            let asked = rules.asked().iter().map(|rule| format!("ask {rule}"));
            // Where the layer has no bounds, its rules do nothing that could be missed; and where it has the default, that comes first.
            let skipped = u32::from(rules.allows_nothing() && S::default_rule().is_some());
            for (rule, text) in (skipped..).zip(allowed.chain(asked)) {
                let permits = |outcome: &Outcome| {
                    outcome.permitted && outcome.allowed.get(number).is_some_and(|rules| rules.contains(&rule))
                };
                if !self.outcomes.iter().any(permits) {
                    dead.push(DeadRule { layer: layer.kind(), class: S::CLASS, rule: text });
                }
            }
        }
        dead
    }

    fn effective(&self) -> Result<Effective, GaveUp> {
        let mut combinations: BTreeSet<Combination> = BTreeSet::new();
        for outcome in self.outcomes.iter().filter(|outcome| outcome.permitted) {
            self.add_combinations(outcome, &mut combinations)?;
        }
        let mut items: BTreeMap<Vec<String>, ()> = BTreeMap::new();
        for combination in self.without_parts(&combinations) {
            items.insert(self.texts(combination), ());
        }
        let deny = self.taking.iter().filter_map(|(layer, rule)| self.deny.get(*layer)?.get(*rule as usize).cloned());
        let deny: BTreeSet<String> = deny.collect();
        Ok(Effective { class: S::CLASS, allow: items.into_keys().collect(), deny: deny.into_iter().collect() })
    }

    /// All ways to take one matching rule from each layer.
    fn add_combinations(&self, outcome: &Outcome, found: &mut BTreeSet<Combination>) -> Result<(), GaveUp> {
        let mut ways: Vec<Combination> = vec![Vec::new()];
        for (layer, rules) in self.layers.iter().zip(&outcome.allowed) {
            let choices: Vec<Option<u32>> =
                if layer.is_everything() { vec![None] } else { rules.iter().copied().map(Some).collect() };
            if ways.len().saturating_mul(choices.len()) > MOST_COMBINATIONS {
                return Err(GaveUp::new(S::CLASS, Obstacle::TooMany));
            }
            let longer = |way: &Combination| -> Vec<Combination> {
                choices.iter().map(|choice| way.iter().copied().chain([*choice]).collect()).collect()
            };
            ways = ways.iter().flat_map(longer).collect();
        }
        found.extend(ways);
        if found.len() > MOST_COMBINATIONS { Err(GaveUp::new(S::CLASS, Obstacle::TooMany)) } else { Ok(()) }
    }

    /// The combinations that are no part of another one; of equal ones, the first.
    fn without_parts<'a>(&self, all: &'a BTreeSet<Combination>) -> Vec<&'a Combination> {
        let mut kept: Vec<&Combination> = Vec::new();
        for candidate in all {
            if kept.iter().any(|other| self.is_part(candidate, other)) {
                continue;
            }
            kept.retain(|other| !self.is_part(other, candidate));
            kept.push(candidate);
        }
        kept
    }

    /// Whether every text that all rules of `part` permit is permitted by all rules of `whole`.
    fn is_part(&self, part: &Combination, whole: &Combination) -> bool {
        self.outcomes.iter().all(|outcome| !matches_all(outcome, part) || matches_all(outcome, whole))
    }

    /// The rules of a combination, without those that follow from another one.
    fn texts(&self, combination: &Combination) -> Vec<String> {
        let mut kept: Vec<usize> =
            (0..combination.len()).filter(|&layer| combination.get(layer).is_some_and(Option::is_some)).collect();
        let only = |layers: &[usize]| -> Combination {
            (0..).zip(combination).map(|(layer, rule)| rule.filter(|_| layers.contains(&layer))).collect()
        };
        // The outermost first, so that what is left is what the innermost layers say.
        for layer in kept.clone() {
            let rest: Vec<usize> = kept.iter().copied().filter(|&other| other != layer).collect();
            if !rest.is_empty() && self.is_part(&only(&rest), &only(&kept)) {
                kept = rest;
            }
        }
        if kept.is_empty() {
            return vec!["everything".to_owned()];
        }
        kept.into_iter().filter_map(|layer| self.text(layer, *combination.get(layer)?)).collect()
    }

    fn text(&self, layer: usize, rule: Option<u32>) -> Option<String> {
        self.layers.get(layer)?.text(rule?)
    }
}

fn matches_all(outcome: &Outcome, combination: &Combination) -> bool {
    combination.iter().zip(&outcome.allowed).all(|(rule, allowed)| rule.is_none_or(|rule| allowed.contains(&rule)))
}
