//! Does one stack of layers permit more than another?

use std::ops::ControlFlow;

use serde::Serialize;

use super::budget::{Budget, GaveUp, Obstacle};
use super::compiled::{Asks, Compiled, Judgement};
use super::product::Product;
use crate::any_op::AnyOp;
use crate::class::Class;
use crate::layer::Layer;
use crate::pattern::automaton::{Automaton, Size};
use crate::section::{Reason, Section, for_each_section};

/// Something that is permitted and was not before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Widening {
    /// The class.
    pub class: Class,
    /// An op that shows it.
    pub witness: AnyOp,
    /// The new rule that permits the op, in its short form; `everything` where the layer has no bounds.
    pub rule: String,
}

macro_rules! by_class {
    ($($field:ident: $class:ident, $section:ident, $op:ident, $rule:ident;)*) => {
        /// What the layers `new` permit together and the layers `old` do not, class by class. See [`super::widenings`].
        ///
        /// # Errors
        ///
        /// When the proof for a class does not fit `budget`.
        pub fn widenings_within(old: &[Layer], new: &[Layer], budget: &Budget) -> Result<Vec<Widening>, GaveUp> {
            let mut found = Vec::new();
            $(found.extend(all_widenings::<crate::$section>(old, new, budget)?);)*
            Ok(found)
        }
    };
}
for_each_section!(by_class);

/// What could be given that could not be before; and what is given without asking that was not before.
fn all_widenings<S: Section>(old: &[Layer], new: &[Layer], budget: &Budget) -> Result<Vec<Widening>, GaveUp> {
    let mut found = section_widenings::<S>(old, new, budget, Asks::Count)?;
    if old.iter().chain(new).any(|layer| !layer.section::<S>().asked().is_empty()) {
        let unasked = section_widenings::<S>(old, new, budget, Asks::Ignored)?;
        found.extend(
            unasked.into_iter().filter(|more| !found.iter().any(|known| known.rule == more.rule)).collect::<Vec<_>>(),
        );
    }
    Ok(found)
}

fn section_widenings<S: Section>(
    old: &[Layer],
    new: &[Layer],
    budget: &Budget,
    asks: Asks,
) -> Result<Vec<Widening>, GaveUp> {
    let all_kept = old.iter().all(|old| new.iter().any(|new| new.section::<S>() == old.section::<S>()));
    let is_nothing = |layer: &Layer| {
        let rules = layer.section::<S>();
        let is_empty = if asks == Asks::Count { rules.is_empty() } else { rules.allows_nothing() };
        is_empty && S::default_rule().is_none()
    };
    if all_kept || new.iter().any(is_nothing) {
        return Ok(Vec::new());
    }
    let universe = universe::<S>()?;
    let (old_compiled, new_compiled) = (compile::<S>(old, asks)?, compile::<S>(new, asks)?);
    let sides = Sides { old: &old_compiled, new: &new_compiled };
    let machines = sides.new.iter().chain(sides.old).flat_map(Compiled::automata);
    let product = Product::new(S::CLASS, &universe, machines);

    let mut open: Vec<Claim> = sides.claims();
    let mut texts: Vec<(String, String)> = Vec::new();
    product.explore(
        budget,
        |states| sides.is_hopeless(states),
        |states, text| {
            let (new, old) = sides.judge(states);
            if !new.iter().all(|judgement| judgement.permitted) || old.iter().all(|judgement| judgement.permitted) {
                return ControlFlow::Continue(());
            }
            open.retain(|claim| match text().filter(|_| claim.is_shown_by(&new)) {
                Some(text) => {
                    texts.push((text, claim.text.clone()));
                    false
                }
                None => true,
            });
            if open.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    )?;
    texts.into_iter().map(|(text, rule)| confirmed::<S>(&text, rule, (old, new), asks)).collect()
}

/// Turns a text into an op that the deciding code confirms, the most telling one.
fn confirmed<S: Section>(
    text: &str,
    rule: String,
    (old, new): (&[Layer], &[Layer]),
    asks: Asks,
) -> Result<Widening, GaveUp> {
    let permits = |reason: Reason| if asks == Asks::Count { reason.may_permit() } else { reason.permits() };
    let all_permit = |layers: &[Layer], op: &S::Op| layers.iter().all(|layer| permits(layer.section::<S>().decide(op)));
    let shows = |op: &S::Op| all_permit(new, op) && !all_permit(old, op);
    let found = S::decode(text).filter(shows).ok_or_else(|| GaveUp::new(S::CLASS, Obstacle::Unconfirmed))?;
    let nicer = S::nicer(&found).into_iter().rev().find(shows);
    Ok(Widening { class: S::CLASS, witness: nicer.unwrap_or(found).into(), rule })
}

/// The automaton of all texts of ops.
pub(super) fn universe<S: Section>() -> Result<Automaton, GaveUp> {
    Automaton::build(&[S::universe()], Size::ONE_PATTERN).map_err(|_| GaveUp::new(S::CLASS, Obstacle::TooComplex))
}

/// The rules of all layers, compiled.
pub(super) fn compile<S: Section>(layers: &[Layer], asks: Asks) -> Result<Vec<Compiled<S>>, GaveUp> {
    layers.iter().map(|layer| Compiled::new(layer, asks)).collect()
}

/// The judgement of each of `layers` on joint states of all their groups.
pub(super) fn judge_all<S: Section>(layers: &[Compiled<S>], states: &[u32]) -> Vec<Judgement> {
    split(layers, states).map(|(layer, own)| layer.judge(own)).collect()
}

/// Each of `layers` with its own part of joint states.
pub(super) fn split<'a, S: Section>(
    layers: &'a [Compiled<S>],
    states: &'a [u32],
) -> impl Iterator<Item = (&'a Compiled<S>, &'a [u32])> {
    let mut rest = states;
    layers.iter().map(move |layer| {
        let (own, others) = rest.split_at_checked(layer.group_count()).unwrap_or((rest, &[]));
        rest = others;
        (layer, own)
    })
}

struct Sides<'a, S: Section> {
    old: &'a [Compiled<S>],
    new: &'a [Compiled<S>],
}

/// A rule of the new side for which an example is looked for.
struct Claim {
    layer: usize,
    /// `None` where the layer has no bounds.
    rule: Option<u32>,
    text: String,
}

impl Claim {
    fn is_shown_by(&self, judgements: &[Judgement]) -> bool {
        let judgement = judgements.get(self.layer);
        self.rule.is_none_or(|rule| judgement.is_some_and(|judgement| judgement.allowed_by.contains(&rule)))
    }
}

impl<S: Section> Sides<'_, S> {
    /// One claim for each allow rule of the innermost new layer that has bounds.
    fn claims(&self) -> Vec<Claim> {
        let bounded = (0..).zip(self.new).filter(|(_, layer)| !layer.is_everything()).last();
        let Some((layer, compiled)) = bounded else {
            return vec![Claim { layer: 0, rule: None, text: "everything".to_owned() }];
        };
        let claims = (0..).zip(compiled.allow());
        let claim = |(rule, _)| Claim { layer, rule: Some(rule), text: compiled.text(rule).unwrap_or_default() };
        claims.map(claim).collect()
    }

    fn judge(&self, states: &[u32]) -> (Vec<Judgement>, Vec<Judgement>) {
        let count = self.new.iter().map(Compiled::group_count).sum();
        let (new, old) = states.split_at_checked(count).unwrap_or((states, &[]));
        (judge_all(self.new, new), judge_all(self.old, old))
    }

    /// Whether some new layer can permit nothing any more.
    fn is_hopeless(&self, states: &[u32]) -> bool {
        let mut parts = split(self.new, states);
        parts.any(|(layer, own)| !layer.is_everything() && layer.is_silent(own))
    }
}
