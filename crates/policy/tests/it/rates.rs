//! How often rules permit: which rates a request counts against, and rates that went up.

use std::sync::Arc;
use std::time::Duration;

use caplet_policy::proof::{raised_rates, widenings};
use caplet_policy::{Allow, AnyOp, HttpOp, HttpSection, Journal, Layer, LayerKind, Policy, Rate, RuleId};
use proptest::prelude::*;

use crate::{generate, layer, op, policy};

/// The rates that a request counts against, as text: those of one layer in a list.
fn rates(policy: &Policy, method: &str, url: &str) -> Vec<Vec<String>> {
    let guard = policy.guard::<HttpSection>(&Arc::new(Journal::new()));
    let request = guard.check(HttpOp::new(method, url).expect("a request")).expect("permitted");
    let text = |id: RuleId, rate: Rate| {
        let rule = guard.rule(id).expect("a rule");
        assert_eq!(rule.rate(), Some(rate));
        format!("{}.{} {rate}", id.layer, id.rule)
    };
    let layers = guard.rates(&request).into_iter();
    layers.map(|layer| layer.rules.iter().map(|found| text(found.id, found.rate)).collect()).collect()
}

#[test]
fn a_request_counts_against_the_rules_that_it_matches() {
    let ceiling = layer(LayerKind::Manifest, &["fetch:https://*", "fetch:10/s POST https://x.org"], &[]);
    let operator = layer(
        LayerKind::Operator,
        &[
            "fetch:https://free.org",
            "fetch:5/s https://x.org",
            "fetch:100/h https://x.org/a/**",
            "fetch:1/s ANY https://free.org",
            "fetch:60/m POST https://x.org",
        ],
        &[],
    );
    let policy = Policy::new(ceiling).attenuate(operator);
    for (method, url, expected) in [
        ("GET", "https://x.org/", vec![vec!["1.1 5/s"]]),
        ("GET", "https://x.org/a/b", vec![vec!["1.1 5/s", "1.2 100/h"]]),
        ("POST", "https://x.org/a", vec![vec!["0.1 10/s"], vec!["1.4 60/m"]]),
        ("GET", "https://free.org/", vec![]),
    ] {
        assert_eq!(rates(&policy, method, url), expected, "{method} {url}");
    }
    // A layer that comes later moves none of them.
    let later = policy.attenuate(layer(LayerKind::Call, &["fetch:2/s https://x.org"], &[]));
    assert_eq!(rates(&later, "GET", "https://x.org/"), [["1.1 5/s"], ["2.0 2/s"]]);
    assert!(rates(&Policy::new(Layer::open(LayerKind::Manifest)), "GET", "https://x.org/").is_empty());
    assert!(rates(&self::policy(&["fetch:https://x.org"], &[]), "GET", "https://x.org/").is_empty());
}

#[test]
fn a_rate_says_how_many_in_how_much_time() {
    for (text, count, seconds) in [("1/s", 1, 1), ("100/m", 100, 60), ("1000000/h", 1_000_000, 3600)] {
        let rate: Rate = text.parse().expect(text);
        assert_eq!((rate.count().get(), rate.per()), (count, Duration::from_secs(seconds)));
        assert_eq!(rate.to_string(), text);
    }
    for text in ["", "/", "1", "1/", "/s", "0/s", "1/S", "1/ms", "1.5/s", "-1/s", "1 /s", "4294967297/s"] {
        assert!(text.parse::<Rate>().is_err(), "{text} is taken");
    }
}

#[test]
fn a_denied_request_is_denied_however_often() {
    let policy = policy(&["fetch:https://*"], &["fetch:1/h https://x.org"]);
    crate::check(&policy, &[("GET https://x.org/", false), ("GET https://y.org/", true)]);
}

#[test]
fn a_rate_that_went_up_is_seen() {
    for (old, new, expected) in [
        (vec!["fetch:1/s https://x.org"], vec!["fetch:2/s https://x.org"], 1),
        (vec!["fetch:1/s https://x.org"], vec!["fetch:https://x.org"], 1),
        (vec!["fetch:1/s https://x.org"], vec!["fetch:60/m https://x.org"], 1),
        (vec!["fetch:60/m https://x.org"], vec!["fetch:2/s https://x.org"], 1),
        (vec!["fetch:2/s https://x.org"], vec!["fetch:1/s https://x.org"], 0),
        (vec!["fetch:60/m https://x.org"], vec!["fetch:1/s https://x.org"], 0),
        (vec!["fetch:https://x.org"], vec!["fetch:1/s https://x.org"], 0),
        (vec!["fetch:1/s https://x.org", "fetch:3/s https://x.org"], vec!["fetch:2/s https://x.org"], 0),
        (vec!["fetch:1/s https://x.org"], vec!["fetch:9/s POST https://x.org"], 0),
    ] {
        let (old, new) = (layer(LayerKind::Manifest, &old, &[]), layer(LayerKind::Manifest, &new, &[]));
        let raised = raised_rates(&old, &new);
        assert_eq!(raised.len(), expected, "{new} against {old}");
        for found in raised {
            assert!(new.to_string().contains(&found.new) && old.to_string().contains(&found.old), "{found:?}");
            assert!(widenings(&old, &new).expect("a proof").is_empty(), "the ops are the same");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// The rates of a request are those of the rules that permit it, each by itself, in the layers where all such rules have one.
    #[test]
    fn rates_are_those_of_the_rules_that_permit(policy in generate::policy(), ops in generate::ops()) {
        let guard = policy.guard::<HttpSection>(&Arc::new(Journal::new()));
        for op in ops {
            let AnyOp::Http(op) = op else { continue };
            let Ok(request) = guard.check(op.request()) else { continue };
            let mut expected = Vec::new();
            for (number, layer) in (0..).zip(policy.layers()) {
                let Allow::Rules(rules) = layer.http().allow() else { continue };
                let alone = |rule: &str| crate::policy(&[rule], &[]).permits(&op.request().into());
                let matching: Vec<_> = (0..).zip(rules).filter(|(_, rule)| alone(&rule.to_string())).collect();
                prop_assert!(!matching.is_empty());
                if matching.iter().all(|(_, rule)| rule.rate().is_some()) {
                    expected.push(matching.iter().map(|(rule, _)| RuleId { layer: number, rule: *rule }).collect::<Vec<_>>());
                }
            }
            let found = guard.rates(&request);
            let found: Vec<Vec<RuleId>> = found.iter().map(|layer| layer.rules.iter().map(|rule| rule.id).collect()).collect();
            prop_assert_eq!(found, expected, "{}", op);
        }
    }
}

/// What is permitted does not depend on rates.
#[test]
fn a_rate_changes_nothing_about_what_is_permitted() {
    let rated = policy(&["fetch:1/h https://x.org/a/**"], &[]);
    let plain = policy(&["fetch:https://x.org/a/**"], &[]);
    for text in
        ["GET https://x.org/a", "GET https://x.org/b", "POST https://x.org/a", "GET https://x.org/a at 10.0.0.1"]
    {
        assert_eq!(rated.permits(&op(text)), plain.permits(&op(text)), "{text}");
    }
}
