//! What a tool may do, in the short form of rules.

use std::sync::OnceLock;

use caplet::Offer;
use caplet::audit::text::visible_line;
use caplet::authority::{Class, Layer, Policy, proof};

/// What a tool may do, by class of capability. Worked out when somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Permitted(OnceLock<Vec<(Class, String)>>);

impl Permitted {
    /// One line for each class of which more is permitted than every tool may. Empty also when that cannot be told.
    pub(crate) fn lines(&self, offer: &Offer) -> &[(Class, String)] {
        self.0.get_or_init(|| offer.policy().map(|policy| lines(&policy)).unwrap_or_default())
    }

    /// What is permitted of the class that `capability` names.
    pub(crate) fn of(&self, offer: &Offer, capability: &str) -> Option<&str> {
        let line = self.lines(offer).iter().find(|(class, _)| class.as_str() == capability);
        line.map(|(_, line)| line.as_str())
    }
}

fn lines(policy: &Policy) -> Vec<(Class, String)> {
    match proof::effective(policy) {
        Ok(effective) => effective
            .iter()
            .filter(|effective| !effective.allow.is_empty())
            .map(|effective| (effective.class, listed(effective)))
            .filter(|(class, line)| !is_usual(*class, line))
            .collect(),
        // Too many rules to be intersected: each layer says for itself what it permits.
        Err(_) => Class::ALL
            .into_iter()
            .filter(|class| policy.grants_class(*class))
            .map(|class| (class, by_layer(policy, class)))
            .collect(),
    }
}

/// Whether it is what every tool may, unless somebody says otherwise.
fn is_usual(class: Class, line: &str) -> bool {
    matches!((class, line), (Class::Clocks, "clock:1ms") | (Class::Random, "random"))
}

fn listed(effective: &proof::Effective) -> String {
    let rule = |rule: &String| named(effective.class, rule);
    let items: Vec<String> =
        effective.allow.iter().map(|rules| rules.iter().map(rule).collect::<Vec<_>>().join(" and also ")).collect();
    let denied: Vec<String> = effective.deny.iter().map(rule).collect();
    match denied.as_slice() {
        [] => items.join(", "),
        denied => format!("{}, but not {}", items.join(", "), denied.join(", ")),
    }
}

fn by_layer(policy: &Policy, class: Class) -> String {
    let kinds: Vec<&str> = policy.layers().iter().map(Layer::kind).map(|kind| kind.as_str()).collect();
    format!("what the rules of {} all permit of {class}", kinds.join(" and "))
}

/// A rule without the value that it sets: that of a variable or a key may be nobody's business but the tool's.
fn named(class: Class, rule: &str) -> String {
    visible_line(without_value(class.as_str(), rule)).into_owned()
}

/// `rule` of the class that `capability` names, without the value that it sets.
pub(crate) fn without_value<'r>(capability: &str, rule: &'r str) -> &'r str {
    let sets = |class: Class| class.as_str() == capability;
    let value = if sets(Class::Random) { ':' } else { '=' };
    match rule.split_once(value) {
        Some((name, _)) if [Class::Environment, Class::Config, Class::Random].into_iter().any(sets) => name,
        _ => rule,
    }
}
