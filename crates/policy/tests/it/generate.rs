//! Rules and ops over small alphabets, so that they meet often.

use caplet_policy::{AnyOp, Layer, LayerKind, Policy, Rule};
use proptest::prelude::*;

fn pick(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(choices).prop_map(str::to_owned)
}

/// A piece of a path glob between two slashes.
fn segment() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => pick(&["a", "b", "ab", "."]),
        2 => pick(&["*", "?"]),
        1 => pick(&["[ab]", "[!a]", "{a,bb}", "{,a}b", "\\*"]),
    ];
    let pieces = proptest::collection::vec(piece, 1..3).prop_map(|pieces| pieces.concat());
    // Segments that fold, or that read as `**`, are for the tests of the parser.
    pieces.prop_filter("a segment", |text| !text.contains("**") && !matches!(text.as_str(), "." | ".."))
}

/// A glob over absolute paths.
pub(crate) fn path_glob() -> impl Strategy<Value = String> {
    let segment = prop_oneof![4 => segment().boxed(), 1 => Just("**".to_owned()).boxed()];
    proptest::collection::vec(segment, 1..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

/// A name that may occur in a path.
fn name() -> impl Strategy<Value = String> {
    pick(&["a", "b", "ab", "ba", "bb", "*", ".a", "a.b", "é", "A"])
}

/// An absolute path.
pub(crate) fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(name(), 0..4).prop_map(|names| format!("/{}", names.join("/")))
}

fn scheme() -> impl Strategy<Value = String> {
    pick(&["http", "https"])
}

fn host_pattern() -> impl Strategy<Value = String> {
    pick(&[
        "*",
        "a.b",
        "*.b",
        "*.a.b",
        "localhost",
        "8.8.8.8",
        "8.8.0.0/16",
        "127.0.0.1",
        "127.0.0.0/8",
        "10.0.0.0/8",
        "[::1]",
        "[fd00::/8]",
        "[2606:4700::/32]",
        "0.0.0.0/0",
        "[::/0]",
        "[2002:a00::/24]",
    ])
}

fn host() -> impl Strategy<Value = String> {
    pick(&[
        "a.b",
        "x.b",
        "x.a.b",
        "b",
        "localhost",
        "x.localhost",
        "8.8.8.8",
        "8.8.4.4",
        "127.0.0.1",
        "127.1",
        "10.1.2.3",
        "[::1]",
        "[fd00::1]",
        "[2606:4700::1]",
        "[::ffff:127.0.0.1]",
        "[2002:a01:203::1]",
        "[64:ff9b::a01:203]",
        "169.254.169.254",
        "A.B.",
    ])
}

/// Addresses that a host may resolve to.
const ADDRESSES: &[&str] = &[
    "8.8.8.8",
    "8.8.4.4",
    "127.0.0.1",
    "10.1.2.3",
    "::1",
    "fd00::1",
    "2606:4700::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "2002:a01:203::1",
    "64:ff9b::a01:203",
    "169.254.169.254",
];

/// Where a secret goes, in rules and in ops.
const PLACEMENTS: &[&str] =
    &["", "", "", ":bearer", ":basic", ":header:X-Key", ":header:y", ":query:key", ":query:Key"];

fn port() -> impl Strategy<Value = String> {
    pick(&["", "", "", ":80", ":443", ":8080"])
}

fn url_pattern() -> impl Strategy<Value = String> {
    let path = prop_oneof![Just(String::new()).boxed(), path_glob().boxed(), Just("/".to_owned()).boxed()];
    let port = prop_oneof![5 => port().boxed(), 1 => Just(":*".to_owned()).boxed()];
    (scheme(), host_pattern(), port, path)
        .prop_map(|(scheme, host, port, path)| format!("{scheme}://{host}{port}{path}"))
}

pub(crate) fn url() -> impl Strategy<Value = String> {
    let path = pick(&["", "/", "/a", "/b", "/ab", "/a/b", "/a/", "/%61", "/a%2Fb", "/%2A", "/a?q=1", "/é", "//a"]);
    (scheme(), host(), port(), path).prop_map(|(scheme, host, port, path)| format!("{scheme}://{host}{port}{path}"))
}

/// The text of a rule of any class.
pub(crate) fn rule_text() -> impl Strategy<Value = String> {
    let methods = pick(&["", "", "GET ", "POST ", "GET,PUT ", "ANY ", "TRACE "]);
    prop_oneof![
        4 => (pick(&["read", "write"]), path_glob()).prop_map(|(verb, glob)| format!("{verb}:{glob}")),
        4 => (pick(&["", "", "", "5/s ", "10/s ", "60/m "]), methods, url_pattern())
            .prop_map(|(rate, methods, url)| format!("fetch:{rate}{methods}{url}")),
        2 => (pick(&["b", "c"]), pick(&["", "/**", "/a", "/a/*", "/*", "/{a,b}", "/a/**"]), pick(&["", ":ro"]))
            .prop_map(|(bucket, keys, mode)| format!("kv:{bucket}{keys}{mode}")),
        1 => (pick(&["A", "B"]), pick(&["", "=1", "=2"])).prop_map(|(name, value)| format!("env:{name}{value}")),
        1 => (pick(&["A", "B"]), pick(&["", "=1", "=2"])).prop_map(|(name, value)| format!("config:{name}{value}")),
        1 => pick(&["clock:1us", "clock:1ms", "clock:2ms", "clock:1s", "clock:frozen"]),
        1 => pick(&["random", "random:7", "random:8"]),
        2 => (pick(&["k", "l"]), pick(PLACEMENTS), url_pattern())
            .prop_map(|(name, placement, url)| format!("secret:{name}{placement}@{url}")),
        2 => (pick(&["a", "b", "a*", "*", "?", "[ab]", "{a,bc}"]), pick(&["", "", ".f", ".g", ".f.x"]))
            .prop_map(|(tool, function)| format!("call:{tool}{function}")),
    ]
}

/// The text of an op of any class.
pub(crate) fn op_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (pick(&["read", "write", "search", "write-tree"]), path()).prop_map(|(verb, path)| format!("{verb} {path}")),
        4 => (pick(&["GET", "HEAD", "POST", "PUT", "TRACE", "CONNECT", "get"]), url())
            .prop_map(|(method, url)| format!("{method} {url}")),
        2 => (pick(&["GET", "POST"]), url(), pick(ADDRESSES)).prop_map(|(method, url, at)| format!("{method} {url} at {at}")),
        2 => (pick(&["kv-read", "kv-write"]), pick(&["b/a", "b/a/b", "b/ab", "c/a", "d/a", "b/a//b"]))
            .prop_map(|(verb, key)| format!("{verb} {key}")),
        1 => pick(&["kv-read b", "kv-read c"]),
        1 => pick(&["env A=1", "env A=2", "env B=1", "env C=1", "config A=1", "config B=2"]),
        1 => pick(&["clock 1us", "clock 1ms", "clock 3ms", "clock 1m", "clock frozen", "random", "random 7", "random 9"]),
        2 => (pick(&["k", "l", "m"]), pick(PLACEMENTS), url())
            .prop_map(|(name, placement, url)| format!("secret {name}{placement}@{url}")),
        2 => (pick(&["a", "b", "ab", "bc", "c"]), pick(&["", "", ".f", ".g", ".f.x", ".f/x"]))
            .prop_map(|(tool, function)| format!("call {tool}{function}")),
    ]
}

pub(crate) fn rule() -> impl Strategy<Value = Rule> {
    rule_text().prop_map(|text| crate::rule(&text))
}

pub(crate) fn op() -> impl Strategy<Value = AnyOp> {
    op_text().prop_map(|text| crate::op(&text))
}

/// A layer of some rules; now and then one without bounds.
pub(crate) fn layer() -> impl Strategy<Value = Layer> {
    let rules = || proptest::collection::vec(rule(), 0..6);
    let kind = proptest::sample::select(&[LayerKind::Manifest, LayerKind::Operator, LayerKind::Call][..]);
    let few = || proptest::collection::vec(rule(), 0..3);
    (kind, rules(), few(), few(), 0..8).prop_map(|(kind, allow, deny, ask, open)| {
        let mut layer = if open == 0 { Layer::open(kind) } else { Layer::new(kind) };
        allow.into_iter().for_each(|rule| layer.add_allow(rule));
        deny.into_iter().for_each(|rule| layer.add_deny(rule));
        // Some rules cannot ask.
        ask.into_iter().for_each(|rule| drop(layer.add_ask(rule)));
        layer
    })
}

/// A policy of one to three layers.
pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    proptest::collection::vec(layer(), 1..4).prop_map(|layers| {
        let mut layers = layers.into_iter();
        let first = Policy::new(layers.next().unwrap_or_else(|| Layer::new(LayerKind::Manifest)));
        layers.fold(first, |policy, layer| policy.attenuate(layer))
    })
}

/// Two policies of one layer, where the second often has the rules of the first and some more.
pub(crate) fn pair() -> impl Strategy<Value = (Layer, Layer)> {
    (layer(), proptest::collection::vec(rule(), 0..3), proptest::collection::vec(rule(), 0..2), layer(), any::<bool>())
        .prop_map(|(first, allow, deny, other, related)| {
            let mut second = if related { first.clone() } else { other };
            allow.into_iter().for_each(|rule| second.add_allow(rule));
            deny.into_iter().for_each(|rule| second.add_deny(rule));
            (first, second)
        })
}

/// Ops, many of which the rules of the generated layers are about.
pub(crate) fn ops() -> impl Strategy<Value = Vec<AnyOp>> {
    proptest::collection::vec(op(), 1..40)
}
