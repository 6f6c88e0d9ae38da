//! The check: the only way to a [`Permitted`] token, and never without a decision on record.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::ser::SerializeStruct as _;

use crate::any_op::AnyOp;
use crate::ask::{Answered, Question};
use crate::class::Class;
use crate::explain::{hint, narrowest, without_asking};
use crate::journal::Journal;
use crate::layer::LayerKind;
use crate::policy::Policy;
use crate::section::{Reason, Section};

/// What a record says where this host refuses what the layers permit.
const NOT_OFFERED: &str = "not available here";

/// What a denial says where a rule asks and nobody is there.
const NOBODY: &str = "a rule says to ask, and nobody can be asked here";

/// The layer that decided, by its number from the outermost, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decision {
    pub(crate) layer: u32,
    pub(crate) reason: Reason,
}

/// Proof that every layer permitted this op, and that the decision is on record. Only [`Guard::check`] makes one.
#[derive(Debug)]
pub struct Permitted<O> {
    op: O,
}

impl<O> Permitted<O> {
    /// The op.
    #[must_use]
    pub fn op(&self) -> &O {
        &self.op
    }

    /// The op; the proof is used up.
    #[must_use]
    pub fn into_op(self) -> O {
        self.op
    }
}

/// Decides the ops of one capability, and records each decision. Cheap to clone; clones share the journal.
pub struct Guard<S> {
    policy: Policy,
    journal: Arc<Journal>,
    /// Whether the policy has a rule that asks.
    has_questions: bool,
    section: PhantomData<fn() -> S>,
}

impl<S: Section> Guard<S> {
    pub(crate) fn new(policy: Policy, journal: Arc<Journal>) -> Self {
        let has_questions = policy.has_questions::<S>();
        Self { policy, journal, has_questions, section: PhantomData }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Decides on `op` and records the decision. Where a rule says to ask, it is what was answered to exactly this op; without an
    /// answer the op is denied. This never waits: see [`Guard::question`].
    ///
    /// # Errors
    ///
    /// The refusal of the first layer that does not permit the op.
    pub fn check<O: Clone + Into<S::Op>>(&self, op: O) -> Result<Permitted<O>, Denied> {
        let asked = self.settled(&op);
        let decision = self.policy.decision::<S>(&asked);
        if decision.reason.permits() {
            self.journal.permitted(&self.policy, asked.into(), decision, None);
            return Ok(Permitted { op });
        }
        let asked: AnyOp = asked.into();
        let mut answered = None;
        if decision.reason.asks() {
            match self.journal.asker().and_then(|asker| asker.answer(&asked)) {
                Some(Answered { permits: true, how }) => {
                    self.journal.permitted(&self.policy, asked, decision, Some(how));
                    return Ok(Permitted { op });
                }
                refused => answered = refused.map(|refused| refused.how),
            }
        }
        let denied =
            Denied { why: Arc::new(Why::Layer { policy: self.policy.clone(), decision, op: asked, answered }) };
        self.journal.denied(&denied);
        Err(denied)
    }

    /// What has to be answered before [`Guard::check`] of `op` can permit it; nothing where the rules decide alone, where the answer is
    /// known, and where nobody can be asked. Whoever can wait asks this first, has it answered, and then checks. Nothing is recorded.
    #[must_use]
    pub fn question<O: Clone + Into<S::Op>>(&self, op: &O) -> Option<Question> {
        let asker = self.journal.asker().filter(|_| self.has_questions)?;
        let op = self.settled(op);
        let decision = self.policy.decision::<S>(&op);
        let layer = self.policy.layer(decision).filter(|_| decision.reason.asks())?;
        let op: AnyOp = op.into();
        if asker.is_settled(&op) {
            return None;
        }
        let rule = Policy::reason_text(layer, S::CLASS, decision.reason);
        Some(Question { rule, narrowest: narrowest(&op), op })
    }

    /// Whether every layer permits the op, or would if somebody who is asked said yes. Nothing is recorded: this is for leaving names
    /// out of what is shown, and never for deciding whether to act.
    #[must_use]
    pub fn would_permit<O: Clone + Into<S::Op>>(&self, op: &O) -> bool {
        self.policy.decision::<S>(&self.settled(op)).reason.may_permit()
    }

    fn settled<O: Clone + Into<S::Op>>(&self, op: &O) -> S::Op {
        let asked: S::Op = op.clone().into();
        S::settled(&self.policy, &asked).unwrap_or(asked)
    }

    /// Refuses `op` in the host's own name and records it, for what this host does not offer or would not do.
    pub fn refuse<O: Into<S::Op>>(&self, op: O, reason: &str) -> Denied {
        let op: AnyOp = op.into().into();
        let denied = Denied { why: Arc::new(Why::Host { op, reason: reason.into() }) };
        self.journal.denied(&denied);
        denied
    }
}

impl<S> Clone for Guard<S> {
    fn clone(&self) -> Self {
        let (policy, journal) = (self.policy.clone(), Arc::clone(&self.journal));
        Self { policy, journal, has_questions: self.has_questions, section: PhantomData }
    }
}

impl<S: Section> fmt::Debug for Guard<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("class", &S::CLASS).field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// A refusal. It is data, not a failure: whoever asked goes on with the class's native error. Cheap to make and to clone; its texts
/// are made when they are asked for.
#[derive(Clone, Debug)]
pub struct Denied {
    why: Arc<Why>,
}

#[derive(Debug)]
enum Why {
    Layer {
        policy: Policy,
        decision: Decision,
        op: AnyOp,
        /// How it was answered, if somebody was asked.
        answered: Option<Arc<str>>,
    },
    Host {
        op: AnyOp,
        reason: Box<str>,
    },
}

impl Denied {
    /// The class of what was asked for.
    #[must_use]
    pub fn capability(&self) -> Class {
        self.any_op().class()
    }

    /// The op, normalised, as text.
    #[must_use]
    pub fn op(&self) -> String {
        self.any_op().to_string()
    }

    /// The op.
    #[must_use]
    pub fn any_op(&self) -> &AnyOp {
        match &*self.why {
            Why::Layer { op, .. } | Why::Host { op, .. } => op,
        }
    }

    /// The layer that refused.
    #[must_use]
    pub fn layer(&self) -> LayerKind {
        match &*self.why {
            Why::Layer { policy, decision, .. } => policy.layer(*decision).map_or(LayerKind::Host, crate::Layer::kind),
            Why::Host { .. } => LayerKind::Host,
        }
    }

    /// The rule that refused, in its short form, or `no matching rule`.
    #[must_use]
    pub fn rule(&self) -> String {
        match &*self.why {
            Why::Layer { policy, decision, op, .. } => {
                let layer = policy.layer(*decision);
                layer.map(|layer| Policy::reason_text(layer, op.class(), decision.reason)).unwrap_or_default()
            }
            Why::Host { .. } => NOT_OFFERED.to_owned(),
        }
    }

    /// What would permit it, or why nothing can.
    #[must_use]
    pub fn hint(&self) -> String {
        match &*self.why {
            Why::Layer { decision, op, answered, .. } if decision.reason.asks() => {
                without_asking(op, answered.as_deref().unwrap_or(NOBODY))
            }
            Why::Layer { policy, op, .. } => hint(policy, op).unwrap_or_default(),
            Why::Host { reason, .. } => reason.to_string(),
        }
    }

    /// How it was answered, where a rule said to ask and somebody was.
    #[must_use]
    pub fn answered(&self) -> Option<&str> {
        match &*self.why {
            Why::Layer { answered, .. } => answered.as_deref(),
            Why::Host { .. } => None,
        }
    }

    pub(crate) fn key(&self) -> (&AnyOp, Option<Decision>, Option<Arc<str>>) {
        match &*self.why {
            Why::Layer { op, decision, answered, .. } => (op, Some(*decision), answered.clone()),
            Why::Host { op, .. } => (op, None, None),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is refused by the {} layer ({}): {}", self.op(), self.layer(), self.rule(), self.hint())
    }
}

impl serde::Serialize for Denied {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Denied", 5)?;
        fields.serialize_field("capability", &self.capability())?;
        fields.serialize_field("op", &self.op())?;
        fields.serialize_field("layer", &self.layer())?;
        fields.serialize_field("rule", &self.rule())?;
        fields.serialize_field("hint", &self.hint())?;
        fields.end()
    }
}
