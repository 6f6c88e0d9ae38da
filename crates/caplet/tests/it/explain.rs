//! `explain` says what a call would be answered.

use caplet::{Caplet, Ceiling, Grant};

use crate::{ADDS, source};

#[test]
fn each_layer_is_heard_and_the_first_refusal_counts() {
    let caplet = Caplet::builder().build().unwrap();
    let tool = caplet.load(&source(ADDS)).unwrap();
    let explain = |grant: &Grant, op: &str| caplet.explain(&tool, None, grant, op).unwrap();
    let mut grant = Grant::new("/tmp").unwrap();
    grant.allow("read:/etc/**").unwrap();
    let closed = explain(&grant, "read /etc/passwd");
    assert_eq!(closed.denied_by().unwrap().as_str(), "manifest");
    assert_eq!(closed.layers.iter().map(|layer| layer.permits).collect::<Vec<_>>(), [false, true]);
    grant.ceiling(Ceiling::Open);
    assert!(explain(&grant, "read /etc/passwd").is_permitted());
    assert!(explain(&grant, "read /etc/../etc/./passwd").is_permitted());
    assert_eq!(explain(&grant, "write /etc/passwd").denied_by().unwrap().as_str(), "operator");
    grant.deny("read:/etc/shadow").unwrap();
    let denied = explain(&grant, "read /etc/shadow");
    assert!(denied.hint.unwrap().contains("--deny"), "the hint names the rule that refuses");
}

#[test]
fn calls_of_other_tools_are_explained_like_everything_else() {
    let caplet = Caplet::builder().build().unwrap();
    let tool = caplet.load(&source(ADDS)).unwrap();
    let mut grant = Grant::new("/tmp").unwrap();
    grant.allow("call:other").unwrap().ceiling(Ceiling::Open);
    let explain = |op| caplet.explain(&tool, None, &grant, op).unwrap();
    assert!(explain("call other").denied_by().is_none() && explain("call other.function").denied_by().is_none());
    let denied = explain("call another");
    assert_eq!(denied.denied_by().unwrap().as_str(), "operator");
    assert_eq!(denied.hint.unwrap(), "--allow 'call:another'");
}

#[test]
fn what_a_deterministic_call_is_refused_is_explained_so() {
    let caplet = Caplet::builder().build().unwrap();
    let tool = caplet.load(&source(ADDS)).unwrap();
    let mut grant = Grant::new("/tmp").unwrap();
    grant.ceiling(Ceiling::Open).bucket("own=memory").unwrap();
    for rule in ["fetch:https://example.com/**", "kv:own", "kv:shared", "read:/etc/**"] {
        grant.allow(rule).unwrap();
    }
    let ops = [
        ("GET https://example.com/x", false),
        ("kv-read own/k", true),
        ("kv-read shared/k", false),
        ("read /etc/x", true),
    ];
    let permitted = |grant: &Grant, op| caplet.explain(&tool, None, grant, op).unwrap().is_permitted();
    assert!(ops.iter().all(|(op, _)| permitted(&grant, op)));
    grant.deterministic(0);
    for (op, is_permitted) in ops {
        assert_eq!(permitted(&grant, op), is_permitted, "{op}");
    }
    let explained = caplet.explain(&tool, None, &grant, ops[0].0).unwrap();
    assert_eq!(explained.denied_by().unwrap().as_str(), "host");
    assert!(explained.hint.unwrap().contains("leave out --deterministic"));
}

#[test]
fn an_op_that_does_not_parse_is_an_error() {
    let caplet = Caplet::builder().build().unwrap();
    let tool = caplet.load(&source(ADDS)).unwrap();
    let grant = Grant::new("/tmp").unwrap();
    for op in ["", " ", "read", "read ", "fly /x", "read /../../x", "GET", "GET nowhere", "write /\0"] {
        assert!(caplet.explain(&tool, None, &grant, op).is_err(), "{op:?}");
    }
}
