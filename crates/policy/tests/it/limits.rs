//! Limits: their defaults, their texts, and that a meet only lowers.

use caplet_policy::limits::KEYS;
use caplet_policy::{LimitSet, Limits};
use proptest::prelude::*;

fn set(assignments: &[&str]) -> LimitSet {
    let mut set = LimitSet::default();
    assignments.iter().for_each(|text| set.assign(text).unwrap_or_else(|error| panic!("{error}")));
    set
}

#[test]
fn the_documented_defaults() {
    let entries: Vec<String> =
        Limits::default().entries().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(
        entries.join(" "),
        "timeout=30s memory=256MiB stack=1MiB tables=100000 output=8MiB arguments=4MiB handles=1024 file-writes=256MiB \
         http-requests=100 http-concurrency=16 http-response=16MiB http-connect=10s kv-ops=10000 kv-value=1MiB calls=1000 \
         calls-at-once=16 call-depth=8 component=64MiB compile=1m"
    );
    assert_eq!(Limits::default().fuel, None);
}

#[test]
fn bad_limits_say_why() {
    for (text, part) in [
        ("timeout", "KEY=VALUE"),
        ("timeot=5s", "there is no limit"),
        ("timeout=5", "no unit"),
        ("timeout=0s", "duration of nothing"),
        ("timeout=-1s", "not a duration"),
        ("timeout=1.5s", "unit \".5s\""),
        ("timeout=99999999999999h", "too long"),
        ("memory=64MB5", "unit"),
        ("memory=0", "zero"),
        ("memory=18446744073709551615GiB", "too large"),
        ("memory=18446744073709551616", "not a size"),
        ("handles=1k", "not a whole number"),
        ("fuel=0", "zero"),
        ("fuel=", "not a whole number"),
    ] {
        let error = LimitSet::default().assign(text).expect_err(text);
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
    let error = LimitSet::default().assign("timeot=5s").expect_err("unknown");
    assert_eq!(error.hint().as_deref(), Some("did you mean `timeout`?"));
}

#[test]
fn an_operator_overrides_and_an_author_lowers() {
    let operator = Limits::default().overridden_by(&set(&["memory=1GiB", "timeout=1m", "fuel=1000"]));
    let both = operator.lowered_by(&set(&["memory=2GiB", "timeout=5s", "fuel=2000", "http-requests=0"]));
    assert_eq!((both.memory, both.timeout.as_secs(), both.fuel, both.http_requests), (1 << 30, 5, Some(1000), 0));
    assert_eq!(Limits::default().lowered_by(&set(&["fuel=5"])).fuel, Some(5));
}

#[test]
fn raised_limits_are_found() {
    let old = set(&["timeout=5s", "memory=1MiB", "fuel=10"]);
    assert_eq!(old.raised_by(&set(&["timeout=6s", "memory=1024KiB", "tables=9", "fuel=10"])), ["timeout"]);
    assert_eq!(old.raised_by(&LimitSet::default()), ["timeout", "memory", "fuel"]);
    assert!(old.raised_by(&old).is_empty());
}

#[test]
fn what_is_not_set_falls_back() {
    let or = set(&["timeout=6s"]).or(&set(&["timeout=9s", "memory=1MiB", "fuel=10"]));
    assert_eq!(or, set(&["timeout=6s", "memory=1MiB", "fuel=10"]));
}

fn any_set() -> impl Strategy<Value = LimitSet> {
    let value = proptest::sample::select(&["1", "2", "3KiB", "1MiB", "5s", "2ms", "1h"][..]);
    proptest::collection::vec((proptest::sample::select(KEYS), value), 0..8).prop_map(|pairs| {
        let mut set = LimitSet::default();
        for (key, value) in pairs {
            // A value of the wrong kind for its key changes nothing.
            let _ = set.set(key, value);
        }
        set
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn meet_is_the_lower_of_both(a in any_set(), b in any_set()) {
        let (a, b) = (Limits::default().overridden_by(&a), Limits::default().overridden_by(&b));
        prop_assert_eq!(a.meet(&b), b.meet(&a));
        prop_assert_eq!(a.meet(&a), a.clone());
        let met = a.meet(&b);
        for of in [&a, &b] {
            prop_assert_eq!(met.meet(of), met.clone());
        }
    }

    #[test]
    fn limits_read_back(set in any_set()) {
        let mut again = LimitSet::default();
        for (key, value) in set.entries() {
            again.set(key, &value).expect("its own text");
        }
        prop_assert_eq!(again, set);
    }
}
