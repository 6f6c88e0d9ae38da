//! What is granted works, in both drafts.

use caplet_audit::OutcomeKind;

use super::probe::{DRAFT_2, DRAFTS, Source, script, without_source};

#[tokio::test]
async fn a_granted_bucket_works_in_both_drafts() {
    for draft in DRAFTS {
        let mut script = script(draft, &Source::memory()).allow("kv:notes");
        let b = script.open("notes");
        let cases = [
            (script.get(b, "k"), "-1", ""),
            (script.set(b, "k", "value"), "0", ""),
            (script.get(b, "k"), "5", "value"),
            (script.exists(b, "k"), "1", ""),
            (script.exists(b, "other"), "0", ""),
            (script.set_many(b, &["a", "b"], "both"), "0", ""),
            (script.get_many(b, &["a", "gone", "k"]), "2", "both\nvalue\n"),
            (script.list(b), "-1", "a\nb\nk\n"),
            (script.delete_many(b, &["a", "gone"]), "0", ""),
            (script.increment(b, "count", 40), "40", ""),
            (script.increment(b, "count", 2), "42", ""),
            (script.get(b, "count"), "2", "42"),
            (script.delete(b, "k"), "0", ""),
            (script.delete(b, "k"), "0", ""),
            (script.list(b), "-1", "b\ncount\n"),
            (script.get_many(b, &[]), "0", ""),
        ];
        let answer = script.run().await;
        assert_eq!(answer.outcome.outcome, OutcomeKind::Ok, "{draft}: {answer:?}");
        for (step, number, text) in cases {
            assert_eq!(
                (answer.number(step).as_str(), answer.text(step).as_str()),
                (number, text),
                "{draft}: step {step}"
            );
        }
        assert!(answer.denied().is_empty());
    }
}

#[tokio::test]
async fn a_swap_is_won_once_and_a_lost_one_can_be_tried_again() {
    let mut script = script(DRAFT_2, &Source::memory()).allow("kv:b");
    let b = script.open("b");
    let (first, second) = (script.look(b, "k"), script.look(b, "k"));
    let absent = script.current(first);
    let won = script.swap(first, "1");
    let lost = script.swap(second, "2");
    let now = script.current(lost);
    script.set(b, "k", "changed");
    let lost_again = script.swap(lost, "3");
    let later = script.current(lost_again);
    let won_at_last = script.swap(lost_again, "4");
    let end = script.get(b, "k");
    let answer = script.run().await;
    assert_eq!(answer.number(absent), "-1");
    assert_eq!((answer.told(won), answer.told(lost), answer.text(now)), ("ok".into(), "cas-failed".into(), "1".into()));
    assert_eq!((answer.told(lost_again), answer.text(later)), ("cas-failed".into(), "changed".into()));
    assert_eq!((answer.told(won_at_last), answer.text(end)), ("ok".into(), "4".into()));
}

#[tokio::test]
async fn a_swap_needs_the_right_to_write_at_that_time() {
    let source = Source::memory();
    let mut script = script(DRAFT_2, &source).allow("kv:b:ro");
    let b = script.open("b");
    let seen = script.look(b, "k");
    let (swapped, end) = (script.swap(seen, "new"), script.get(b, "k"));
    let answer = script.run().await;
    assert_eq!(
        (answer.told(seen), answer.told(swapped), answer.number(end)),
        ("ok".into(), "access-denied".into(), "-1".into())
    );
}

#[tokio::test]
async fn numbers_end_at_their_bounds() {
    let not_a_number = "other: the value is no whole number, or the sum is too large";
    for draft in DRAFTS {
        let mut script = script(draft, &Source::memory()).allow("kv:b");
        let b = script.open("b");
        script.set(b, "text", "x");
        let text = script.increment(b, "text", 1);
        let most = script.increment(b, "n", i64::MAX);
        let over = script.increment(b, "n", 1);
        script.set(b, "below", "-5");
        let below = script.increment(b, "below", 1);
        let after = script.get(b, "below");
        // In the first draft this is a number of more than 63 bits.
        let minus = script.increment(b, "minus", -1);
        let answer = script.run().await;
        assert_eq!((answer.number(text), answer.number(over)), (not_a_number.into(), not_a_number.into()), "{draft}");
        assert_eq!((answer.number(most), answer.text(after)), (i64::MAX.to_string(), "-4".into()), "{draft}");
        let (told, minus_told) = match draft {
            DRAFT_2 => ("-4", "-1"),
            _ => ("other: the sum was stored, but is below zero and cannot be told", "other: the number is too large"),
        };
        assert_eq!((answer.number(below).as_str(), answer.number(minus).as_str()), (told, minus_told), "{draft}");
    }
}

#[tokio::test]
async fn buckets_are_apart_and_so_are_calls() {
    let source = Source::memory();
    for draft in DRAFTS {
        let mut script = script(draft, &source).allow("kv:a").allow("kv:b").allow("kv:ab");
        let (a, b, ab) = (script.open("a"), script.open("b"), script.open("ab"));
        script.set(a, "b/k", "of a");
        script.set(b, "k", "of b");
        let found = [
            script.get(a, "b/k"),
            script.get(b, "b/k"),
            script.get(ab, "/k"),
            script.get(ab, "k"),
            script.get(a, "../b/k"),
            script.get(a, "k"),
        ];
        let answer = script.run().await;
        assert_eq!(found.map(|step| answer.text(step)), ["of a", "", "", "", "", ""], "{draft}");
    }
    let mut elsewhere = script(DRAFT_2, &Source::memory()).allow("kv:a");
    let a = elsewhere.open("a");
    let listed = elsewhere.list(a);
    assert_eq!(elsewhere.run().await.text(listed), "", "another source is another world");
}

#[tokio::test]
async fn without_a_source_there_are_no_buckets() {
    for draft in DRAFTS {
        let mut script = without_source(draft).allow("kv:b");
        let b = script.open("b");
        assert_eq!(script.run().await.told(b), "no-such-store", "{draft}");
    }
}
