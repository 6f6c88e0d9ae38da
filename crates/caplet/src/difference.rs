//! What a new version of a tool asks for that the old one did not: proven, with an op that shows it.

use std::collections::BTreeSet;

use caplet_component::Manifest;
use caplet_policy::proof::{self, GaveUp};
use caplet_policy::{AnyOp, Class, Layer, LayerKind, LimitSet};

/// What a new manifest asks for beyond an old one.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Difference {
    /// Authority that only the new one has.
    pub widened: Vec<Widened>,
    /// Limits that the new one raises.
    pub raised: Vec<Raised>,
    /// Comparisons that were given up, and why. What they would have shown is not known.
    pub unproven: Vec<String>,
}

/// Authority that only the new manifest has.
#[derive(Debug)]
#[non_exhaustive]
pub struct Widened {
    /// The function whose own section was widened; none for the tool as a whole.
    pub function: Option<String>,
    /// The capability.
    pub class: Class,
    /// The rule of the new manifest that permits it.
    pub rule: String,
    /// An op that the new manifest permits and the old one does not.
    pub witness: AnyOp,
}

/// A limit that the new manifest raises.
#[derive(Debug)]
#[non_exhaustive]
pub struct Raised {
    /// The limit's key.
    pub key: String,
    /// What held before.
    pub from: String,
    /// What would hold now.
    pub to: String,
}

impl Difference {
    /// Whether the new manifest is proven to ask for nothing more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.widened.is_empty() && self.raised.is_empty() && self.unproven.is_empty()
    }
}

/// Compares two manifests; a tool without one asks for nothing.
#[must_use]
pub fn difference(old: Option<&Manifest>, new: Option<&Manifest>) -> Difference {
    let mut found = Difference::default();
    let ceiling =
        |manifest: Option<&Manifest>| manifest.map_or_else(|| Layer::new(LayerKind::Manifest), Manifest::ceiling);
    found.compare(None, &ceiling(old), &ceiling(new));
    let names = |manifest: Option<&Manifest>| -> BTreeSet<String> {
        manifest.into_iter().flat_map(Manifest::function_names).map(str::to_owned).collect()
    };
    for function in names(old) {
        let narrowing = |manifest: Option<&Manifest>| manifest.and_then(|manifest| manifest.narrowing(&function));
        // What the new version no longer narrows is held by its ceiling alone.
        if let Some(before) = narrowing(old) {
            found.compare(Some(&function), &before, &narrowing(new).unwrap_or_else(|| ceiling(new)));
        }
    }
    found.raised = raised(old, new);
    found
}

impl Difference {
    fn compare(&mut self, function: Option<&str>, old: &Layer, new: &Layer) {
        match proof::widenings(old, new) {
            Ok(widenings) => self.widened.extend(widenings.into_iter().map(|widening| Widened {
                function: function.map(str::to_owned),
                class: widening.class,
                rule: widening.rule,
                witness: widening.witness,
            })),
            Err(gave_up) => self.unproven.push(unproven(function, &gave_up)),
        }
    }
}

fn unproven(function: Option<&str>, gave_up: &GaveUp) -> String {
    match function {
        Some(function) => format!("{function}: {gave_up}"),
        None => gave_up.to_string(),
    }
}

/// Limits that would be higher. What a manifest leaves out is at the default, so leaving a low one out raises it.
fn raised(old: Option<&Manifest>, new: Option<&Manifest>) -> Vec<Raised> {
    let set = |manifest: Option<&Manifest>| manifest.map(Manifest::limits).cloned().unwrap_or_default();
    let (old, new) = (set(old), set(new));
    let show = |set: &LimitSet, key: &str| {
        let own = set.entries().into_iter().find(|(found, _)| *found == key).map(|(_, value)| value);
        own.unwrap_or_else(|| "the default".to_owned())
    };
    let raise = |key: &str| Raised { key: key.to_owned(), from: show(&old, key), to: show(&new, key) };
    old.raised_by(&new).into_iter().map(raise).collect()
}
