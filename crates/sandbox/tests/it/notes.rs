//! The built-in tool `memory`, the component itself, on a bucket: what it keeps, and what it does without a grant.

use std::sync::Arc;

use async_trait::async_trait;
use caplet_audit::{Outcome, OutcomeKind};
use caplet_component::{Caps, inspect};
use caplet_keyvalue::{Error, MemoryStore, Store};
use caplet_sandbox::{BucketSource, Prepared};
use serde_json::{Value, json};

use crate::harness::{Call, call_bytes};

/// One store behind every bucket.
#[derive(Debug)]
struct Everywhere(Arc<MemoryStore>);

#[async_trait]
impl BucketSource for Everywhere {
    async fn store(&self, _bucket: &str) -> Result<Arc<dyn Store>, Error> {
        Ok(self.0.clone())
    }
}

/// The tool, and what is kept between its calls.
struct Notes {
    prepared: Prepared,
    buckets: Arc<Everywhere>,
}

impl Notes {
    /// The tool on an empty store of `quota` bytes.
    fn new(quota: u64) -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/built/memory.wasm");
        let component = inspect(&std::fs::read(path).unwrap(), &Caps::default()).unwrap();
        let buckets = Arc::new(Everywhere(Arc::new(MemoryStore::new(quota))));
        Self { prepared: call_bytes(component).prepared(), buckets }
    }

    fn call(&self, function: &str, arguments: Value) -> Call {
        let mut call = Call::of(self.prepared.clone()).function(function).arguments(arguments);
        call.invocation.buckets = Some(self.buckets.clone());
        call
    }

    async fn ok(&self, function: &str, arguments: Value) -> Value {
        let outcome = self.call(function, arguments).allow("kv:memory").run().await;
        assert_eq!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
        outcome.output
    }
}

fn message(outcome: &Outcome) -> &str {
    outcome.error.as_ref().map_or("", |error| error.message.as_str())
}

#[tokio::test]
async fn a_note_is_kept_found_and_forgotten_by_later_calls() {
    let notes = Notes::new(1 << 20);
    let put = json!({"name": "project/deploy", "text": "Run make release.\nÜber SSH.", "tags": ["ops"]});
    let kept = notes.ok("put", put).await;
    assert_eq!(kept, json!({"name": "project/deploy", "action": "created", "size": 28, "tags": ["ops"]}));
    notes.ok("put", json!({"name": "other", "text": "x"})).await;
    let note = notes.ok("get", json!({"name": "project/deploy"})).await;
    assert_eq!(note["text"], "Run make release.\nÜber SSH.");
    let listing = notes.ok("list", json!({"prefix": "project/"})).await;
    assert_eq!((&listing["total"], &listing["notes"][0]["first_line"]), (&json!(1), &json!("Run make release.")));
    let found = notes.ok("search", json!({"query": "über RELEASE"})).await;
    assert_eq!((&found["searched"], &found["matching"]), (&json!(2), &json!(1)));
    assert_eq!(found["hits"][0]["excerpt"], "Run make release. Über SSH.");
    for existed in [true, false] {
        let forgotten = notes.ok("forget", json!({"name": "project/deploy"})).await;
        assert_eq!(forgotten, json!({"name": "project/deploy", "existed": existed}));
    }
    let outcome = notes.call("get", json!({"name": "project/deploy"})).allow("kv:memory").run().await;
    assert_eq!(outcome.outcome, OutcomeKind::Error);
    assert!(message(&outcome).contains("there is no note `project/deploy`"), "{outcome:?}");
}

#[tokio::test]
async fn of_appends_at_the_same_time_none_is_lost() {
    let notes = Notes::new(1 << 20);
    let calls: Vec<_> = (0..24)
        .map(|n| {
            let arguments = json!({"name": "log", "text": format!("line {n}"), "if_exists": "append"});
            tokio::spawn(notes.call("put", arguments).allow("kv:memory").run())
        })
        .collect();
    for call in calls {
        let outcome = call.await.unwrap();
        assert_eq!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
    }
    let note = notes.ok("get", json!({"name": "log"})).await;
    let mut lines: Vec<&str> = note["text"].as_str().unwrap().lines().collect();
    lines.sort_by_key(|line| line[5..].parse::<u32>().unwrap());
    assert_eq!(lines, (0..24).map(|n| format!("line {n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_a_grant_nothing_is_kept_and_a_grant_to_read_keeps_nothing() {
    let notes = Notes::new(1 << 20);
    notes.ok("put", json!({"name": "n", "text": "old"})).await;
    let put = || notes.call("put", json!({"name": "n", "text": "new"}));
    let forget = || notes.call("forget", json!({"name": "n"}));
    for (call, op, told) in [
        (put(), "kv-read memory", "`kv:memory`"),
        (put().allow("kv:other"), "kv-read memory", "`kv:memory`"),
        (put().allow("kv:memory:ro"), "kv-write memory/n", "not permitted to change the note `n`"),
        (put().allow("kv:memory").deny("kv:memory/n"), "kv-read memory/n", "not permitted"),
        (forget().allow("kv:memory:ro"), "kv-write memory/n", "not permitted to change the note `n`"),
        (notes.call("search", json!({"query": "old"})), "kv-read memory", "`kv:memory:ro`"),
    ] {
        let outcome = call.run().await;
        assert_eq!(outcome.outcome, OutcomeKind::Denied, "{outcome:?}");
        let denied = outcome.decisions.denied.first().map(|denied| denied.op.to_string());
        assert_eq!(denied.as_deref(), Some(op));
        assert!(message(&outcome).contains(told), "{outcome:?}");
    }
    let outcome = notes.call("get", json!({"name": "n"})).allow("kv:memory:ro").run().await;
    assert_eq!((outcome.outcome, &outcome.output["text"]), (OutcomeKind::Ok, &json!("old")));
}

#[tokio::test]
async fn notes_that_are_not_granted_are_not_seen() {
    let notes = Notes::new(1 << 20);
    for name in ["team/a", "private/b"] {
        notes.ok("put", json!({"name": name, "text": "needle"})).await;
    }
    for (function, arguments) in [("search", json!({"query": "needle"})), ("list", json!({}))] {
        let outcome = notes.call(function, arguments).allow("kv:memory/team/*").run().await;
        assert_eq!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
        let text = outcome.output.to_string();
        assert!(text.contains("team/a") && !text.contains("private"), "{text}");
    }
}

#[tokio::test]
async fn a_full_store_is_said() {
    let notes = Notes::new(1_000);
    let outcome = notes.call("put", json!({"name": "n", "text": "x".repeat(2_000)})).allow("kv:memory").run().await;
    assert_eq!(outcome.outcome, OutcomeKind::Error);
    assert!(message(&outcome).contains("the store is full"), "{outcome:?}");
    assert_eq!(notes.ok("list", json!({})).await["notice"], "There are no notes yet.");
}

/// As many notes as the tool looks through in one call: the host's own limits do not end it.
#[tokio::test]
async fn a_search_ends_before_the_limit_of_operations() {
    let notes = Notes::new(1 << 24);
    fill(&notes, 6_100).await;
    let found = notes.ok("search", json!({"query": "needle", "limit": 1})).await;
    assert_eq!((&found["searched"], &found["matching"]), (&json!(6_000), &json!(6_000)));
    assert!(found["notice"].as_str().unwrap().contains("of 6100 notes"), "{found}");
}

/// Puts notes into the bucket as another program would.
async fn fill(notes: &Notes, count: usize) {
    use caplet_policy::{GuestPath, Journal, KeyValueSection, Layer, LayerKind, Policy, Rule, WriteKey};

    let mut operator = Layer::new(LayerKind::Operator);
    operator.add_allow(Rule::parse_grant("kv:memory", &GuestPath::root()).unwrap());
    let policy = Policy::new(Layer::open(LayerKind::Manifest)).attenuate(operator);
    let guard = policy.guard::<KeyValueSection>(&Arc::new(Journal::new()));
    for n in 0..count {
        let permit = guard.check(WriteKey::new("memory", &format!("n{n:05}")).unwrap()).unwrap();
        let value = br#"{"note":1,"text":"a needle","tags":[]}"#.to_vec();
        notes.buckets.0.set(&permit, value).await.unwrap();
    }
}
