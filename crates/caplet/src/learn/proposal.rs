//! What is proposed: rules, and what each rests on.

use std::fmt::Write as _;

use caplet_policy::{Layer, LayerKind, Rule};
use serde::{Serialize, Serializer};

use super::Enough;

/// The smallest grant that permits what calls did.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Proposal {
    /// What to allow.
    pub allow: Vec<Proposed>,
    /// What to allow only after having looked at it: hidden files, credentials, addresses that are not public.
    pub look_at: Vec<Proposed>,
    /// What to deny, so that the patterns among the rules cover nothing that should be looked at.
    #[serde(serialize_with = "texts")]
    pub deny: Vec<Rule>,
    /// Lower limits that would have been enough, where they are far below those that held.
    pub limits: Vec<Enough>,
    /// Ops that were permitted and that no rule can be written for.
    pub unwritable: Vec<String>,
    /// Ops that rules of the grant say to ask about, and that were permitted: these rules are to stay as they are.
    pub asked_about: Vec<String>,
    /// What was asked for and denied.
    pub not_granted: Vec<NotGranted>,
    /// How many calls it rests on.
    pub calls: u32,
    /// Different ops of these calls that are not known, because there were too many: a rule for them may be missing.
    pub missing: u64,
}

/// A rule, and what it rests on.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Proposed {
    /// The rule.
    #[serde(serialize_with = "text")]
    pub rule: Rule,
    /// Why a person should look at it first, if one should.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Why it is a pattern, or what else is to be said of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub because: String,
    /// What was asked for that it permits.
    pub rests_on: Vec<Rests>,
}

/// An op that a rule rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rests {
    /// The op, as a record names it.
    pub op: String,
    /// How often it was asked for.
    pub times: u64,
    /// In which calls, by number from 1; of very many, the first.
    pub calls: Vec<u32>,
}

/// Something that was asked for and denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NotGranted {
    /// The op, as a record names it.
    pub op: String,
    /// The layer that refused.
    pub layer: String,
    /// The rule that refused, or that none matched.
    pub rule: String,
    /// What would permit it, or why nothing can.
    pub hint: String,
    /// How often it was asked for.
    pub times: u64,
    /// In which calls, by number from 1; of very many, the first.
    pub calls: Vec<u32>,
}

impl Proposal {
    /// All rules to allow, those to be looked at behind the others.
    pub fn rules(&self) -> impl Iterator<Item = &Proposed> {
        self.allow.iter().chain(&self.look_at)
    }

    /// Whether the calls needed no grant at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules().next().is_none()
    }

    /// The proposal as an operator's layer, with what is to be looked at.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::new(LayerKind::Operator);
        self.rules().for_each(|proposed| layer.add_allow(proposed.rule.clone()));
        self.deny.iter().for_each(|rule| layer.add_deny(rule.clone()));
        layer
    }

    /// The table of the tool `name` for caplet.toml, with the lines of `more` in it. What is to be looked at stands in comments.
    #[must_use]
    pub fn toml(&self, name: &str, more: &[String]) -> String {
        let mut text = format!("[tools.{}]\n", key(name));
        more.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        list(&mut text, "allow", self.allow.iter().map(|proposed| &proposed.rule));
        list(&mut text, "deny", self.deny.iter());
        if !self.look_at.is_empty() {
            text.push_str("# Look at these before you add them to `allow`:\n");
        }
        for Proposed { rule, warning, .. } in &self.look_at {
            let _ = writeln!(text, "#   {},  # {}", value(rule), warning.as_deref().unwrap_or("look at it"));
        }
        text
    }
}

fn list<'a>(text: &mut String, key: &str, rules: impl Iterator<Item = &'a Rule>) {
    let rules: Vec<String> = rules.map(value).collect();
    match &rules[..] {
        [] => {}
        [one] => text.push_str(&format!("{key} = [{one}]\n")),
        many => text.push_str(&format!("{key} = [\n    {},\n]\n", many.join(",\n    "))),
    }
}

/// A rule as a string of TOML.
fn value(rule: &Rule) -> String {
    toml_edit::Value::from(rule.to_string()).to_string().trim().to_owned()
}

/// A name as a key of TOML.
fn key(name: &str) -> String {
    toml_edit::Key::new(name).to_string()
}

fn text<S: Serializer>(rule: &Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(rule)
}

fn texts<S: Serializer>(rules: &[Rule], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rules.iter().map(ToString::to_string))
}
