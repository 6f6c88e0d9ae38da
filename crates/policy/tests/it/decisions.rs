//! What rules permit, class by class, as tables.

use caplet_policy::{
    AnyOp, Class, ClockSetting, ConfigOp, ConfigRule, ConfigSection, EnvironmentOp, EnvironmentRule,
    EnvironmentSection, GuestPath, Journal, Layer, LayerKind, Policy, RandomSetting, Rule,
};
use std::sync::Arc;
use std::time::Duration;

use crate::{check, layer, op, policy, rule};

#[test]
fn paths() {
    check(
        &policy(&["read:/data/**", "read:/one/*", "write:/out/**", "read:/lit/[*]"], &[]),
        &[
            ("read /data", true),
            ("read /data/a/b", true),
            ("read /data/.hidden", true),
            ("read /data/*", true),
            ("read /data/a\nb", true),
            ("read /data2", false),
            ("read /data2/a", false),
            ("write /data/a", false),
            ("read /one/a", true),
            ("read /one/a/b", false),
            ("read /one", false),
            ("write /out", true),
            ("read /out/x", true),
            ("write /OUT/x", false),
            ("read /lit/*", true),
            ("read /lit/a", false),
            ("read /", false),
        ],
    );
}

#[test]
fn denied_paths_win() {
    check(
        &policy(&["write:/w/**"], &["read:/w/.env", "write:/w/ro/**", "read:/w/keys/**"]),
        &[
            ("write /w/a", true),
            ("read /w/.env", false),
            ("write /w/.env", false),
            ("write /w/.env2", true),
            ("read /w/ro/a", true),
            ("write /w/ro/a", false),
            ("read /w/keys/a/b", false),
            ("search /w/keys", false),
            ("search /w/ro", true),
            ("write-tree /w/ro", false),
            ("write-tree /w", false),
            ("write-tree /w/other", true),
        ],
    );
}

#[test]
fn requests() {
    check(
        &policy(
            &["fetch:https://api.x.org/v1/**", "fetch:POST,PUT https://up.x.org", "fetch:ANY http://h.org:8080/a"],
            &[],
        ),
        &[
            ("GET https://api.x.org/v1", true),
            ("HEAD https://api.x.org/v1/a/b?q=1", true),
            ("POST https://api.x.org/v1/a", false),
            ("GET http://api.x.org/v1/a", false),
            ("GET https://api.x.org:443/v1/a", true),
            ("GET https://api.x.org:8443/v1/a", false),
            ("GET https://API.X.ORG./v1/a", true),
            ("GET https://x.org/v1/a", false),
            ("GET https://a.api.x.org/v1/a", false),
            ("GET https://api.x.org/v2", false),
            ("GET https://api.x.org/v1/../v2", false),
            ("GET https://api.x.org/v1/%2e%2e/v2", false),
            ("GET https://api.x.org/%76%31/a", true),
            ("POST https://up.x.org/any/thing", true),
            ("GET https://up.x.org/", false),
            ("DELETE http://h.org:8080/a", true),
            ("TRACE http://h.org:8080/a", false),
            ("CONNECT http://h.org:8080/a", false),
            ("delete http://h.org:8080/a", true),
        ],
    );
}

#[test]
fn every_port() {
    check(
        &policy(&["fetch:http://localhost:*/**", "fetch:https://x.org:*/a"], &["fetch:https://x.org:22/**"]),
        &[
            ("GET http://localhost/", true),
            ("GET http://localhost:1/", true),
            ("GET http://localhost:8080/a", true),
            ("GET http://localhost:65535/a", true),
            ("GET https://localhost:8080/a", false),
            ("GET http://127.0.0.1:8080/a", false),
            ("GET https://x.org/a", true),
            ("GET https://x.org:8443/a", true),
            ("GET https://x.org:8443/b", false),
            ("GET https://x.org:22/a", false),
            ("GET https://y.org:8443/a", false),
        ],
    );
    check(
        &policy(&["fetch:https://*:443", "fetch:https://*:8443"], &["fetch:https://x.org:*"]),
        &[("GET https://x.org/", false), ("GET https://x.org:8443/", false), ("GET https://y.org:8443/", true)],
    );
    check(
        &policy(&["fetch:https://*:*"], &[]),
        &[("GET https://10.0.0.1:81/", false), ("GET https://8.8.8.8:81/", true)],
    );
}

#[test]
fn a_denied_request_is_denied_with_every_method_and_spelling() {
    check(
        &policy(
            &["fetch:ANY https://*"],
            &["fetch:https://x.org/admin/**", "fetch:DELETE https://y.org", "fetch:https://10.0.0.0/8"],
        ),
        &[
            ("POST https://x.org/admin/a", false),
            ("GET https://x.org/%61dmin", false),
            ("GET https://x.org/adm%69n/x", false),
            ("GET https://x.org/other", true),
            ("DELETE https://y.org/a", false),
            ("GET https://y.org/a", true),
        ],
    );
}

#[test]
fn even_without_bounds_connect_is_never_permitted() {
    let open = Policy::new(Layer::open(LayerKind::Manifest));
    check(&open, &[("CONNECT https://x.org/", false), ("TRACE https://x.org/", true), ("GET http://127.0.0.1/", true)]);
}

#[test]
fn keys() {
    check(
        &policy(&["kv:notes", "kv:cache/user/*:ro"], &["kv:notes/private/**"]),
        &[
            ("kv-read notes", true),
            ("kv-write notes/a", true),
            ("kv-read notes/a/b", true),
            ("kv-read notes/private", false),
            ("kv-write notes/private/x", false),
            ("kv-read cache", true),
            ("kv-read cache/user/1", true),
            ("kv-write cache/user/1", false),
            ("kv-read cache/user/1/2", false),
            ("kv-read other", false),
            ("kv-read notes2/a", false),
        ],
    );
}

#[test]
fn names_are_exact() {
    check(
        &policy(&["env:LANG", "config:level=3", "call:web-fetch", "secret:key@https://api.x.org/v1/**"], &["env:PATH"]),
        &[
            ("env LANG", true),
            ("env LANG2", false),
            ("env lang", false),
            ("env PATH", false),
            ("config level", true),
            ("config levels", false),
            ("call web-fetch", true),
            ("call web", false),
            ("secret key@https://api.x.org/v1/a", true),
            ("secret key@http://api.x.org/v1/a", false),
            ("secret key@https://api.x.org:8443/v1/a", false),
            ("secret key@https://evil.org/v1/a", false),
            ("secret other@https://api.x.org/v1/a", false),
        ],
    );
}

#[test]
fn tools_and_their_functions() {
    check(
        &policy(
            &["call:file-*", "call:memory", "call:db.query", "call:*.ping"],
            &["call:file-write", "call:memory.forget"],
        ),
        &[
            ("call file-read", true),
            ("call file-read.read", true),
            ("call file-write", false),
            ("call file-write.write", false),
            ("call file", false),
            ("call memory.get", true),
            ("call memory.forget", false),
            // Which function that is, nobody said.
            ("call memory", false),
            ("call db.query", true),
            ("call db.query.x", false),
            ("call db", false),
            ("call db.drop", false),
            ("call other.ping", true),
            ("call memory.ping", true),
            ("call file-write.ping", false),
        ],
    );
    let everything = policy(&["call:*"], &[]);
    check(&everything, &[("call a", true), ("call \u{202e}*", true), ("call a.b.c/d", true)]);
    for name in ["", ".f", "a.", "a/b", "a\0", &"x".repeat(1025), &format!("a.{}", "x".repeat(1025))] {
        assert!(format!("call {name}").parse::<AnyOp>().is_err(), "{name:?}");
    }
}

#[test]
fn a_call_that_is_denied_says_what_would_permit_it() {
    let none = policy(&[], &[]);
    for (op, hint) in [
        ("call web-fetch", "--allow 'call:web-fetch'"),
        ("call memory.get", "--allow 'call:memory.get'"),
        ("call *", "--allow 'call:\\*'"),
        ("call a.*", "no rule can permit it"),
    ] {
        let explained = none.explain(&op.parse().expect("an op"));
        let hint_given = explained.hint.unwrap_or_default();
        assert!(hint_given.starts_with(hint), "{op}: {hint_given}");
    }
}

fn stack(layers: &[Layer]) -> Policy {
    let mut layers = layers.iter().cloned();
    let first = layers.next().expect("a layer");
    layers.fold(Policy::new(first), |policy, layer| policy.attenuate(layer))
}

#[test]
fn values_come_from_the_layer_that_fixes_them() {
    let manifest = layer(
        LayerKind::Manifest,
        &["env:MODE=fast", "env:LANG", "env:HOME", "config:a", "config:b=1", "config:c=1"],
        &[],
    );
    let operator = layer(LayerKind::Operator, &["env:MODE", "env:LANG=C", "env:PATH", "config:a=x", "config:b=2"], &[]);
    let policy = stack(&[manifest, operator]);
    let fixed = |value: &str| Some(value.to_owned());
    assert_eq!(policy.environment(), [("MODE".to_owned(), fixed("fast")), ("LANG".to_owned(), fixed("C"))]);
    assert_eq!(policy.config(), [("a".to_owned(), "x".to_owned())]);
    check(
        &policy,
        &[("env MODE", true), ("env HOME", false), ("env MODE=slow", false), ("config a", true), ("config b", false)],
    );
    let explanation = policy.explain(&op("config b"));
    assert_eq!(explanation.op.to_string(), "config b=1");
}

#[test]
fn a_hidden_value_decides_and_is_never_shown() {
    let mut operator = layer(LayerKind::Operator, &["env:PLAIN=shown"], &[]);
    operator.add_allow(EnvironmentRule::hidden("TOKEN", "hunter2").unwrap().into());
    operator.add_allow(ConfigRule::hidden("motd", "hunter2").unwrap().into());
    let policy = stack(&[Layer::open(LayerKind::Manifest), operator]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment: Vec<_> = policy.environment().into_iter().map(|(name, value)| (name, value.unwrap())).collect();
    assert_eq!(environment, [pair("PLAIN", "shown"), pair("TOKEN", "hunter2")]);
    assert_eq!(policy.config(), [pair("motd", "hunter2")]);
    check(
        &policy,
        &[("env TOKEN", true), ("env TOKEN=hunter2", true), ("env TOKEN=other", false), ("config motd", true)],
    );
    for asked in ["env TOKEN", "config motd"] {
        let explanation = policy.explain(&op(asked));
        assert_eq!(explanation.op.to_string(), format!("{asked}=…"));
        assert!(!format!("{explanation} {explanation:?}").contains("hunter2"), "{explanation:?}");
    }
    // A ceiling that wants another value refuses, and does not say what was granted.
    let ceiling = layer(LayerKind::Manifest, &["env:TOKEN=its-own", "config:motd"], &[]);
    let policy = stack(&[ceiling, policy.layers()[1].clone()]);
    assert!(policy.environment().is_empty());
    let journal = Arc::new(Journal::new());
    let config = policy.guard::<ConfigSection>(&journal);
    config.check(ConfigOp::new("motd").unwrap()).unwrap();
    let environment = policy.guard::<EnvironmentSection>(&journal);
    environment.check(EnvironmentOp::new("TOKEN").unwrap()).unwrap_err();
    let summary = format!("{:?} {policy:?} {journal:?}", journal.summary());
    assert!(summary.contains("motd") && summary.contains("TOKEN") && !summary.contains("hunter2"), "{summary}");
}

#[test]
fn clocks() {
    let of = |texts: &[&str], deny: &[&str]| policy(texts, deny).clock();
    let step = |nanos| ClockSetting::Resolution(Duration::from_nanos(nanos));
    assert_eq!(of(&[], &[]), step(1_000_000));
    assert_eq!(of(&["clock:10us"], &[]), step(10_000));
    assert_eq!(of(&["clock:1s"], &[]), step(1_000_000_000));
    assert_eq!(of(&["clock:frozen"], &[]), ClockSetting::Frozen);
    assert_eq!(of(&["clock:1us"], &["clock:1us"]), step(1_001));
    assert_eq!(of(&[], &["clock:1ms"]), step(1_000_001));
    assert_eq!(of(&[], &["clock:frozen"]), ClockSetting::Frozen);
    let fine = layer(LayerKind::Manifest, &["clock:1us"], &[]);
    let still = layer(LayerKind::Operator, &["clock:frozen"], &[]);
    assert_eq!(stack(&[fine.clone(), Layer::new(LayerKind::Operator)]).clock(), step(1_000_000));
    assert_eq!(stack(&[fine.clone(), still]).clock(), ClockSetting::Frozen);
    assert_eq!(stack(&[fine, Layer::open(LayerKind::Operator)]).clock(), step(1_000));
    assert_eq!(Policy::new(Layer::open(LayerKind::Manifest)).clock(), step(1_000_000));
}

#[test]
fn randomness() {
    let of = |texts: &[&str], deny: &[&str]| policy(texts, deny).random();
    assert_eq!(of(&[], &[]), RandomSetting::Real);
    assert_eq!(of(&["random"], &[]), RandomSetting::Real);
    assert_eq!(of(&["random:7"], &[]), RandomSetting::Seeded(7));
    assert_eq!(of(&[], &["random"]), RandomSetting::Seeded(0));
    let seven = layer(LayerKind::Manifest, &["random:7"], &[]);
    let eight = layer(LayerKind::Operator, &["random:8"], &[]);
    assert_eq!(stack(&[seven.clone(), eight]).random(), RandomSetting::Seeded(0));
    assert_eq!(stack(&[seven, layer(LayerKind::Operator, &["random"], &[])]).random(), RandomSetting::Seeded(7));
}

#[test]
fn a_class_needs_a_rule_in_every_layer() {
    let manifest = layer(LayerKind::Manifest, &["read:/a", "env:A"], &[]);
    let operator = layer(LayerKind::Operator, &["read:/b"], &[]);
    let policy = stack(&[manifest, operator]);
    assert!(policy.grants_class(Class::Filesystem));
    assert!(!policy.grants_class(Class::Environment));
    assert!(policy.grants_class(Class::Clocks));
    assert!(!Policy::nothing().grants_class(Class::Http));
}

#[test]
fn an_open_layer_can_be_restricted() {
    let mut open = Layer::open(LayerKind::Call);
    open.restrict(Class::Filesystem);
    open.add_allow(rule("read:/a"));
    check(&Policy::new(open), &[("read /a", true), ("read /b", false), ("GET https://x.org/", true)]);
}

#[test]
fn explanations_name_layer_rule_and_remedy() {
    let manifest = layer(LayerKind::Manifest, &["write:/w/**"], &["read:/w/secret"]);
    let operator = layer(LayerKind::Operator, &["read:/w/docs/**"], &["read:/w/docs/x"]);
    let policy = stack(&[manifest, operator]);
    let hint = |text: &str| policy.explain(&op(text)).hint.unwrap_or_default();
    assert_eq!(hint("read /w/a'b[1]"), r"--allow 'read:/w/a'\''b\[1\]'");
    assert_eq!(hint("write /w/docs/a"), "--allow 'write:/w/docs/a'");
    assert_eq!(hint("search /w/src"), "--allow 'read:/w/src/**'");
    assert_eq!(hint("read /w/docs/x"), "it is refused by --deny 'read:/w/docs/x'");
    assert!(hint("write /etc/passwd").contains("ceiling"));
    assert!(hint("read /w/secret").contains("'read:/w/secret'"));
    let shown = policy.explain(&op("write /w/docs/a")).to_string();
    assert_eq!(
        shown,
        "write /w/docs/a: denied\n  manifest permits: write:/w/**\n  operator denies: no matching rule\n  --allow 'write:/w/docs/a'\n"
    );
}

#[test]
fn a_path_that_the_host_carves_out_is_denied_whatever_it_is_called() {
    let log = GuestPath::parse("/state/a\u{202e}b[*]").expect("a path");
    let mut host = Layer::open(LayerKind::Host);
    let carved = caplet_policy::FilesystemRule::below(&log, caplet_policy::Mode::ReadOnly);
    assert_eq!(Rule::from(carved.clone()).to_string(), r"read:/state/a\u{202e}b\[\*\]/**");
    host.add_deny(carved.into());
    let policy = policy(&["write:/**"], &[]).attenuate(host);
    check(
        &policy,
        &[("read /state/a\u{202e}b[*]/log", false), ("write /state/a\u{202e}b[*]", false), ("read /state/ab", true)],
    );
}
