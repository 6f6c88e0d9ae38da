//! What environment variables and configuration keys have in common: a name, and a value that a rule may fix.
//!
//! A rule without a value leaves the value to others; a rule with one permits only that. A deny rule takes the name away,
//! whatever the value. An op without a value asks for the one that the policy as a whole gives: see [`settled`].

use std::sync::Arc;

use super::name::{Assignment, Value};
use super::{Allow, Section};
use crate::policy::Policy;

/// The value that `policy` gives to `name`: the first that a rule fixes and every layer permits; `Some(None)` when it is left to
/// others; `None` when the policy does not permit the name.
pub(crate) fn settled<S: Section>(
    policy: &Policy,
    name: &Arc<str>,
    assignment: impl Fn(&S::Rule) -> &Assignment,
    op: impl Fn(Assignment) -> S::Op,
) -> Option<Option<Value>> {
    let asked = |value: Option<Value>| op(Assignment { name: Arc::clone(name), value });
    for layer in policy.layers() {
        let rules = S::rules(layer.sections());
        for rule in rules.allowed().iter().map(&assignment).filter(|rule| rule.name == *name) {
            if let Some(value) = &rule.value
                && policy.permits_op::<S>(&asked(Some(value.clone())))
            {
                return Some(Some(value.clone()));
            }
        }
    }
    let leaves_it = |layer: &crate::layer::Layer| match S::rules(layer.sections()).allow() {
        Allow::Everything => true,
        Allow::Rules(rules) => rules.iter().map(&assignment).any(|rule| rule.name == *name && rule.value.is_none()),
    };
    (policy.layers().iter().all(leaves_it) && policy.permits_op::<S>(&asked(None))).then_some(None)
}

/// All names that some rule of `policy` allows and the policy as a whole permits, in the order of the rules, with their values.
pub(crate) fn all<S: Section>(
    policy: &Policy,
    assignment: impl Fn(&S::Rule) -> &Assignment + Copy,
    op: impl Fn(Assignment) -> S::Op + Copy,
) -> Vec<(String, Option<String>)> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for layer in policy.layers() {
        for rule in S::rules(layer.sections()).allowed() {
            let name = &assignment(rule).name;
            if !names.contains(name) {
                names.push(Arc::clone(name));
            }
        }
    }
    let settled = names.into_iter().filter_map(|name| Some((settled::<S>(policy, &name, assignment, op)?, name)));
    settled.map(|(value, name)| (name.to_string(), value.map(|value| value.expose().to_owned()))).collect()
}

/// Defines the op, the rule and the section of names with values.
macro_rules! assignment_section {
    (
        class: $class:ident, field: $field:ident, what: $what:literal, rule_kind: $kind:literal,
        $(#[$section_doc:meta])* $section:ident,
        $(#[$op_doc:meta])* $op:ident,
        $(#[$rule_doc:meta])* $rule:ident
    ) => {
        $(#[$section_doc])*
        #[derive(Debug)]
        pub enum $section {}

        $(#[$op_doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $op(Assignment);

        impl $op {
            /// Asks for this name, with the value that the policy gives it.
            ///
            /// # Errors
            ///
            /// When the name is empty, too long, or contains `=` or NUL.
            pub fn new(name: &str) -> Result<Self, OpError> {
                Ok(Self(Assignment { name: op_name($what, name, &['='])?, value: None }))
            }

            /// The name that is asked for.
            #[must_use]
            pub fn name(&self) -> &str {
                &self.0.name
            }

            /// The value that is asked for; `None` for the one that the policy gives.
            #[must_use]
            pub fn value(&self) -> Option<&str> {
                self.0.value.as_ref().map(Value::expose)
            }

            pub(crate) fn parse(rest: &str) -> Result<Self, OpError> {
                Assignment::parse_op($what, rest).map(Self)
            }
        }

        impl fmt::Display for $op {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {}", $kind, self.0.text())
            }
        }

        $(#[$rule_doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $rule(Assignment);

        impl $rule {
            /// A rule for `name`. With a value it permits only that value; without, the value comes from elsewhere.
            ///
            /// # Errors
            ///
            /// When the name is empty, too long, or has characters that a name cannot have.
            pub fn new(name: &str, value: Option<&str>) -> Result<Self, RuleError> {
                Ok(Self(Assignment { name: rule_name($what, name, &['='])?, value: value.map(Value::shown) }))
            }

            /// A rule that permits `name` with `value` alone, and shows the value nowhere: not in its own text, and not in that of an
            /// op that it gives the value to. It may be longer than the text of a rule.
            ///
            /// # Errors
            ///
            /// As for `new`.
            pub fn hidden(name: &str, value: &str) -> Result<Self, RuleError> {
                Ok(Self(Assignment { name: rule_name($what, name, &['='])?, value: Some(Value::hidden(value)) }))
            }

            /// The name.
            #[must_use]
            pub fn name(&self) -> &str {
                &self.0.name
            }

            /// The value, if the rule fixes one.
            #[must_use]
            pub fn value(&self) -> Option<&str> {
                self.0.value.as_ref().map(Value::expose)
            }

            /// Never: a rule names one thing.
            #[must_use]
            pub fn is_broad(&self) -> bool {
                false
            }

            pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
                Assignment::parse_rule($what, text).map(Self)
            }
        }

        impl fmt::Display for $rule {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}:{}", $kind, self.0.text())
            }
        }

        impl sealed::Sealed for $section {}

        impl Section for $section {
            type Op = $op;
            type Rule = $rule;
            type Matcher = ();

            const CLASS: Class = Class::$class;

            fn rules(sections: &Sections) -> &Rules<Self> {
                &sections.$field
            }

            fn compile(_allow: &Allow<$rule>, _deny: &[$rule]) -> Result<(), TooMany> {
                Ok(())
            }

            fn judge((): &(), rules: &Rules<Self>, op: &$op) -> Reason {
                let denies = |rule: &$rule| rule.0.name == op.0.name;
                Reason::of_lists(rules.allow(), rules.denied(), denies, |rule| rule.0.permits(&op.0))
            }

            fn universe() -> Hir {
                language::assignments()
            }

            fn permitted_by(rule: &$rule) -> Hir {
                language::assignment(&rule.0.name, rule.0.value.as_ref().map(Value::expose))
            }

            fn denied_by(rule: &$rule) -> Hir {
                language::assignment(&rule.0.name, None)
            }

            fn decode(text: &str) -> Option<$op> {
                $op::parse(text).ok()
            }

            fn nicer(op: &$op) -> Vec<$op> {
                vec![$op(Assignment { name: op.0.name.clone(), value: None })]
            }

            fn suggestion(op: &$op) -> Option<String> {
                Some(format!("{}:{}", $kind, op.0.text()))
            }

            fn settled(policy: &Policy, op: &$op) -> Option<$op> {
                if op.0.value.is_some() {
                    return None;
                }
                // A name for which the layers fix different values is asked for with the first of them, which the others refuse.
                let fixed = || assignment::first_fixed::<Self>(policy, &op.0.name, |rule| &rule.0);
                let value = assignment::settled::<Self>(policy, &op.0.name, |rule| &rule.0, $op).unwrap_or_else(fixed)?;
                Some($op(Assignment { name: op.0.name.clone(), value: Some(value) }))
            }
        }
    };
}
pub(crate) use assignment_section;

/// The first value that a rule fixes for `name`.
pub(crate) fn first_fixed<S: Section>(
    policy: &Policy,
    name: &Arc<str>,
    assignment: impl Fn(&S::Rule) -> &Assignment,
) -> Option<Value> {
    let mut rules = policy.layers().iter().flat_map(|layer| S::rules(layer.sections()).allowed()).map(assignment);
    rules.find_map(|rule| rule.value.clone().filter(|_| rule.name == *name))
}
