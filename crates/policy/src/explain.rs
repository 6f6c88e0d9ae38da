//! Why an op is permitted or refused, for people; and what would permit it.

use std::fmt;

use serde::Serialize;

use crate::any_op::AnyOp;
use crate::class::Class;
use crate::layer::{Layer, LayerKind};
use crate::path::GuestPath;
use crate::policy::Policy;
use crate::rule::Rule;
use crate::section::Reason;
use crate::text::quote;

/// What one layer says about an op.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LayerVerdict {
    /// The layer.
    pub layer: LayerKind,
    /// Whether it permits the op.
    pub permitted: bool,
    /// Whether it leaves that to somebody who is asked.
    pub asks: bool,
    /// The rule that decides; none where the layer permits everything.
    pub rule: Option<String>,
}

/// Why an op is permitted or refused. It says what a check would decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The op.
    pub op: AnyOp,
    /// Every layer's verdict, outermost first.
    pub layers: Vec<LayerVerdict>,
    /// What would permit the op, if it is refused.
    pub hint: Option<String>,
}

impl Explanation {
    /// Whether every layer permits the op without asking anybody.
    #[must_use]
    pub fn permitted(&self) -> bool {
        self.layers.iter().all(|layer| layer.permitted)
    }

    /// Whether the op is permitted if somebody says so.
    #[must_use]
    pub fn asks(&self) -> bool {
        !self.permitted() && self.layers.iter().all(|layer| layer.permitted || layer.asks)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.permitted(), self.asks()) {
            (true, _) => "permitted",
            (false, true) => "asked about",
            (false, false) => "denied",
        };
        writeln!(f, "{}: {verdict}", self.op)?;
        for verdict in &self.layers {
            let word = match (verdict.permitted, verdict.asks) {
                (true, _) => "permits",
                (false, true) => "asks",
                (false, false) => "denies",
            };
            writeln!(f, "  {} {word}: {}", verdict.layer, verdict.rule.as_deref().unwrap_or("everything"))?;
        }
        self.hint.as_ref().map_or(Ok(()), |hint| writeln!(f, "  {hint}"))
    }
}

/// What would permit `op`; `None` if it is permitted. The ceiling comes first: where it forbids, nothing else helps.
pub(crate) fn hint(policy: &Policy, op: &AnyOp) -> Option<String> {
    let reasons = policy.reasons(op);
    if reasons.iter().all(|reason| reason.may_permit()) {
        return reasons
            .iter()
            .any(|reason| reason.asks())
            .then(|| without_asking(op, "somebody is asked, and may say no"));
    }
    let mut refusals = policy.layers().iter().zip(reasons).filter(|(_, reason)| !reason.may_permit());
    let first = refusals.next()?;
    let (layer, reason) = match first.0.kind() {
        LayerKind::Manifest => first,
        _ => refusals.find(|(layer, _)| layer.kind() == LayerKind::Manifest).unwrap_or(first),
    };
    Some(hint_for(layer, op, reason))
}

/// How an op came out that is asked about, and what would permit it without.
pub(crate) fn without_asking(op: &AnyOp, how: &str) -> String {
    match narrowest(op) {
        Some(rule) => format!("{how}; --allow {} permits it without asking", quote(&rule.to_string())),
        None => how.to_owned(),
    }
}

/// The rule that permits `op` and as little besides as a rule can, if one can be granted.
pub(crate) fn narrowest(op: &AnyOp) -> Option<Rule> {
    // A character that no rule has would be matched by any other in its place.
    let rule = Policy::narrowest(op).filter(|rule| !has_placeholder(rule))?;
    Rule::parse_grant(&rule, &GuestPath::root()).ok()
}

impl AnyOp {
    /// The rule that permits this op and as little besides as a rule can. `None` where no rule can be written for it: its name has a
    /// character that a reader could not see, say.
    #[must_use]
    pub fn narrowest_rule(&self) -> Option<Rule> {
        narrowest(self)
    }
}

/// Whether a `?` in the rule stands for any one character.
fn has_placeholder(rule: &str) -> bool {
    let mut chars = rule.chars();
    while let Some(c) = chars.next() {
        match c {
            '?' => return true,
            '\\' => drop(chars.next()),
            _ => {}
        }
    }
    false
}

/// The rule that is missing where a layer refuses `op` for `reason`. A name has to be permitted before its address counts.
fn suggestion(op: &AnyOp, reason: Reason) -> Option<String> {
    match (op, reason) {
        (AnyOp::Http(op), Reason::NoRule) => Policy::suggestion(&op.request().into()),
        (op, _) => Policy::suggestion(op),
    }
}

/// `rule`, if it can be granted: what a guest asks for may have characters that no rule has.
fn grantable(rule: String) -> Option<String> {
    Rule::parse_grant(&rule, &GuestPath::root()).ok().map(|_| rule)
}

fn hint_for(layer: &Layer, op: &AnyOp, reason: Reason) -> String {
    let rule = || quote(&Policy::reason_text(layer, op.class(), reason));
    match (layer.kind(), reason) {
        (_, Reason::NotEncrypted) => "a secret goes over plain http only to this machine, as `localhost` or a loopback address, \
                                      because others on the way could read it: ask for an `https` URL"
            .to_owned(),
        (_, Reason::Never) => "this is never permitted, whatever is granted".to_owned(),
        (kind, Reason::TooManyRules) => {
            format!("the {kind} layer has too many rules of this class, so it permits nothing; write fewer, wider ones")
        }
        (LayerKind::Manifest, Reason::Deny(_)) => {
            format!("the tool's ceiling forbids it, by the rule {}: only the tool's author can raise it", rule())
        }
        (LayerKind::Manifest, _) if Class::ALL.iter().all(|class| layer.is_empty(*class)) => {
            "the tool declares no authority, so it may compute and nothing else; --ceiling open lifts that for a call and leaves \
             your grant alone to hold it"
                .to_owned()
        }
        (LayerKind::Manifest, _) => {
            "the tool's ceiling forbids it: no grant can permit it, only the tool's author can raise it".to_owned()
        }
        (LayerKind::Operator, Reason::Deny(_)) => format!("it is refused by --deny {}", rule()),
        (LayerKind::Operator, reason) => match suggestion(op, reason).and_then(grantable) {
            Some(rule) => format!("--allow {}", quote(&rule)),
            None => "no rule can permit it: it is not written as a rule could say it".to_owned(),
        },
        (LayerKind::Function, Reason::Deny(_)) => {
            format!("your toolbox takes it from this function, by the rule {}", rule())
        }
        (LayerKind::Function, _) => "your toolbox does not pass this authority on to this function".to_owned(),
        (LayerKind::Project, Reason::Deny(_)) => {
            format!("this project's caplet.toml refuses it, by the rule {}", rule())
        }
        (LayerKind::Project, _) => "this project's caplet.toml does not pass this authority on".to_owned(),
        (kind, Reason::Deny(_)) => format!("the {kind} layer refuses it, by the rule {}", rule()),
        (kind, _) => format!("the {kind} layer does not pass this authority on"),
    }
}
