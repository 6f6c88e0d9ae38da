//! Proofs: examples that a reader would ask about, and bombs.

use caplet_policy::proof::{Budget, Obstacle, dead_rules, effective, is_empty, is_subset, widenings, widenings_within};
use caplet_policy::{Class, Layer, LayerKind, Policy};

use crate::{layer, policy};

fn manifest(allow: &[&str], deny: &[&str]) -> Layer {
    layer(LayerKind::Manifest, allow, deny)
}

/// The witnesses of what `new` permits beyond `old`.
fn witnesses(old: &[&str], new: &[&str]) -> Vec<String> {
    let found = widenings(&manifest(old, &[]), &manifest(new, &[])).unwrap_or_else(|error| panic!("{error}"));
    found.into_iter().map(|widening| format!("{} by {}", widening.witness, widening.rule)).collect()
}

#[test]
fn widenings_come_with_an_op_that_a_person_can_read() {
    for (old, new, expected) in [
        (vec!["read:/w/*"], vec!["read:/w/**"], vec!["read /w by read:/w/**"]),
        (vec!["read:/w/**"], vec!["write:/w/**"], vec!["write /w by write:/w/**"]),
        (vec!["read:/w/{a,b}"], vec!["read:/w/[a-c]"], vec!["read /w/c by read:/w/[a-c]"]),
        (vec![], vec!["read:/w/?"], vec!["read /w/a by read:/w/?"]),
        (
            vec!["fetch:https://x.org/a/**"],
            vec!["fetch:https://*.x.org/a/**"],
            vec!["GET https://a.x.org/a by fetch:https://*.x.org/a/**"],
        ),
        (
            vec!["fetch:https://x.org"],
            vec!["fetch:ANY https://x.org"],
            vec!["POST https://x.org/ by fetch:ANY https://x.org/**"],
        ),
        (vec!["fetch:https://x.org"], vec!["fetch:http://x.org"], vec!["GET http://x.org/ by fetch:http://x.org/**"]),
        (
            vec!["fetch:https://x.org"],
            vec!["fetch:https://x.org:8443"],
            vec!["GET https://x.org:8443/ by fetch:https://x.org:8443/**"],
        ),
        (
            vec!["fetch:https://x.org"],
            vec!["fetch:https://x.org:*"],
            vec!["GET https://x.org:1/ by fetch:https://x.org:*/**"],
        ),
        (
            vec!["fetch:https://x.org:1"],
            vec!["fetch:https://x.org:*"],
            vec!["GET https://x.org/ by fetch:https://x.org:*/**"],
        ),
        (
            vec!["fetch:http://*"],
            vec!["fetch:http://127.0.0.1"],
            vec!["GET http://127.0.0.1/ by fetch:http://127.0.0.1/**"],
        ),
        (
            vec!["fetch:http://10.0.0.0/9"],
            vec!["fetch:http://10.0.0.0/8"],
            vec!["GET http://10.128.0.0/ by fetch:http://10.0.0.0/8/**"],
        ),
        (vec!["kv:b:ro"], vec!["kv:b"], vec!["kv-write b/a by kv:b"]),
        (vec!["env:A=1"], vec!["env:A=1", "env:B"], vec!["env B by env:B"]),
        (vec!["env:A=1"], vec!["env:A"], vec!["env A= by env:A"]),
        (vec!["config:k=1"], vec!["config:k=2"], vec!["config k=2 by config:k=2"]),
        (vec![], vec!["clock:1us"], vec!["clock 1us by clock:1us"]),
        (vec!["random:7"], vec!["random"], vec!["random by random"]),
        (
            vec!["secret:k@https://x.org/a"],
            vec!["secret:k@https://x.org/b"],
            vec!["secret k:bearer@https://x.org/b by secret:k@https://x.org/b"],
        ),
        (
            vec!["secret:k:bearer@https://x.org/a"],
            vec!["secret:k@https://x.org/a"],
            vec!["secret k:basic@https://x.org/a by secret:k@https://x.org/a"],
        ),
        (
            vec!["secret:k:bearer@https://x.org/a", "secret:k:basic@https://x.org/a"],
            vec!["secret:k@https://x.org/a"],
            vec!["secret k:header:x-api-key@https://x.org/a by secret:k@https://x.org/a"],
        ),
        (
            vec!["secret:k@http://localhost"],
            vec!["secret:k@http://127.0.0.0/8"],
            vec!["secret k:bearer@http://127.0.0.0/ by secret:k@http://127.0.0.0/8/**"],
        ),
        (vec!["call:a"], vec!["call:a", "call:b"], vec!["call b by call:b"]),
        (vec!["call:a"], vec!["call:{a,b}"], vec!["call b by call:{a,b}"]),
        (vec!["call:a.f"], vec!["call:a"], vec!["call a by call:a"]),
    ] {
        assert_eq!(witnesses(&old, &new), expected);
    }
}

#[test]
fn what_only_looks_different_is_no_widening() {
    for (old, new) in [
        (vec!["read:/w/**"], vec!["read:/w", "read:/w/*", "read:/w/*/**"]),
        (vec!["read:/w/[abc]"], vec!["read:/w/a", "read:/w/{b,c}"]),
        (vec!["fetch:https://x.org"], vec!["fetch:GET https://x.org:443/a/**", "fetch:HEAD https://X.ORG./"]),
        (vec!["fetch:https://bücher.example"], vec!["fetch:https://xn--bcher-kva.example/a"]),
        (vec!["fetch:http://10.0.0.0/8"], vec!["fetch:http://10.1.0.0/16", "fetch:http://[::ffff:10.2.0.0/112]"]),
        (vec!["fetch:https://x.org:*"], vec!["fetch:https://x.org", "fetch:https://x.org:65535/a"]),
        (vec!["fetch:ANY https://*"], vec!["fetch:POST https://a.b", "fetch:https://8.8.8.8"]),
        (vec!["secret:k@https://x.org"], vec!["secret:k:header:X-Key@https://x.org", "secret:k:query:a@https://x.org"]),
        // Over plain http a secret goes nowhere but to this machine, whatever a rule says.
        (vec![], vec!["secret:k@http://x.org", "secret:k@http://10.0.0.0/8", "secret:k@http://*"]),
        (vec!["clock:1us"], vec!["clock:1ms", "clock:frozen"]),
        (vec![], vec!["clock:1s"]),
        (vec!["random"], vec!["random:1"]),
        (vec!["env:A"], vec!["env:A=x"]),
        (vec!["call:*"], vec!["call:a", "call:b-*.f", "call:{c,d}"]),
        (vec!["call:a"], vec!["call:a.f", "call:[a]"]),
    ] {
        assert_eq!(witnesses(&old, &new), Vec::<String>::new(), "{new:?} against {old:?}");
    }
}

#[test]
fn a_deny_rule_that_goes_is_a_widening() {
    let old = manifest(&["write:/w/**", "fetch:ANY https://*"], &["read:/w/keys/**", "fetch:https://evil.org"]);
    let new = manifest(&["write:/w/**", "fetch:ANY https://*"], &[]);
    let found = widenings(&old, &new).expect("a proof");
    let shown: Vec<String> = found.iter().map(|widening| widening.witness.to_string()).collect();
    assert_eq!(shown, ["write /w/keys", "GET https://evil.org/"]);
    assert!(widenings(&new, &old).expect("a proof").is_empty());
}

#[test]
fn subsets_of_whole_policies() {
    let wide = policy(&["read:/w/**"], &[]);
    let narrow = wide.attenuate(layer(LayerKind::Call, &["read:/**"], &["read:/w/x"]));
    assert_eq!(is_subset(&narrow, &wide), Ok(true));
    assert_eq!(is_subset(&wide, &narrow), Ok(false));
    assert_eq!(is_subset(&wide, &Policy::new(Layer::open(LayerKind::Manifest))), Ok(true));
}

#[test]
fn the_intersection_is_shown_as_rules() {
    let ceiling =
        Policy::new(manifest(&["write:/w/**", "read:/**/*.md", "fetch:ANY https://*.x.org"], &["read:/w/keys/**"]));
    let both = ceiling.attenuate(layer(
        LayerKind::Operator,
        &["read:/w/docs/**", "read:/home/**", "fetch:https://api.x.org/v1/**", "fetch:https://other.org", "env:A"],
        &["read:/etc/**"],
    ));
    let shown: Vec<String> = effective(&both).expect("a proof").iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "wasi:filesystem: read:/**/*.md ∩ read:/home/**, read:/w/docs/**",
            "wasi:http: fetch:https://api.x.org/v1/**",
            "wasi:keyvalue: nothing",
            "wasi:cli/environment: nothing",
            "wasi:config: nothing",
            "wasi:clocks: clock:1ms",
            "wasi:random: random",
            "caplet:secrets: nothing",
            "caplet:tools: nothing",
        ]
    );
    let dead: Vec<String> =
        dead_rules(&both).expect("a proof").iter().map(|dead| format!("{} {}", dead.layer, dead.rule)).collect();
    assert_eq!(dead, ["operator fetch:https://other.org/**", "operator env:A"]);
    assert_eq!(is_empty(&both, Class::Environment), Ok(true));
    assert_eq!(is_empty(&both, Class::Filesystem), Ok(false));
    let open = Policy::new(Layer::open(LayerKind::Manifest))
        .attenuate(layer(LayerKind::Host, &[], &[]).with_kind(LayerKind::Host));
    assert_eq!(is_empty(&open, Class::Http), Ok(true));
}

/// A proof that does not fit says so, and never that there is nothing to find.
#[test]
fn a_proof_that_does_not_fit_is_given_up() {
    let old = manifest(&["read:/w/**/a?????"], &[]);
    let new = manifest(&["read:/w/**/b?????", "read:/w/**/*c*/**"], &[]);
    for (budget, obstacle) in [
        (with(|budget| budget.states = 10), Obstacle::States),
        (with(|budget| budget.steps = 100), Obstacle::Steps),
        (with(|budget| budget.bytes = 1000), Obstacle::Memory),
    ] {
        let gave_up =
            widenings_within(std::slice::from_ref(&old), std::slice::from_ref(&new), &budget).expect_err("given up");
        assert_eq!((gave_up.class, gave_up.obstacle), (Class::Filesystem, obstacle));
        assert!(gave_up.to_string().contains("gave up"), "{gave_up}");
    }
}

fn with(change: impl Fn(&mut Budget)) -> Budget {
    let mut budget = Budget::default();
    change(&mut budget);
    budget
}

/// Patterns made to explode in a proof end in bounded time, in an answer or in giving up.
#[test]
fn bombs_end() {
    let started = std::time::Instant::now();
    let many: Vec<String> = (0..60).map(|number| format!("read:/**/*{number:02}*/x")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long: Vec<String> = (0..300)
        .map(|number| format!("fetch:https://h{number}.org/{}/**", "a/".repeat(50).trim_end_matches('/')))
        .collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    for (old, new) in [(&many[..30], &many[..]), (&long[..150], &long[..]), (&[][..], &["read:/*a*b*c*d*e*f*"][..])] {
        if let Ok(found) = widenings(&manifest(old, &[]), &manifest(new, &[])) {
            assert!(!found.is_empty());
        }
    }
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}
