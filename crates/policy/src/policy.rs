//! The policy: a stack of layers, every one of which must permit.

use std::sync::Arc;

use crate::any_op::AnyOp;
use crate::class::Class;
use crate::explain::{Explanation, LayerVerdict, hint};
use crate::guard::{Decision, Guard};
use crate::journal::Journal;
use crate::layer::{Layer, LayerKind, TooManyRules};
use crate::section::clocks::ClocksSection;
use crate::section::config::ConfigSection;
use crate::section::environment::EnvironmentSection;
use crate::section::filesystem::FilesystemSection;
use crate::section::http::HttpSection;
use crate::section::keyvalue::KeyValueSection;
use crate::section::random::RandomSection;
use crate::section::secrets::SecretsSection;
use crate::section::tools::ToolsSection;
use crate::section::{Reason, Section, for_each_section};

/// All layers of authority over a call, outermost first. Cheap to clone; clones share what was compiled.
#[derive(Clone, Debug)]
pub struct Policy {
    layers: Arc<[Layer]>,
}

impl Policy {
    /// The policy of one layer: the ceiling.
    #[must_use]
    pub fn new(ceiling: Layer) -> Self {
        Self { layers: [ceiling].into() }
    }

    /// A policy that permits nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new(Layer::new(LayerKind::Manifest))
    }

    /// This policy and one more layer. It permits no more than before.
    #[must_use]
    pub fn attenuate(&self, layer: Layer) -> Self {
        Self { layers: self.layers.iter().cloned().chain([layer]).collect() }
    }

    /// The layers, outermost first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Whether every layer has a rule for `class` that allows or asks. Where one has none, nothing of the class can be permitted.
    #[must_use]
    pub fn grants_class(&self, class: Class) -> bool {
        // These two have a default, which needs no rule.
        matches!(class, Class::Clocks | Class::Random) || !self.layers.iter().any(|layer| layer.is_empty(class))
    }

    /// Compiles all rules now instead of at the first decision.
    ///
    /// # Errors
    ///
    /// When a class of a layer has more rules than can be compiled. Decisions are possible all the same; that layer permits
    /// nothing of the class.
    pub fn compile(&self) -> Result<(), TooManyRules> {
        self.layers.iter().try_for_each(Layer::compile)
    }

    /// The guard of one capability; every decision goes into `journal`.
    #[must_use]
    pub fn guard<S: Section>(&self, journal: &Arc<Journal>) -> Guard<S> {
        Guard::new(self.clone(), Arc::clone(journal))
    }

    /// The decision on `op`: that of the first layer that refuses, else that of the first that asks, else that of the innermost layer.
    pub(crate) fn decision<S: Section>(&self, op: &S::Op) -> Decision {
        let mut decision = Decision { layer: 0, reason: Reason::NoRule };
        let mut asking = None;
        for (number, layer) in (0..).zip(self.layers.iter()) {
            decision = Decision { layer: number, reason: layer.section::<S>().decide(op) };
            if decision.reason.asks() {
                asking.get_or_insert(decision);
            } else if !decision.reason.permits() {
                return decision;
            }
        }
        asking.unwrap_or(decision)
    }

    /// Whether some layer has a rule that asks.
    pub(crate) fn has_questions<S: Section>(&self) -> bool {
        self.layers.iter().any(|layer| !layer.section::<S>().asked().is_empty())
    }

    /// Whether every layer permits `op`, as it stands.
    pub(crate) fn permits_op<S: Section>(&self, op: &S::Op) -> bool {
        self.decision::<S>(op).reason.permits()
    }

    pub(crate) fn layer(&self, decision: Decision) -> Option<&Layer> {
        self.layers.get(decision.layer as usize)
    }
}

macro_rules! by_class {
    ($($field:ident: $class:ident, $section:ident, $op:ident, $rule:ident;)*) => {
        impl Policy {
            /// The decision on an op of any class, which [`Policy::settled`] has been applied to.
            pub(crate) fn decision_on(&self, op: &AnyOp) -> Decision {
                match op {
                    $(AnyOp::$class(op) => self.decision::<$section>(op),)*
                }
            }

            /// The op that is meant, where `op` leaves something out that the policy settles.
            pub(crate) fn settled(&self, op: &AnyOp) -> AnyOp {
                match op {
                    $(AnyOp::$class(asked) => $section::settled(self, asked).map_or_else(|| op.clone(), AnyOp::from),)*
                }
            }

            /// What each layer makes of `op`.
            pub(crate) fn reasons(&self, op: &AnyOp) -> Vec<Reason> {
                match op {
                    $(AnyOp::$class(op) => self.layers.iter().map(|layer| layer.section::<$section>().decide(op)).collect(),)*
                }
            }

            /// The canonical text of what a reason names in a layer.
            pub(crate) fn reason_text(layer: &Layer, class: Class, reason: Reason) -> String {
                match class {
                    $(Class::$class => layer.section::<$section>().text(reason),)*
                }
            }

            /// The rule that would permit `op` and as little besides as a rule can.
            pub(crate) fn narrowest(op: &AnyOp) -> Option<String> {
                match op {
                    $(AnyOp::$class(op) => $section::narrowest(op),)*
                }
            }

            /// The rule that would permit `op`, in the short form.
            pub(crate) fn suggestion(op: &AnyOp) -> Option<String> {
                match op {
                    $(AnyOp::$class(op) => $section::suggestion(op),)*
                }
            }
        }
    };
}
for_each_section!(by_class);

impl Policy {
    /// Whether every layer permits `op` without asking anybody. Nothing is recorded, and no token comes of it.
    #[must_use]
    pub fn permits(&self, op: &AnyOp) -> bool {
        self.decision_on(&self.settled(op)).reason.permits()
    }

    /// Whether every layer permits `op`, or would if somebody who is asked said yes.
    #[must_use]
    pub fn may_permit(&self, op: &AnyOp) -> bool {
        self.decision_on(&self.settled(op)).reason.may_permit()
    }

    /// What each layer says about `op`, and what would permit it where it is refused.
    #[must_use]
    pub fn explain(&self, op: &AnyOp) -> Explanation {
        let op = self.settled(op);
        let reasons = self.reasons(&op);
        let verdict = |(layer, reason): (&Layer, &Reason)| LayerVerdict {
            layer: layer.kind(),
            permitted: reason.permits(),
            asks: reason.asks(),
            rule: match reason {
                Reason::Everything => None,
                Reason::Deny(_) => Some(format!("deny {}", Self::reason_text(layer, op.class(), *reason))),
                reason => Some(Self::reason_text(layer, op.class(), *reason)),
            },
        };
        let layers = self.layers.iter().zip(&reasons).map(verdict).collect();
        Explanation { hint: hint(self, &op), layers, op }
    }
}
