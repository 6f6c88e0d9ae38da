//! Stores that fail, hang or lie: the call ends as it should, and the guest learns nothing of the host.

use std::sync::Arc;

use async_trait::async_trait;
use caplet_audit::{ErrorKind, OutcomeKind};
use caplet_keyvalue::{Cursor, Error, Page, Seen, Store};
use caplet_policy::{OpenBucket, Permitted, ReadKey, WriteKey};
use caplet_sandbox::BucketSource;

use super::probe::{DRAFT_2, DRAFTS, Script, Source, Step, script, without_source};

/// What no guest may ever see.
const CANARY: &str = "redis://user:canary@10.0.0.1:6379 /srv/canary.db";

/// How a store is bad.
#[derive(Clone, Debug)]
enum Fault {
    /// Every operation fails so.
    Fails(Error),
    /// No operation ever ends.
    Hangs,
    Panics,
    /// Every value is so many bytes.
    Values(usize),
    /// Listings have these keys, and never end.
    Endless(Vec<String>),
    /// A listing has these keys.
    Page(Vec<String>),
}

/// A store that is bad in everything but opening a bucket.
#[derive(Debug)]
struct BadStore(Fault);

impl BadStore {
    async fn fail<T>(&self, otherwise: T) -> Result<T, Error> {
        match &self.0 {
            Fault::Fails(error) => Err(error.clone()),
            Fault::Hangs => std::future::pending().await,
            Fault::Panics => panic!("{CANARY}"),
            Fault::Values(_) | Fault::Endless(_) | Fault::Page(_) => Ok(otherwise),
        }
    }

    fn value(&self) -> Option<Vec<u8>> {
        if let Fault::Values(bytes) = self.0 { Some(vec![b'x'; bytes]) } else { None }
    }
}

#[async_trait]
impl Store for BadStore {
    async fn open(&self, _: &Permitted<OpenBucket>) -> Result<(), Error> {
        Ok(())
    }

    async fn get(&self, _: &Permitted<ReadKey>) -> Result<Option<Vec<u8>>, Error> {
        self.fail(self.value()).await
    }

    async fn exists(&self, _: &Permitted<ReadKey>) -> Result<bool, Error> {
        self.fail(true).await
    }

    async fn set(&self, _: &Permitted<WriteKey>, _: Vec<u8>) -> Result<(), Error> {
        self.fail(()).await
    }

    async fn delete(&self, _: &Permitted<WriteKey>) -> Result<(), Error> {
        self.fail(()).await
    }

    async fn keys(&self, _: &Permitted<OpenBucket>, _: Option<&Cursor>) -> Result<Page, Error> {
        match &self.0 {
            Fault::Endless(keys) => Ok(Page { keys: keys.clone(), next: Some(Cursor(CANARY.to_owned())) }),
            Fault::Page(keys) => Ok(Page { keys: keys.clone(), next: None }),
            _ => self.fail(Page::default()).await,
        }
    }

    async fn increment(&self, _: &Permitted<WriteKey>, delta: i64) -> Result<i64, Error> {
        self.fail(delta).await
    }

    async fn look(&self, _: &Permitted<ReadKey>) -> Result<Seen, Error> {
        self.fail(Seen { value: self.value(), version: None }).await
    }

    async fn swap(&self, _: &Permitted<WriteKey>, _: &Seen, _: Vec<u8>) -> Result<bool, Error> {
        self.fail(false).await
    }

    fn describe(&self) -> String {
        CANARY.to_owned()
    }
}

fn bad(draft: &'static str, fault: &Fault) -> Script {
    script(draft, &Source::of(BadStore(fault.clone()))).allow("kv:b")
}

type Act = fn(&mut Script, Step) -> Step;

const ACTS: [Act; 9] = [
    |script, b| script.get(b, "k"),
    |script, b| script.exists(b, "k"),
    |script, b| script.set(b, "k", "v"),
    |script, b| script.delete(b, "k"),
    |script, b| script.list(b),
    |script, b| script.increment(b, "k", 1),
    |script, b| script.get_many(b, &["k", "l"]),
    |script, b| script.set_many(b, &["k", "l"], "v"),
    |script, b| script.delete_many(b, &["k", "l"]),
];

#[tokio::test]
async fn a_guest_hears_what_kind_of_failure_it_was_and_nothing_of_the_host() {
    let canary = || CANARY.to_owned();
    let cases = [
        (Error::Unavailable(canary()), "other: the store cannot be used now; nothing was changed"),
        (Error::Unsure(canary()), "other: the store did not answer; what was asked for may have been done or not"),
        (Error::Full, "other: the store is full"),
        (Error::NoBucket, "no-such-store"),
        (Error::BadCursor, "other: the listing cannot go on from here"),
        (Error::NotANumber, "other: the value is no whole number, or the sum is too large"),
    ];
    for draft in DRAFTS {
        for (error, told) in &cases {
            let mut script = bad(draft, &Fault::Fails(error.clone()));
            let b = script.open("b");
            let mut steps = ACTS.map(|act| act(&mut script, b)).to_vec();
            if draft == DRAFT_2 {
                steps.push(script.look(b, "k"));
            }
            let answer = script.run().await;
            for step in steps {
                assert_eq!(answer.told(step), *told, "{draft}: {error:?}: step {step}");
            }
            let all = serde_json::to_string(&answer.outcome).unwrap();
            assert!(!all.contains("canary") && !all.contains("10.0.0.1"), "{draft}: {all}");
        }
    }
}

/// A source that fails.
#[derive(Debug)]
struct BadSource(Fault);

#[async_trait]
impl BucketSource for BadSource {
    async fn store(&self, _: &str) -> Result<Arc<dyn Store>, Error> {
        BadStore(self.0.clone()).fail(()).await?;
        Ok(Arc::new(BadStore(self.0.clone())))
    }
}

#[tokio::test]
async fn a_source_that_fails_or_hangs_is_told_as_kindly() {
    let cases = [
        (Fault::Fails(Error::NoBucket), "no-such-store"),
        (
            Fault::Fails(Error::Unavailable(CANARY.to_owned())),
            "other: the store cannot be used now; nothing was changed",
        ),
    ];
    for draft in DRAFTS {
        let with = |fault: &Fault| {
            let mut script = without_source(draft).allow("kv:b");
            script.call.invocation.buckets = Some(Arc::new(BadSource(fault.clone())));
            script.open("b");
            script
        };
        for (fault, told) in &cases {
            assert_eq!(with(fault).run().await.told(0), *told, "{draft}");
        }
        let answer = with(&Fault::Hangs).limit("timeout=200ms").run().await;
        assert_eq!(answer.limit(), Some(ErrorKind::Timeout), "{draft}");
    }
}

#[tokio::test]
async fn a_store_that_hangs_ends_with_the_calls_deadline() {
    for draft in DRAFTS {
        for act in ACTS {
            let mut script = bad(draft, &Fault::Hangs).limit("timeout=100ms");
            let b = script.open("b");
            act(&mut script, b);
            assert_eq!(script.run().await.limit(), Some(ErrorKind::Timeout), "{draft}");
        }
    }
}

#[tokio::test]
async fn a_listing_without_an_end_ends_with_the_calls_deadline() {
    // One with no key at all, one with keys that may not be read, and one with names that are none.
    for keys in [vec![], vec!["secret".to_owned(); 256], vec![String::new(), "a\0".to_owned(), "k".repeat(1025)]] {
        for draft in DRAFTS {
            let mut script = bad(draft, &Fault::Endless(keys.clone())).deny("kv:b/secret").limit("timeout=200ms");
            let b = script.open("b");
            script.list(b);
            assert_eq!(script.run().await.limit(), Some(ErrorKind::Timeout), "{draft}: {} keys", keys.len());
        }
    }
}

#[tokio::test]
async fn names_and_cursors_that_a_store_should_not_give_do_not_reach_the_guest() {
    let names: Vec<String> = ["good", "", "a\0b", "secret", "../x"].map(str::to_owned).to_vec();
    for draft in DRAFTS {
        let mut script = bad(draft, &Fault::Page(names.clone())).deny("kv:b/secret");
        let b = script.open("b");
        let listed = script.list(b);
        let answer = script.run().await;
        assert_eq!((answer.text(listed).as_str(), answer.cursor(listed)), ("good\n../x\n", None), "{draft}");

        let mut script = bad(draft, &Fault::Endless(vec!["good".to_owned(); 100]));
        let b = script.open("b");
        let listed = script.list(b);
        let answer = script.run().await;
        assert_eq!(answer.cursor(listed).as_deref(), Some("0"), "{draft}");
    }
}

#[tokio::test]
async fn a_value_that_the_store_should_not_hold_is_not_handed_over() {
    const MIB: usize = 1 << 20;
    for draft in DRAFTS {
        for (bytes, is_fine) in [(MIB, true), (MIB + 1, false), (64 * MIB, false)] {
            let mut script = bad(draft, &Fault::Values(bytes));
            let b = script.open("b");
            let mut steps = vec![script.get(b, "k"), script.get_many(b, &["k"])];
            if draft == DRAFT_2 {
                steps.push(script.look(b, "k"));
            }
            let answer = script.run().await;
            let told = if is_fine { "ok" } else { "other: the value is too large" };
            assert!(steps.iter().all(|step| answer.told(*step) == told), "{draft}: {bytes}");
        }
        let mut script = bad(draft, &Fault::Values(MIB + 1)).must();
        let b = script.open("b");
        script.get(b, "k");
        assert_eq!(script.run().await.limit(), Some(ErrorKind::Quota), "{draft}");
    }
}

#[tokio::test]
async fn a_store_that_panics_ends_its_call_alone() {
    for draft in DRAFTS {
        let mut script = bad(draft, &Fault::Panics);
        let b = script.open("b");
        script.get(b, "k");
        let answer = script.run().await;
        assert_eq!(answer.outcome.outcome, OutcomeKind::Host, "{draft}");
        assert!(!serde_json::to_string(&answer.outcome).unwrap().contains("canary"), "{draft}");

        let mut script = super::probe::script(draft, &Source::memory()).allow("kv:b");
        let b = script.open("b");
        script.get(b, "k");
        assert_eq!(script.run().await.all(), ["ok", "ok"], "{draft}: the next call works");
    }
}
