//! What a proposal may not go beyond: the policy that the calls ran under.

use std::collections::HashSet;

use caplet_policy::proof::{self, Budget, GaveUp};
use caplet_policy::{Class, GuestPath, Layer, Limits, Policy, Rule, Section};

use super::propose::policy;

/// The policy that calls ran under, and the directories that the operator named. No proposal goes beyond it.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub(super) policy: Policy,
    pub(super) roots: Vec<GuestPath>,
    /// Variables that were handed over.
    pub(super) variables: Vec<Rule>,
    pub(super) limits: Option<Limits>,
}

impl Bounds {
    /// The bounds of calls that ran under `policy`. Patterns for files lie at or below `roots`, the directories that the operator named;
    /// a hidden name on the way to one of them is the operator's own choice.
    #[must_use]
    pub fn new(policy: Policy, roots: Vec<GuestPath>) -> Self {
        Self { policy, roots, variables: Vec::new(), limits: None }
    }

    /// The rules for environment variables among those of `layer`, which the operator granted, stay as they are.
    #[must_use]
    pub fn keeping_variables_of(mut self, layer: &Layer) -> Self {
        self.variables = rules_of(layer, Class::Environment);
        self
    }

    /// The limits that held for the calls, so that lower ones can be proposed.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// Whether everything that `rule` permits is permitted here. What cannot be proven is not so.
    pub(super) fn covers(&self, rule: &Rule) -> bool {
        self.excess([rule], []).is_ok_and(|excess| excess.is_empty())
    }

    /// Those of the rules that permit something which is not permitted here, by their texts.
    pub(super) fn excess<'a>(
        &self,
        allow: impl IntoIterator<Item = &'a Rule>,
        deny: impl IntoIterator<Item = &'a Rule>,
    ) -> Result<HashSet<String>, GaveUp> {
        let mut classes: HashSet<Class> = HashSet::new();
        let allow = allow.into_iter().inspect(|rule| {
            classes.insert(rule.class());
        });
        let proposed = policy(allow, deny);
        let found = proof::widenings_within(self.policy.layers(), proposed.layers(), &Budget::default())?;
        // Of a class without rules, the proposal has what every tool has without a grant.
        Ok(found.into_iter().filter(|more| classes.contains(&more.class)).map(|more| more.rule).collect())
    }
}

/// The allow rules of one class of a layer.
pub(super) fn rules_of(layer: &Layer, class: Class) -> Vec<Rule> {
    fn of<S: Section>(layer: &Layer) -> Vec<Rule>
    where
        Rule: From<S::Rule>,
    {
        layer.section::<S>().allowed().iter().cloned().map(Rule::from).collect()
    }
    match class {
        Class::Filesystem => of::<caplet_policy::FilesystemSection>(layer),
        Class::Http => of::<caplet_policy::HttpSection>(layer),
        Class::KeyValue => of::<caplet_policy::KeyValueSection>(layer),
        Class::Environment => of::<caplet_policy::EnvironmentSection>(layer),
        Class::Config => of::<caplet_policy::ConfigSection>(layer),
        Class::Clocks => of::<caplet_policy::ClocksSection>(layer),
        Class::Random => of::<caplet_policy::RandomSection>(layer),
        Class::Secrets => of::<caplet_policy::SecretsSection>(layer),
        Class::Tools => of::<caplet_policy::ToolsSection>(layer),
        _ => Vec::new(),
    }
}
