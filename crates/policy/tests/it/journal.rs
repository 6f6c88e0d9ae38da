//! The journal: what is recorded, coalesced and capped.

use std::sync::Arc;

use caplet_policy::{FilesystemSection, GuestPath, Journal, LayerKind, Read, Write};

use crate::{layer, policy};

fn path(text: &str) -> GuestPath {
    GuestPath::parse(text).expect("a path")
}

#[test]
fn like_decisions_are_counted_together() {
    let journal = Arc::new(Journal::new());
    let manifest = caplet_policy::Policy::new(layer(LayerKind::Manifest, &["write:/w/**"], &[]));
    let guard =
        manifest.attenuate(layer(LayerKind::Operator, &["read:/w/**"], &[])).guard::<FilesystemSection>(&journal);
    for _ in 0..3 {
        assert!(guard.check(Read(path("/w/a"))).is_ok());
        assert!(guard.check(Write(path("/w/a"))).is_err());
    }
    assert!(guard.would_permit(&Read(path("/w/b"))));
    let denied = guard.check(Read(path("/x"))).expect_err("refused");
    assert_eq!(denied.layer(), LayerKind::Manifest);
    let host = guard.refuse(Read(path("/w/a")), "no disk");
    assert_eq!(serde_json::to_value(&host).expect("json")["layer"], "host");

    let decisions = journal.summary();
    let json = serde_json::to_value(&decisions).expect("json");
    assert_eq!(
        json,
        serde_json::json!({
            "permitted": 3,
            "denied": [
                {"capability": "wasi:filesystem", "op": "write /w/a", "layer": "operator", "rule": "no matching rule",
                 "hint": "--allow 'write:/w/a'", "count": 3},
                {"capability": "wasi:filesystem", "op": "read /x", "layer": "manifest", "rule": "no matching rule",
                 "hint": "the tool's ceiling forbids it: no grant can permit it, only the tool's author can raise it", "count": 1},
                {"capability": "wasi:filesystem", "op": "read /w/a", "layer": "host", "rule": "not available here",
                 "hint": "no disk", "count": 1},
            ],
            "permitted_ops": [
                {"capability": "wasi:filesystem", "op": "read /w/a", "layer": "operator", "rule": "read:/w/**", "count": 3},
            ],
            "overflow": 0,
        })
    );
    assert_eq!(serde_json::from_value::<caplet_policy::Decisions>(json).expect("reads back"), decisions);
}

#[test]
fn a_flood_is_counted_and_not_kept() {
    let journal = Arc::new(Journal::new());
    let guard = policy(&["read:/w/**"], &[]).guard::<FilesystemSection>(&journal);
    for number in 0..3000 {
        assert!(guard.check(Read(path(&format!("/w/{number}")))).is_ok());
        assert!(guard.check(Read(path(&format!("/x/{number}")))).is_err());
    }
    journal.refuse("wasi:sockets", &"x".repeat(1 << 20), "sockets are never available");
    let decisions = journal.summary();
    assert_eq!((decisions.permitted, decisions.permitted_ops.len(), decisions.denied.len()), (3000, 1024, 1024));
    assert_eq!(decisions.overflow, 2 * (3000 - 1024) + 1);
    assert_eq!(decisions.denied[0].op, "read /x/0");
}

#[test]
fn what_is_no_op_can_be_refused_too() {
    let journal = Journal::new();
    journal.refuse("wasi:sockets", "resolve the name \"x\"", "sockets are never available");
    journal.refuse("wasi:sockets", "resolve the name \"x\"", "sockets are never available");
    let denied = journal.summary().denied;
    assert_eq!((denied[0].capability.as_str(), denied[0].layer.as_str(), denied[0].count), ("wasi:sockets", "host", 2));
}
