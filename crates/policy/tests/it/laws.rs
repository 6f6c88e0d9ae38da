//! The laws that every policy keeps, over all sections.

use std::sync::Arc;

use caplet_policy::proof::{Budget, dead_rules, effective, is_empty, widenings, widenings_within};
use caplet_policy::{
    AnyOp, Class, ClocksSection, ConfigSection, EnvironmentSection, FilesystemSection, FsOp, HttpSection, Journal,
    KeyValueSection, Layer, LayerKind, Policy, RandomSection, Rule, SecretsSection, ToolsSection,
};
use proptest::prelude::*;

use crate::generate;

/// Whether a guard of the op's class lets it pass.
pub(crate) fn guarded(policy: &Policy, op: &AnyOp, journal: &Arc<Journal>) -> bool {
    match op.clone() {
        AnyOp::Filesystem(op) => policy.guard::<FilesystemSection>(journal).check(op).is_ok(),
        AnyOp::Http(op) => policy.guard::<HttpSection>(journal).check(op).is_ok(),
        AnyOp::KeyValue(op) => policy.guard::<KeyValueSection>(journal).check(op).is_ok(),
        AnyOp::Environment(op) => policy.guard::<EnvironmentSection>(journal).check(op).is_ok(),
        AnyOp::Config(op) => policy.guard::<ConfigSection>(journal).check(op).is_ok(),
        AnyOp::Clocks(op) => policy.guard::<ClocksSection>(journal).check(op).is_ok(),
        AnyOp::Random(op) => policy.guard::<RandomSection>(journal).check(op).is_ok(),
        AnyOp::Secrets(op) => policy.guard::<SecretsSection>(journal).check(op).is_ok(),
        AnyOp::Tools(op) => policy.guard::<ToolsSection>(journal).check(op).is_ok(),
        other => panic!("{other} has no guard here"),
    }
}

fn alone(layer: &Layer) -> Policy {
    Policy::new(layer.clone())
}

fn of_rule(rule: &str) -> Policy {
    crate::policy(&[rule], &[])
}

/// Ops on single things, which is what rules are about.
pub(crate) fn is_single(op: &AnyOp) -> bool {
    match op {
        AnyOp::Filesystem(FsOp::Search(_) | FsOp::WriteTree(_)) => false,
        AnyOp::KeyValue(op) => op.key().is_some(),
        AnyOp::Http(op) => op.address().is_none(),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// A policy permits an op if and only if every layer does.
    #[test]
    fn a_policy_is_the_conjunction_of_its_layers(policy in generate::policy(), ops in generate::ops()) {
        for op in ops {
            let by_each = policy.layers().iter().all(|layer| alone(layer).permits(&op));
            prop_assert_eq!(policy.permits(&op), by_each, "{}", policy.explain(&op));
            let if_asked = policy.layers().iter().all(|layer| alone(layer).may_permit(&op));
            prop_assert_eq!(policy.may_permit(&op), if_asked, "{}", policy.explain(&op));
        }
    }

    /// One more layer never permits what was refused before.
    #[test]
    fn attenuation_never_widens(policy in generate::policy(), layer in generate::layer(), ops in generate::ops()) {
        let narrower = policy.attenuate(layer);
        for op in ops {
            prop_assert!(policy.permits(&op) || !narrower.permits(&op), "{}", narrower.explain(&op));
            prop_assert!(policy.may_permit(&op) || !narrower.may_permit(&op), "{}", narrower.explain(&op));
        }
    }

    /// A layer with a deny rule permits nothing that the same rule, as the only one, permits: nothing that is allowed besides
    /// brings it back. Time is the exception: `clock:1ms` permits what is coarser and takes away what is finer.
    #[test]
    fn deny_wins(layer in generate::layer(), denied in generate::rule(), ops in generate::ops()) {
        let mut with_deny = layer.clone();
        with_deny.add_deny(denied.clone());
        let is_write_only = denied.to_string().starts_with("write:");
        for op in ops.iter().filter(|op| op.class() == denied.class() && is_single(op)) {
            let reads = matches!(op, AnyOp::Filesystem(FsOp::Read(_)));
            if denied.class() == Class::Clocks || (is_write_only && reads) {
                continue;
            }
            let matched = of_rule(&denied.to_string()).permits(op);
            prop_assert!(!matched || !alone(&with_deny).may_permit(op), "{}", alone(&with_deny).explain(op));
        }
        for op in ops {
            prop_assert!(alone(&layer).permits(&op) || !alone(&with_deny).permits(&op), "a deny rule permits {op}");
            prop_assert!(alone(&layer).may_permit(&op) || !alone(&with_deny).may_permit(&op), "a deny rule asks about {op}");
        }
    }

    /// A layer without rules permits nothing but the defaults of clocks and randomness.
    #[test]
    fn empty_means_nothing(op in generate::op()) {
        let is_default = matches!(op.class(), Class::Clocks | Class::Random);
        prop_assert!(is_default || !Policy::nothing().permits(&op));
    }

    /// The three ways to ask agree, and a check leaves its decision behind.
    #[test]
    fn explain_is_permits_is_check(policy in generate::policy(), ops in generate::ops()) {
        for op in ops {
            let explanation = policy.explain(&op);
            prop_assert_eq!(explanation.permitted(), policy.permits(&op));
            prop_assert_eq!(explanation.permitted() || explanation.asks(), policy.may_permit(&op));
            let journal = Arc::new(Journal::new());
            prop_assert_eq!(guarded(&policy, &op, &journal), explanation.permitted(), "{}", explanation);
            let decisions = journal.summary();
            let mut refusing = explanation.layers.iter().filter(|layer| !layer.permitted);
            match refusing.clone().find(|layer| !layer.asks).or_else(|| refusing.next()) {
                None => {
                    prop_assert_eq!((decisions.permitted, decisions.denied.len()), (1, 0));
                    prop_assert!(explanation.hint.is_none());
                }
                Some(refusal) => {
                    prop_assert_eq!((decisions.permitted, decisions.denied.len()), (0, 1));
                    let entry = &decisions.denied[0];
                    prop_assert_eq!(&entry.op, &explanation.op.to_string());
                    prop_assert_eq!(&entry.layer, refusal.layer.as_str());
                    let way_out = |hint: &str| hint.rsplit_once("; ").map_or(hint, |(_, last)| last).to_owned();
                    prop_assert_eq!(Some(way_out(&entry.hint)), explanation.hint.as_deref().map(way_out));
                    let rule = refusal.rule.clone().unwrap_or_default();
                    prop_assert_eq!(&entry.rule, rule.strip_prefix("deny ").unwrap_or(&rule));
                }
            }
        }
    }

    /// The flag that a hint names permits the op, where nothing but a missing rule refused it.
    #[test]
    fn what_a_hint_names_permits(op in generate::op()) {
        // A request to an address takes more than one rule; see the module `resolved`.
        prop_assume!(is_single(&op) || op.class() != Class::Http);
        let policy = Policy::new(Layer::open(LayerKind::Manifest)).attenuate(Layer::new(LayerKind::Operator));
        let explanation = policy.explain(&op);
        if let Some(flag) = explanation.hint.as_deref().and_then(|hint| hint.strip_prefix("--allow '")) {
            let granted = of_rule(&flag.trim_end_matches('\'').replace("'\\''", "'"));
            prop_assert!(granted.permits(&op), "{op}: {flag}");
        } else {
            let cannot = ["CONNECT ", "get "].iter().any(|method| op.to_string().starts_with(method));
            let in_the_clear = op.class() == Class::Secrets && op.to_string().contains("@http://");
            prop_assert!(explanation.permitted() || cannot || in_the_clear, "{}", explanation);
        }
    }

    /// A rule and an op read back from their own text are the same.
    #[test]
    fn text_round_trips(rule in generate::rule(), op in generate::op()) {
        prop_assert_eq!(&crate::rule(&rule.to_string()), &rule, "{}", rule);
        prop_assert_eq!(&crate::op(&op.to_string()), &op, "{}", op);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where a proof says that one layer asks for no more than another, no op contradicts it; where it says that it does, its
    /// example shows it.
    #[test]
    fn a_proof_agrees_with_the_ops((old, new) in generate::pair(), ops in generate::ops()) {
        let found = widenings(&old, &new).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for widening in &found {
            let (old, new, op) = (alone(&old), alone(&new), &widening.witness);
            let is_given = new.permits(op) && !old.permits(op);
            prop_assert!(is_given || (new.may_permit(op) && !old.may_permit(op)), "{:?}", widening);
        }
        for op in ops.iter().filter(|op| is_single(op)) {
            if !found.iter().any(|widening| widening.class == op.class()) {
                let (old, new) = (alone(&old), alone(&new));
                prop_assert!(old.permits(op) || !new.permits(op), "{op} is wider, but was not found");
                prop_assert!(old.may_permit(op) || !new.may_permit(op), "{op} can be asked for, but was not found");
            }
        }
    }

    /// What is shown as the effective set decides like the layers one by one.
    #[test]
    fn the_shown_meet_decides_like_the_layers(policy in generate::policy(), ops in generate::ops()) {
        let shown = effective(&policy).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for op in ops.iter().filter(|op| is_single(op)) {
            let effective = shown.iter().find(|effective| effective.class == op.class()).expect("every class is shown");
            let matches =
                |rule: &String| rule == "everything" || of_rule(rule.strip_prefix("ask ").unwrap_or(rule)).permits(op);
            let refused = |rule: &String| {
                let mut layer = Layer::open(LayerKind::Operator);
                layer.add_deny(crate::rule(rule));
                !alone(&layer).permits(op)
            };
            // What even a layer without bounds refuses.
            let never = !alone(&Layer::open(LayerKind::Operator)).permits(op);
            let by_shown = effective.allow.iter().any(|rules| rules.iter().all(matches));
            let by_shown = by_shown && !effective.deny.iter().any(refused) && !never;
            prop_assert_eq!(by_shown, policy.may_permit(op), "{} under {}", op, effective);
        }
    }

    /// A class that is proven empty permits no op, and a rule that is proven dead permits none either.
    #[test]
    fn what_is_proven_dead_permits_nothing(policy in generate::policy(), ops in generate::ops()) {
        for class in Class::ALL {
            if is_empty(&policy, class).map_err(|error| TestCaseError::fail(error.to_string()))? {
                for op in ops.iter().filter(|op| op.class() == class && is_single(op)) {
                    prop_assert!(!policy.may_permit(op), "{}", policy.explain(op));
                }
            }
        }
        let dead = dead_rules(&policy).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for found in &dead {
            // The same rule may be dead in one layer and alive in another of the same kind.
            let asked = found.rule.strip_prefix("ask ");
            let line = if asked.is_some() { format!("{}\n", found.rule) } else { format!("allow {}\n", found.rule) };
            let same = |layer: &&Layer| layer.kind() == found.layer && layer.to_string().contains(&line);
            let times = dead.iter().filter(|other| *other == found).count();
            if times < policy.layers().iter().filter(same).count() {
                continue;
            }
            for op in ops.iter().filter(|op| op.class() == found.class && is_single(op)) {
                let is_about = of_rule(asked.unwrap_or(&found.rule)).permits(op);
                // In a layer without bounds, no rule is missed.
                let is_open = policy.layers().iter().filter(same).any(|layer| layer.to_string().contains("allow everything"));
                prop_assert!(is_open || !is_about || !policy.may_permit(op), "{} is not dead: {op}", found.rule);
            }
        }
    }

    /// A layer never asks for more than itself, and more rules never ask for less.
    #[test]
    fn more_rules_are_more(layer in generate::layer(), rules in proptest::collection::vec(generate::rule(), 0..3)) {
        let mut more = layer.clone();
        let has_default = |rule: &Rule| matches!(rule.class(), Class::Clocks | Class::Random);
        // The first rule for a class with a default takes the place of the default.
        rules.into_iter().filter(|rule| !has_default(rule)).for_each(|rule| more.add_allow(rule));
        let (less, more) = ([layer], [more]);
        for (old, new) in [(&more, &less), (&less, &less)] {
            if let Ok(found) = widenings_within(old, new, &Budget::default()) {
                prop_assert!(found.is_empty(), "{found:?}");
            }
        }
    }
}
