//! What a new version of a tool asks for that the old one did not: proven, with an op that shows it.

use caplet_component::Manifest;
use caplet_policy::proof::{self, Budget};
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
    let mut found = Difference { raised: raised(old, new), ..Difference::default() };
    found.compare(None, &layers(old, None), &layers(new, None));
    // A function that the old version did not narrow had the whole ceiling, which is compared already.
    for function in old.into_iter().flat_map(Manifest::function_names) {
        found.compare(Some(function), &layers(old, Some(function)), &layers(new, Some(function)));
    }
    found
}

/// What a manifest says about one function, or about the tool as a whole.
fn layers(manifest: Option<&Manifest>, function: Option<&str>) -> Vec<Layer> {
    let ceiling = manifest.map_or_else(|| Layer::new(LayerKind::Manifest), Manifest::ceiling);
    let narrowing = function.and_then(|function| manifest?.narrowing(function));
    [ceiling].into_iter().chain(narrowing).collect()
}

impl Difference {
    fn compare(&mut self, function: Option<&str>, old: &[Layer], new: &[Layer]) {
        let widenings = match proof::widenings_within(old, new, &Budget::default()) {
            Ok(widenings) => widenings,
            Err(gave_up) => {
                let function = function.map(|function| format!("{function}: ")).unwrap_or_default();
                return self.unproven.push(format!("{function}{gave_up}"));
            }
        };
        for widening in widenings {
            // What the whole tool gained is not told again for each function.
            let is_known = |known: &Widened| (known.class, &known.rule) == (widening.class, &widening.rule);
            if !self.widened.iter().any(is_known) {
                self.widened.push(Widened {
                    function: function.map(str::to_owned),
                    class: widening.class,
                    rule: widening.rule,
                    witness: widening.witness,
                });
            }
        }
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
