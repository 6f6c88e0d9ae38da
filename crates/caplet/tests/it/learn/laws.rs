//! What holds of every proposal.

use caplet::authority::proof::{Budget, widenings_within};
use caplet::authority::{GuestPath, Layer, LayerKind, Policy, Rule};
use caplet::learn::{Bounds, Evidence, Style, propose};
use proptest::prelude::*;
use proptest::sample::select;

use super::{decisions, layer, op, texts};

const NAMES: &[&str] = &["a", "b", "c", "x.rs", "y.rs", "z.rs", "d*", ".e", "id_rsa"];
const ORIGINS: &[&str] = &["https://x.org", "https://y.org:8443", "http://localhost:8080", "http://10.1.2.3"];
const CEILINGS: &[&[&str]] = &[
    &[
        "write:/**",
        "fetch:ANY https://*:*",
        "fetch:ANY http://localhost:*",
        "fetch:ANY http://10.0.0.0/8",
        "kv:b",
        "call:*",
    ],
    &["write:/w/**", "fetch:GET https://x.org/**", "kv:b/a:ro"],
    &["read:/w/a/**", "write:/w/b/*.rs", "read:/w/{a,b,c}", "fetch:GET,POST https://*:*/a/**", "call:t.f"],
    &["read:/w/**/*.rs", "fetch:http://10.1.2.3/**"],
];
const DENIED: &[&[&str]] = &[&[], &[], &["read:/w/b/**"], &["write:/w/a/*"], &["fetch:https://x.org/b/**"]];

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(select(NAMES), 0..4).prop_map(|names| {
        let names: Vec<&str> = std::iter::once("w").chain(names).collect();
        format!("/{}", names.join("/"))
    })
}

fn op_text() -> impl Strategy<Value = String> {
    let url = (select(ORIGINS), proptest::collection::vec(select(&["a", "b", "c", ""][..]), 0..4))
        .prop_map(|(origin, names)| format!("{origin}/{}", names.join("/")));
    prop_oneof![
        8 => (select(&["read", "read", "read", "search", "write", "write-tree"][..]), path())
            .prop_map(|(verb, path)| format!("{verb} {path}")),
        5 => (select(&["GET", "GET", "POST"][..]), url).prop_map(|(method, url)| format!("{method} {url}")),
        1 => select(&["kv-read b", "kv-read b/a", "kv-write b/a", "kv-read b/c", "call t", "call t.f", "call u.f", "random"][..])
            .prop_map(str::to_owned),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    (select(CEILINGS), select(CEILINGS), select(DENIED)).prop_map(|(ceiling, operator, denied)| {
        Policy::new(layer(LayerKind::Manifest, ceiling, &[])).attenuate(layer(LayerKind::Operator, operator, denied))
    })
}

/// A policy, and ops that it permits: many in few places.
fn world() -> impl Strategy<Value = (Policy, Vec<String>, Style)> {
    let style = select(&[Style::Patterns, Style::Patterns, Style::Exact][..]);
    (policy(), proptest::collection::vec(op_text(), 0..24), style).prop_map(|(policy, ops, style)| {
        let permitted = ops.into_iter().filter(|text| policy.permits(&op(text))).collect();
        (policy, permitted, style)
    })
}

fn bounds(policy: &Policy) -> Bounds {
    Bounds::new(policy.clone(), vec![GuestPath::parse("/w").unwrap()])
}

fn learn(policy: &Policy, calls: &[&[String]], style: Style) -> caplet::learn::Proposal {
    let mut evidence = Evidence::new();
    calls.iter().for_each(|ops| evidence.add(&decisions(ops.iter().map(String::as_str))));
    propose(&evidence, &bounds(policy), style)
}

fn alone(rule: &Rule) -> Layer {
    let mut layer = Layer::new(LayerKind::Operator);
    layer.add_allow(rule.clone());
    layer
}

proptest! {
    // Few, because each case makes several proofs; raise it after a change of what is proposed.
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// It permits what was done, and nothing that its bounds do not.
    #[test]
    fn it_is_enough_and_never_too_much((policy, ops, style) in world(), others in proptest::collection::vec(op_text(), 24)) {
        let proposal = learn(&policy, &[&ops], style);
        let proposed = Policy::new(proposal.layer());
        for text in ops.iter().filter(|text| !proposal.unwritable.contains(text)) {
            prop_assert!(proposed.permits(&op(text)), "{text} is not in {proposal:?}");
        }
        // What one may look into follows from what one may find there, and layers can agree on the one without the other.
        prop_assert!(proposal.unwritable.iter().all(|text| text.starts_with("search ")), "{proposal:?}");
        for text in others {
            prop_assert!(!proposed.permits(&op(&text)) || policy.permits(&op(&text)), "{text} is beyond: {proposal:?}");
        }
        let classes: Vec<_> = proposal.rules().map(|proposed| proposed.rule.class()).collect();
        let beyond = widenings_within(policy.layers(), proposed.layers(), &Budget::default()).unwrap();
        let beyond: Vec<_> = beyond.into_iter().filter(|more| classes.contains(&more.class)).collect();
        prop_assert!(beyond.is_empty(), "{beyond:?}");
    }

    /// No host, port, method, file to write or directory is opened that was not seen.
    #[test]
    fn it_denies_what_was_not_seen((policy, ops, style) in world(), others in proptest::collection::vec(op_text(), 24)) {
        let proposed = Policy::new(learn(&policy, &[&ops], style).layer());
        // The verb, and the origin or the first two names of the path.
        let place = |text: &str| text.split('/').take(3).collect::<Vec<_>>().join("/");
        for text in others.iter().filter(|text| text.contains("://")) {
            let is_seen = ops.iter().any(|seen| place(seen) == place(text));
            prop_assert!(is_seen || !proposed.permits(&op(text)), "{text}");
        }
        let writes = ops.iter().any(|seen| seen.starts_with("write"));
        for text in others.iter().filter(|text| text.starts_with("write")) {
            prop_assert!(writes || !proposed.permits(&op(text)), "{text}");
        }
        for text in ["read /x", "write /x/w/a", "search /x", "GET https://z.org/a", "DELETE https://x.org/a", "call other"] {
            prop_assert!(!proposed.permits(&op(text)), "{text}");
        }
    }

    /// The order of calls and how often they ask change nothing.
    #[test]
    fn it_is_stable((policy, ops, style) in world(), cut in any::<prop::sample::Index>()) {
        let once = learn(&policy, &[&ops], style);
        let mut turned = ops.clone();
        turned.reverse();
        let by = cut.index(turned.len().max(1));
        turned.rotate_left(by);
        let (first, second) = turned.split_at(turned.len() / 2);
        let again = learn(&policy, &[second, first, &ops], style);
        prop_assert_eq!(texts(&once), texts(&again));
        prop_assert_eq!(&once.deny, &again.deny);
    }

    /// No rule is implied by another, and a rule is either literal or rests on three different things.
    #[test]
    fn it_is_minimal((policy, ops, style) in world()) {
        let proposal = learn(&policy, &[&ops], style);
        let rules: Vec<&Rule> = proposal.rules().map(|proposed| &proposed.rule).collect();
        for (number, rule) in rules.iter().enumerate() {
            for (_, other) in rules.iter().enumerate().filter(|(other, _)| *other != number) {
                let more = widenings_within(&[alone(other)], &[alone(rule)], &Budget::default()).unwrap();
                let is_more = more.iter().any(|more| more.class == rule.class());
                prop_assert!(rule.class() != other.class() || is_more, "{rule} is part of {other}");
            }
        }
        for proposed in proposal.rules() {
            let text = proposed.rule.to_string().replace("\\*", "");
            let is_granted = proposed.because.contains("as it was granted");
            let is_moved = proposed.because.contains("moved");
            let is_pattern = text.contains('*') && !is_granted && !is_moved;
            prop_assert!(!is_pattern || (style == Style::Patterns && proposed.rests_on.len() >= 3), "{proposed:?}");
            prop_assert!(!proposed.rests_on.is_empty(), "{proposed:?}");
        }
    }

    /// No pattern covers what should be looked at.
    #[test]
    fn no_pattern_covers_hidden_names_or_private_addresses((policy, ops, style) in world(), asked in path(), at in any::<prop::sample::Index>()) {
        let proposal = learn(&policy, &[&ops], style);
        let mut quiet = Layer::new(LayerKind::Operator);
        proposal.allow.iter().for_each(|proposed| quiet.add_allow(proposed.rule.clone()));
        proposal.deny.iter().for_each(|rule| quiet.add_deny(rule.clone()));
        let quiet = Policy::new(quiet);
        // Somewhere on the way there is such a name.
        let mut names: Vec<&str> = asked.split('/').skip(2).collect();
        names.insert(at.index(names.len() + 1), [".env", "id_rsa", "a.pem"][at.index(3)]);
        let hidden = format!("/w/{}", names.join("/"));
        for verb in ["read", "write"] {
            prop_assert!(!quiet.permits(&op(&format!("{verb} {hidden}"))), "{verb} {hidden}: {proposal:?}");
        }
        let is_private = |text: &str| text.contains("localhost") || text.contains("10.1.2.3");
        for text in ops.iter().filter(|text| is_private(text)) {
            prop_assert!(!quiet.permits(&op(text)), "{text}");
        }
    }
}
