//! Every limit on buckets, as an attack.

use caplet_audit::{ErrorKind, OutcomeKind};

use super::probe::{DRAFT_2, DRAFTS, Script, Source, Step, script};

const MIB: i64 = 1 << 20;
const TOO_MANY: &str = "other: too many operations";

/// A change of a script that is about the open bucket.
type Act = fn(&mut Script, Step) -> Step;

fn repeated(script: &mut Script, act: Act, bucket: Step, times: u32) {
    act(script, bucket);
    script.times(times);
}

#[tokio::test]
async fn ten_thousand_operations_are_done_and_no_more() {
    let many: &[(&str, Act)] = &[
        ("get", |script, b| script.get(b, "k")),
        ("set", |script, b| script.set(b, "k", "v")),
        ("increment", |script, b| script.increment(b, "n", 1)),
        ("list", |script, b| script.list(b)),
        ("denied", |script, b| script.get(b, "secret")),
    ];
    for draft in DRAFTS {
        for (name, act) in many {
            let mut script = script(draft, &Source::memory()).allow("kv:b").deny("kv:b/secret");
            let b = script.open("b");
            // Opening counts, too.
            repeated(&mut script, *act, b, 9_999);
            repeated(&mut script, *act, b, 1);
            let last = script.open("b");
            let answer = script.run().await;
            let told = if *name == "denied" { "access-denied" } else { "ok" };
            assert_eq!(answer.told(1), told, "{draft}: {name}");
            assert_eq!((answer.told(2).as_str(), answer.told(last).as_str()), (TOO_MANY, TOO_MANY), "{draft}: {name}");
            assert_eq!(answer.outcome.outcome, OutcomeKind::Ok, "a tool that copes is fine");
        }
    }
}

/// An operation on many keys.
type Batch = fn(&mut Script, Step, &[&str]) -> Step;

#[tokio::test]
async fn every_key_of_a_batch_counts() {
    let batches: [Batch; 3] = [Script::get_many, |script, b, keys| script.set_many(b, keys, ""), Script::delete_many];
    for draft in DRAFTS {
        for batch in batches {
            for (count, expected) in [(9_999, None), (10_000, Some(ErrorKind::Quota))] {
                let mut script = script(draft, &Source::memory()).allow("kv:b").must();
                let b = script.open("b");
                batch(&mut script, b, &vec!["k"; count]);
                let answer = script.run().await;
                assert_eq!(answer.limit(), expected, "{draft}: {count}");
                if expected.is_some() {
                    let error = answer.outcome.error.unwrap();
                    assert!(error.message.contains("10000 operations"), "{}", error.message);
                    assert!(error.hint.unwrap().contains("--limit kv-ops="));
                }
            }
        }
    }
}

#[tokio::test]
async fn no_operations_at_all_can_be_asked_for() {
    for draft in DRAFTS {
        let source = Source::memory();
        let mut script = script(draft, &source).allow("kv:b").limit("kv-ops=0").must();
        script.open("b");
        assert_eq!(script.run().await.limit(), Some(ErrorKind::Quota), "{draft}");
        assert!(source.asked().is_empty());
    }
}

#[tokio::test]
async fn a_value_has_a_largest_size() {
    for draft in DRAFTS {
        let mut script = script(draft, &Source::memory()).allow("kv:b");
        let b = script.open("b");
        let whole = script.fill(b, "k", MIB);
        let got = script.get(b, "k");
        let mut over = vec![script.fill(b, "k", MIB + 1), script.step(8, b, "a\nk\n", "", MIB + 1)];
        if draft == DRAFT_2 {
            let seen = script.look(b, "k");
            over.push(script.step(12, seen, "", "", MIB + 1));
        }
        let (still, none) = (script.get(b, "k"), script.exists(b, "a"));
        let answer = script.run().await;
        assert_eq!((answer.told(whole).as_str(), answer.number(got)), ("ok", MIB.to_string()), "{draft}");
        for step in over {
            assert_eq!(answer.told(step), "other: the value is too large", "{draft}: step {step}");
        }
        assert_eq!(
            (answer.number(still), answer.number(none)),
            (MIB.to_string(), "0".to_owned()),
            "{draft}: nothing changed"
        );

        let mut script = super::probe::script(draft, &Source::memory()).allow("kv:b").must();
        let b = script.open("b");
        script.fill(b, "k", MIB + 1);
        let answer = script.run().await;
        assert_eq!(answer.limit(), Some(ErrorKind::Quota), "{draft}");
        assert!(answer.outcome.error.unwrap().hint.unwrap().contains("--limit kv-value="));
    }
}

#[tokio::test]
async fn handles_that_are_never_dropped_run_into_their_limit() {
    for draft in DRAFTS {
        let mut script = script(draft, &Source::memory()).allow("kv:b");
        script.open("b");
        script.times(5_000);
        assert_eq!(script.run().await.limit(), Some(ErrorKind::Handles), "{draft}");
    }
    let mut script = script(DRAFT_2, &Source::memory()).allow("kv:b");
    let b = script.open("b");
    script.look(b, "k");
    script.times(5_000);
    assert_eq!(script.run().await.limit(), Some(ErrorKind::Handles));
}

#[tokio::test]
async fn swaps_that_fail_for_ever_hold_one_handle() {
    let mut script = script(DRAFT_2, &Source::memory()).allow("kv:b").limit("handles=20");
    let b = script.open("b");
    let mut seen = script.look(b, "k");
    let mut lost = Vec::new();
    for _ in 0..200 {
        script.set(b, "k", "again");
        seen = script.swap(seen, "mine");
        lost.push(seen);
    }
    let won = script.swap(seen, "mine");
    let answer = script.run().await;
    assert!(lost.iter().all(|step| answer.told(*step) == "cas-failed"));
    assert_eq!(answer.told(won), "ok");
}

#[tokio::test]
async fn handles_do_not_hold_more_values_than_the_guest_has_memory() {
    let mut script = script(DRAFT_2, &Source::memory()).allow("kv:b").limit("memory=8MiB");
    let b = script.open("b");
    script.fill(b, "k", MIB);
    let held: Vec<Step> = (0..8).map(|_| script.look(b, "k")).collect();
    let over = script.look(b, "k");
    let small = script.look(b, "none");
    script.drop_cas(held[0]);
    let next = script.look(b, "k");
    // A lost swap gives its handle back before it takes another; a won one gives it back.
    script.fill(b, "k", MIB);
    let lost = script.swap(held[1], "mine");
    let won = script.swap(lost, "mine");
    script.fill(b, "k", MIB);
    let after = script.look(b, "k");
    let full = script.look(b, "k");
    let answer = script.run().await;
    let too_large = "other: the values of all open cas handles together are too large";
    assert!(held.iter().all(|step| answer.told(*step) == "ok"), "{answer:?}");
    let told = [over, small, next, lost, won, after, full].map(|step| answer.told(step));
    assert_eq!(told, [too_large, "ok", "ok", "cas-failed", "ok", "ok", too_large]);
}

#[tokio::test]
async fn many_values_come_only_as_far_as_they_fit() {
    for draft in DRAFTS {
        let mut script = script(draft, &Source::memory()).allow("kv:b").limit("memory=8MiB");
        let b = script.open("b");
        script.fill(b, "k", MIB);
        let two = script.get_many(b, &["k", "k"]);
        let over = script.get_many(b, &["k"; 9]);
        let answer = script.run().await;
        assert_eq!(answer.number(two), "2", "{draft}");
        assert_eq!(answer.told(over), "other: the values together are too large for one answer", "{draft}");

        // What the host would give, and the guest has no room for.
        let mut script = super::probe::script(draft, &Source::memory()).allow("kv:b").limit("memory=8MiB");
        let b = script.open("b");
        script.fill(b, "k", MIB);
        script.get_many(b, &["k"; 8]);
        assert_eq!(script.run().await.limit(), Some(ErrorKind::Memory), "{draft}");
    }
}
