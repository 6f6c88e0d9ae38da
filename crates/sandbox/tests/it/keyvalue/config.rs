//! `wasi:config`: the granted keys and no others, by every name that the interface has in use.

use caplet_audit::Outcome;
use serde_json::json;

use crate::harness::{Call, call};

const DRAFTS: [&str; 3] = ["0.2.0-draft", "0.2.0-draft-2024-09-27", "0.2.0-rc.1"];

async fn ask(call: Call, key: &str) -> Outcome {
    call.arguments(json!({ "key": key })).run().await
}

#[tokio::test]
async fn every_draft_answers_from_the_policy() {
    for draft in DRAFTS {
        let probe = call(&caplet_testkit::config_probe(draft));
        let granted = || {
            Call::of(probe.prepared())
                .allow("config:colour=red; $(id) %s 'x'")
                .allow("config:size=")
                .allow("config:unset")
                .allow("config:taken=1")
                .deny("config:taken")
        };
        let all = json!([["colour", "red; $(id) %s 'x'"], ["size", ""]]);
        let cases = [
            ("colour", 0, "red; $(id) %s 'x'"),
            ("size", 0, ""),
            ("unset", 0, ""),
            ("taken", 1, "not permitted"),
            ("other", 1, "not permitted"),
            ("Colour", 1, "not permitted"),
            ("colour ", 1, "not permitted"),
            ("", 1, "not permitted"),
            ("colour=blue", 1, "not permitted"),
            ("colour\0", 1, "not permitted"),
        ];
        for (key, refused, text) in cases {
            let outcome = ask(granted(), key).await;
            assert_eq!(outcome.output, json!([refused, text, all]), "{draft}: {key:?}: {outcome:?}");
            let denied: Vec<&str> = outcome.decisions.denied.iter().map(|entry| entry.op.as_str()).collect();
            assert_eq!(denied.len(), refused, "{draft}: {key:?} is on record: {denied:?}");
            assert!(denied.iter().all(|op| op.starts_with(&format!("config {key}"))), "{draft}: {key:?}: {denied:?}");
        }
    }
}

#[tokio::test]
async fn without_a_rule_there_is_nothing() {
    for draft in DRAFTS {
        let outcome = ask(call(&caplet_testkit::config_probe(draft)), "colour").await;
        assert_eq!(outcome.output, json!([1, "not permitted", []]), "{draft}: {outcome:?}");
        let hint = &outcome.decisions.denied.first().unwrap().hint;
        assert!(hint.contains("--allow 'config:colour"), "{hint}");
    }
}

#[tokio::test]
async fn strict_imports_count_every_draft() {
    for draft in DRAFTS {
        let probe = call(&caplet_testkit::config_probe(draft));
        for (rule, is_fine) in [("config:colour=red", true), ("kv:b", false)] {
            let mut call = Call::of(probe.prepared()).allow(rule);
            call.invocation.strict_imports = true;
            let outcome = ask(call, "colour").await;
            assert_eq!(outcome.error.is_none(), is_fine, "{draft}: {rule}: {outcome:?}");
        }
    }
}
