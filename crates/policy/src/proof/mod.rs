//! Proofs about layers: does one ask for more than another, what do they permit together, which rules do nothing.
//!
//! In: layers. Out: statements about *every* op of a class, each with a [`Budget`]; or [`GaveUp`], which says that nothing was
//! proven. Every example op that a statement comes with was decided on by the same code that enforces.
//!
//! An op of a class is written as one text (each section says how), so the ops that a rule permits are a language, and all rules of the
//! layers in question become automata that read the same text side by side. The joint states that some text leads to are visited
//! breadth first, so the first example found is the shortest, and where nothing is found there is nothing.
//!
//! [`crate::FsOp::Search`], [`crate::FsOp::WriteTree`] and opening a bucket follow from what may be read and written, and are not
//! looked at by themselves. Neither are the addresses that names resolve to: what a layer permits there follows from the requests that
//! it permits to names and to literal addresses. The one exception is a deny rule for addresses that no rule permits literally;
//! it narrows where names may lead, and no proof sees that. Rates are no part of the texts either: two rules that differ in their
//! rate alone permit the same ops. [`raised_rates`] compares such rules with each other, and no others.

mod budget;
mod compiled;
mod effective;
mod product;
mod rates;
mod widening;

use crate::class::Class;
use crate::layer::Layer;
use crate::policy::Policy;

pub use budget::{Budget, GaveUp, Obstacle};
pub use effective::{DeadRule, Effective, dead_rules_within, effective_within, is_empty_within};
pub use rates::{RaisedRate, raised_rates};
pub use widening::{Widening, widenings_within};

/// What `new` permits and `old` does not: for each allow rule of `new` that adds something, one op that shows it.
///
/// Nothing in the list means that `new` permits no op that `old` refuses.
///
/// # Errors
///
/// When the proof does not fit the default budget.
pub fn widenings(old: &Layer, new: &Layer) -> Result<Vec<Widening>, GaveUp> {
    widenings_within(std::slice::from_ref(old), std::slice::from_ref(new), &Budget::default())
}

/// Whether every op that `narrow` permits is permitted by `wide`.
///
/// # Errors
///
/// When the proof does not fit the default budget.
pub fn is_subset(narrow: &Policy, wide: &Policy) -> Result<bool, GaveUp> {
    Ok(widenings_within(wide.layers(), narrow.layers(), &Budget::default())?.is_empty())
}

/// Whether `policy` permits no op of `class` at all.
///
/// # Errors
///
/// When the proof does not fit the default budget.
pub fn is_empty(policy: &Policy, class: Class) -> Result<bool, GaveUp> {
    is_empty_within(policy, class, &Budget::default())
}

/// What all layers of `policy` permit together, class by class.
///
/// # Errors
///
/// When the proof does not fit the default budget.
pub fn effective(policy: &Policy) -> Result<Vec<Effective>, GaveUp> {
    effective_within(policy, &Budget::default())
}

/// The allow rules of `policy` that permit nothing, because of other layers or of deny rules.
///
/// # Errors
///
/// When the proof does not fit the default budget.
pub fn dead_rules(policy: &Policy) -> Result<Vec<DeadRule>, GaveUp> {
    dead_rules_within(policy, &Budget::default())
}
