//! Secrets: where in a request they go, over which ways, and which the host is asked to add.

use std::sync::Arc;

use caplet_policy::{HttpOp, Journal, Layer, LayerKind, Placement, Policy, SecretsSection};
use proptest::prelude::*;

use crate::{check, generate, layer, op, policy, rule};

#[test]
fn a_rule_is_about_its_place_and_without_one_about_all() {
    check(
        &policy(
            &["secret:k@https://x.org", "secret:l:header:X-Key@https://x.org"],
            &["secret:k:query:t@https://x.org"],
        ),
        &[
            ("secret k@https://x.org/", true),
            ("secret k:bearer@https://x.org/", true),
            ("secret k:basic@https://x.org/", true),
            ("secret k:header:a@https://x.org/", true),
            ("secret k:query:t@https://x.org/", false),
            ("secret k:query:T@https://x.org/", true),
            ("secret l@https://x.org/", false),
            ("secret l:header:x-key@https://x.org/", true),
            ("secret l:header:X-KEY@https://x.org/", true),
            ("secret l:header:x-key2@https://x.org/", false),
        ],
    );
    check(
        &policy(&["secret:k:basic@https://x.org"], &["secret:k@https://x.org/admin"]),
        &[("secret k:basic@https://x.org/", true), ("secret k:basic@https://x.org/admin", false)],
    );
    assert_eq!(op("secret k@https://x.org").to_string(), "secret k:bearer@https://x.org/");
    assert_eq!("header:X-Key".parse(), Ok(Placement::Header("x-key".into())));
}

#[test]
fn over_plain_http_a_secret_stays_on_this_machine() {
    let rules = [
        "secret:k@http://*:*",
        "secret:k@http://x.org",
        "secret:k@http://10.0.0.0/8",
        "secret:k@http://localhost:*",
        "secret:k@http://dev.localhost",
        "secret:k@http://127.0.0.1",
        "secret:k@http://[::1]",
    ];
    let cases = [
        ("secret k@http://x.org/", false),
        ("secret k@http://8.8.8.8/", false),
        ("secret k@http://10.1.2.3/", false),
        ("secret k@http://localhost:8080/", true),
        ("secret k@http://dev.localhost/", true),
        ("secret k@http://127.0.0.1/", true),
        ("secret k@http://[::ffff:127.0.0.1]/", true),
        ("secret k@http://[::1]/", true),
        ("secret k@http://localhost.evil.org/", false),
    ];
    check(&policy(&rules, &[]), &cases);
    check(&policy(&rules[..3], &[]), &[("secret k@http://localhost/", false), ("secret k@http://127.0.0.1/", false)]);
    check(&policy(&rules, &[]), &[("secret k@http://127.0.0.2/", false), ("secret k@http://a.localhost/", false)]);
    check(&Policy::new(Layer::open(LayerKind::Manifest)), &cases);

    let explanation = policy(&rules, &[]).explain(&op("secret k@http://x.org/"));
    assert_eq!(explanation.layers[0].rule.as_deref(), Some("never over plain http"));
    assert!(explanation.hint.as_deref().is_some_and(|hint| hint.contains("ask for an `https` URL")), "{explanation}");
    let journal = Arc::new(Journal::new());
    let guard = policy(&rules, &[]).guard::<SecretsSection>(&journal);
    let denied = guard.check(caplet_policy::SecretOp::new("k", "http://x.org/").expect("an op")).expect_err("denied");
    assert_eq!(Some(denied.hint()), explanation.hint);
}

/// The candidates of a policy for a request, as text.
fn candidates(policy: &Policy, url: &str) -> Vec<String> {
    let journal = Arc::new(Journal::new());
    let request = HttpOp::new("GET", url).expect("a request");
    let found = policy.guard::<SecretsSection>(&journal).candidates(&request);
    assert_eq!(journal.summary().permitted, 0, "nothing is decided");
    found.iter().map(|op| format!("{}:{}", op.name(), op.placement())).collect()
}

#[test]
fn the_operator_says_which_secrets_are_added() {
    let ceiling = layer(
        LayerKind::Manifest,
        &["secret:a:header:X-A@https://x.org/v1/**", "secret:b@https://x.org", "secret:never@https://x.org"],
        &[],
    );
    let operator = layer(
        LayerKind::Operator,
        &[
            "secret:c:query:t@https://x.org",
            "secret:a@https://x.org/**",
            "secret:b@https://x.org",
            "secret:b:basic@https://x.org/basic",
            "secret:b@https://other.org",
        ],
        &[],
    );
    let policy = Policy::new(ceiling.clone()).attenuate(operator.clone());
    for (url, expected) in [
        ("https://x.org/v1/a?q=1", &["c:query:t", "a:header:x-a", "b:bearer"][..]),
        ("https://X.org./v1", &["c:query:t", "a:header:x-a", "b:bearer"]),
        ("https://x.org/v2", &["c:query:t", "a:bearer", "b:bearer"]),
        ("https://x.org/basic", &["c:query:t", "a:bearer", "b:basic"]),
        ("https://other.org/", &["b:bearer"]),
        ("https://a.x.org/", &[]),
        ("https://x.org:8443/", &[]),
    ] {
        assert_eq!(candidates(&policy, url), expected, "{url}");
    }
    // A later layer that says no more than the operator's asks for nothing else.
    let call = layer(LayerKind::Call, &["secret:c@https://x.org", "secret:b@https://x.org"], &[]);
    let narrowed = policy.attenuate(call);
    assert_eq!(candidates(&narrowed, "https://x.org/"), ["c:query:t", "a:bearer", "b:bearer"]);
    check(
        &narrowed,
        &[("secret b@https://x.org/", true), ("secret a@https://x.org/v1", false), ("secret c@https://x.org/", false)],
    );
    // The ceiling alone asks for nothing, and neither does a layer without bounds.
    assert!(candidates(&Policy::new(ceiling), "https://x.org/").is_empty());
    assert!(candidates(&Policy::new(Layer::open(LayerKind::Operator)), "https://x.org/").is_empty());
}

#[test]
fn a_layer_that_cannot_be_compiled_asks_for_nothing() {
    let mut many = Layer::new(LayerKind::Operator);
    (0..20_000).for_each(|number| many.add_allow(rule(&format!("secret:k{number}@https://x.org"))));
    assert!(many.compile().is_err());
    assert!(candidates(&Policy::new(many), "https://x.org/").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every secret that a policy permits by an operator's rule with a place is a candidate; there are none twice; and no secret
    /// goes in the clear to another machine.
    #[test]
    fn candidates_hold_what_is_permitted(policy in generate::policy(), url in generate::url()) {
        let journal = Arc::new(Journal::new());
        let guard = policy.guard::<SecretsSection>(&journal);
        let request = HttpOp::new("GET", &url).expect("a request");
        let found = guard.candidates(&request);
        let distinct: std::collections::HashSet<_> = found.iter().collect();
        prop_assert_eq!(distinct.len(), found.len());
        for layer in policy.layers().iter().filter(|layer| layer.kind() != LayerKind::Manifest) {
            for rule in layer.secrets().allowed() {
                let Some(placement) = rule.placement() else { continue };
                let asked = op(&format!("secret {}:{placement}@{}", rule.name(), request.url()));
                let alone = crate::policy(&[&rule.to_string()], &[]).permits(&asked);
                prop_assert!(!alone || found.iter().any(|op| caplet_policy::AnyOp::from(op.clone()) == asked), "{}", asked);
            }
        }
        for op in found {
            prop_assert_eq!(op.url(), request.url());
            if guard.check(op).is_ok() && url.starts_with("http:") {
                let host = request.host().to_string();
                prop_assert!(host.ends_with("localhost") || host == "127.0.0.1" || host == "[::1]", "{}", url);
            }
        }
    }
}
