//! What no rule permits is refused, in every operation, with a decision; and the store hears nothing of it.

use caplet_audit::{ErrorKind, OutcomeKind};

use super::probe::{Answer, DRAFT_2, DRAFTS, Script, Source, Step, script};

/// All operations on one key of the open bucket: which read, and which write.
fn everything(script: &mut Script, draft: &str, bucket: Step, key: &str) -> (Vec<Step>, Vec<Step>) {
    let mut reads = vec![script.get(bucket, key), script.exists(bucket, key), script.get_many(bucket, &[key])];
    if draft == DRAFT_2 {
        reads.push(script.look(bucket, key));
    }
    let writes = vec![
        script.set(bucket, key, "1"),
        script.increment(bucket, key, 1),
        script.set_many(bucket, &[key], "1"),
        script.delete_many(bucket, &[key]),
        script.delete(bucket, key),
    ];
    (reads, writes)
}

/// Rules, denials, a key, and whether it may be read and written.
type Case = (&'static [&'static str], &'static [&'static str], &'static str, bool, bool);

#[tokio::test]
async fn rules_decide_every_operation_on_a_key() {
    let cases: &[Case] = &[
        (&["kv:notes"], &[], "k", true, true),
        (&["kv:notes:ro"], &[], "k", true, false),
        (&["kv:notes/public/**"], &[], "public/a/b", true, true),
        (&["kv:notes/public/**"], &[], "private/a", false, false),
        (&["kv:notes/public/**"], &[], "public/../private/a", true, true),
        (&["kv:notes/public/*"], &[], "public/a/b", false, false),
        (&["kv:notes/public/**"], &[], "publicity", false, false),
        (&["kv:notes/k"], &[], "K", false, false),
        (&["kv:notes/k"], &[], "k ", false, false),
        (&["kv:notes/k"], &[], "*", false, false),
        (&["kv:notes/public/**:ro", "kv:notes/mine"], &[], "mine", true, true),
        (&["kv:notes/public/**:ro", "kv:notes/mine"], &[], "public/x", true, false),
        (&["kv:notes"], &["kv:notes/secret/**"], "secret/x", false, false),
        (&["kv:notes"], &["kv:notes/secret/**"], "other", true, true),
        (&["kv:notes"], &["kv:notes/secret/**:ro"], "secret/x", false, false),
        (&["kv:notes", "kv:notes/secret/x"], &["kv:notes/secret/**"], "secret/x", false, false),
        (&["kv:notes/other", "kv:else"], &[], "x", false, false),
    ];
    for draft in DRAFTS {
        for (allow, deny, key, read, write) in cases {
            let mut script = script(draft, &Source::memory());
            script = allow.iter().fold(script, |script, rule| script.allow(rule));
            script = deny.iter().fold(script, |script, rule| script.deny(rule));
            let b = script.open("notes");
            let (reads, writes) = everything(&mut script, draft, b, key);
            let answer = script.run().await;
            let expected = |permitted: bool| if permitted { "ok" } else { "access-denied" };
            let shown = format!("{draft}: {allow:?} but {deny:?}: {key}");
            assert_eq!(answer.told(b), "ok", "{shown}");
            for step in reads {
                assert_eq!(answer.told(step), expected(*read), "{shown}: step {step}");
            }
            for step in writes {
                assert_eq!(answer.told(step), expected(*write), "{shown}: step {step}");
            }
            let ops = answer.outcome.usage.ops.get("wasi:keyvalue").copied();
            assert_eq!(ops, Some(1 + 8 + u64::from(draft == DRAFT_2)), "{shown}: each is decided once");
        }
    }
}

#[tokio::test]
async fn a_bucket_without_a_rule_is_not_even_asked_for() {
    let long = "x".repeat(1025);
    let cases: &[(&str, &str)] = &[
        ("notes", "ok"),
        ("other", "access-denied"),
        ("denied", "access-denied"),
        ("NOTES", "access-denied"),
        ("notes ", "access-denied"),
        ("nоtes", "access-denied"),
        ("note\u{301}s", "access-denied"),
        ("notes\u{202e}", "access-denied"),
        ("..", "access-denied"),
        ("*", "access-denied"),
        ("\u{10ffff}\n\r\u{1b}[2J", "access-denied"),
        ("", "no-such-store"),
        ("notes/", "no-such-store"),
        ("notes/k", "no-such-store"),
        ("../notes", "no-such-store"),
        ("notes\0", "no-such-store"),
        (&long, "no-such-store"),
    ];
    for draft in DRAFTS {
        let source = Source::memory();
        let mut script = script(draft, &source).allow("kv:notes").allow("kv:denied").deny("kv:denied");
        let steps: Vec<Step> = cases.iter().map(|(name, _)| script.open(name)).collect();
        let answer = script.run().await;
        for (step, (name, expected)) in steps.iter().zip(cases) {
            assert_eq!(answer.told(*step), *expected, "{draft}: {name:?}");
        }
        assert_eq!(source.asked(), ["notes"], "{draft}");
        let refused = cases.iter().filter(|(_, told)| *told != "ok").count();
        assert_eq!(answer.denied().len(), refused, "{draft}: each is on record: {:?}", answer.denied());
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_and_on_record() {
    let long = "k".repeat(1025);
    for draft in DRAFTS {
        for (key, why) in [("", "empty"), ("a\0b", "'\\0'"), (long.as_str(), "longer than 1024 bytes")] {
            let mut script = script(draft, &Source::memory()).allow("kv:b");
            let b = script.open("b");
            let (reads, writes) = everything(&mut script, draft, b, key);
            let answer = script.run().await;
            for step in reads.into_iter().chain(writes) {
                assert_eq!(answer.told(step), "other: this is no key", "{draft}: {key:?}");
            }
            let denied = answer.denied();
            assert_eq!(denied.len(), 2, "{draft}: as it was read, and as it was written: {denied:?}");
            assert!(denied.iter().all(|(op, hint)| op.starts_with("kv-") && hint.contains(why)), "{denied:?}");
        }
        let longest = "k".repeat(1024);
        let mut script = script(draft, &Source::memory()).allow("kv:b");
        let b = script.open("b");
        let odd = ["../../etc/passwd", "/", "//", ".", "\u{202e}\u{feff}", " ", "\u{10ffff}", "a\rb", longest.as_str()];
        let steps = odd.map(|key| (script.set(b, key, key), script.get(b, key)));
        let answer = script.run().await;
        for ((set, get), key) in steps.into_iter().zip(odd) {
            let shown: String = key.chars().take(64).collect();
            assert_eq!(
                (answer.told(set), answer.text(get)),
                ("ok".to_owned(), shown),
                "{draft}: {key:?} is just a name"
            );
        }
    }
}

#[tokio::test]
async fn one_denied_key_refuses_a_whole_batch() {
    for draft in DRAFTS {
        for bad in ["secret", ""] {
            let mut script = script(draft, &Source::memory()).allow("kv:b").deny("kv:b/secret");
            let b = script.open("b");
            script.set(b, "old", "old");
            let refused = [
                script.set_many(b, &["first", "old", bad], "new"),
                script.delete_many(b, &["old", bad, "first"]),
                script.get_many(b, &["old", bad]),
            ];
            let (old, first) = (script.get(b, "old"), script.exists(b, "first"));
            let answer = script.run().await;
            let told = if bad.is_empty() { "other: this is no key" } else { "access-denied" };
            assert_eq!(refused.map(|step| answer.told(step)), [told; 3], "{draft}");
            assert_eq!(
                (answer.text(old), answer.number(first)),
                ("old".into(), "0".into()),
                "{draft}: nothing was done"
            );
        }
    }
}

fn failed(answer: &Answer) -> (OutcomeKind, ErrorKind) {
    (answer.outcome.outcome, answer.outcome.error.as_ref().unwrap().kind)
}

#[tokio::test]
async fn refusals_are_on_record_with_what_would_permit_them() {
    for draft in DRAFTS {
        let mut script = script(draft, &Source::memory()).allow("kv:b/mine:ro");
        let b = script.open("b");
        script.open("other");
        script.get(b, "a*b");
        script.set(b, "mine", "x");
        let answer = script.run().await;
        let denied = answer.denied();
        let ops: Vec<&str> = denied.iter().map(|(op, _)| *op).collect();
        assert_eq!(ops, ["kv-read other", "kv-read b/a*b", "kv-write b/mine"], "{draft}");
        for ((_, hint), rule) in denied.iter().zip(["'kv:other:ro'", "'kv:b/a\\*b:ro'", "'kv:b/mine'"]) {
            assert!(hint.contains(&format!("--allow {rule}")), "{draft}: {hint}");
        }
        assert_eq!(answer.outcome.outcome, OutcomeKind::Ok, "a tool that copes is fine");
    }
    let mut script = script(DRAFT_2, &Source::memory()).must();
    script.open("b");
    assert_eq!(failed(&script.run().await), (OutcomeKind::Denied, ErrorKind::Denied));
}
