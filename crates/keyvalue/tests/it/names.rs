//! Names have no meaning: whatever they are made of, each bucket has its own keys, and each key its own value.

use std::collections::BTreeSet;

use crate::servers::{Program, shared};
use crate::world::{Bucket, Kind, Settings, World, on_every_store, open, run};

on_every_store!(odd_keys_are_keys, buckets_are_apart);

/// Keys that mean something to a server, a shell or a query, or look like another key.
const SHORT: &[&str] = &[
    "/",
    "//",
    "a",
    "A",
    "a/b",
    "a//b",
    "b/c",
    "../a",
    ".",
    "..",
    "a.b",
    "a.",
    ".a",
    "*",
    "?",
    "a*",
    "[a]",
    "[^a]",
    "\\",
    "\\*",
    "^",
    " ",
    "a ",
    " a",
    "\t",
    "\n",
    "\r\nDEL a\r\n",
    "\u{1}",
    "\u{7f}",
    "\u{202e}txt",
    "ü",
    "u\u{308}",
    "=",
    "==",
    "==YQ",
    "=61",
    "%2F",
    "%",
    ">",
    "a.>",
    "$KV",
    "$JS.API.>",
    "'; DROP TABLE entry; --",
    "\"",
    "{a}",
    "{a}b",
    "v",
    "n",
    "a:b",
    ":",
    "-",
    "_",
    "🦀",
];

/// The same, and long ones.
fn odd_keys() -> Vec<String> {
    let long = |text: &str| text.repeat(1024 / text.len());
    let mut keys: Vec<String> = SHORT.iter().map(|key| (*key).to_owned()).collect();
    keys.extend([
        long("a"),
        long("="),
        long("."),
        long("é"),
        long("🦀"),
        long(" "),
        long("*"),
        format!("{}b", &long("a")[1..]),
    ]);
    keys.extend([
        format!("{}=", &long("=")[1..]),
        format!("{}/", &long("=")[1..]),
        long("=")[1..].to_owned(),
        long("=")[2..].to_owned(),
    ]);
    keys
}

async fn odd_keys_are_keys(kind: Kind) {
    let world = World::new(kind);
    let bucket = world.bucket("b");
    let keys: BTreeSet<String> = odd_keys().into_iter().collect();
    for key in &keys {
        assert_eq!(bucket.get(key).await, Ok(None), "{key:?}");
        bucket.set(key, format!("value of {key}")).await.unwrap();
    }
    for key in &keys {
        assert_eq!(bucket.text(key).await, Some(format!("value of {key}")));
    }
    assert_eq!(bucket.keys().await, keys.iter().cloned().collect::<Vec<_>>());
    for key in &keys {
        bucket.delete(key).await.unwrap();
        assert_eq!(bucket.get(key).await, Ok(None), "{key:?}");
    }
    assert!(bucket.keys().await.is_empty());
}

async fn buckets_are_apart(kind: Kind) {
    let world = World::new(kind);
    let store = world.store();
    let long = "a".repeat(1024);
    let names = [
        "a",
        "A",
        "a.b",
        "a.b.c",
        "a=2Eb",
        "a=2Fb",
        "=61",
        "=",
        "==",
        "==YQ",
        "b",
        "b-",
        "ab",
        "caplet",
        "..",
        ".",
        "$KV",
        ">",
        "a.>",
        "é",
        "e\u{301}",
        "-",
        "_",
        "^a",
        "a%2Fb",
        &long,
        &"=".repeat(1024),
        &"é".repeat(512),
        &long[1..],
    ];
    let long_key = "=".repeat(1024);
    let keys = ["b/c", "c", "a", "b.c", "=61", "==YQ", "*", "/", "v", &long_key];
    let buckets = names.map(|name| Bucket::new(store.clone(), name));
    for (name, bucket) in names.iter().zip(&buckets) {
        assert_eq!(bucket.keys().await, [""; 0], "{name:?}");
        for key in keys {
            assert_eq!(bucket.get(key).await, Ok(None), "{name:?} {key:?}");
            bucket.set(key, format!("{name} {key}")).await.unwrap();
        }
    }
    let mut sorted = keys;
    sorted.sort_unstable();
    for (name, bucket) in names.iter().zip(&buckets) {
        assert_eq!(bucket.keys().await, sorted, "{name:?}");
        for key in keys {
            assert_eq!(bucket.text(key).await, Some(format!("{name} {key}")));
        }
        // What is done here is done to nobody else.
        bucket.delete("c").await.unwrap();
        bucket.set("a", name).await.unwrap();
    }
}

/// Namespaces are apart, also where one is the start of another.
#[test]
fn namespaces_are_apart() {
    for (kind, program, scheme) in [(Kind::Redis, Program::Redis, "redis"), (Kind::Nats, Program::Nats, "nats")] {
        run(kind, async |_kind| {
            let port = shared(program).unwrap();
            let names =
                ["one", "one-", "one-two", "ONE", "_", "-"].map(|name| format!("n{}{name}", std::process::id()));
            let place = |name: &String| format!("{scheme} {scheme}://127.0.0.1:{port} {name}");
            let buckets = names.each_ref().map(|name| Bucket::new(open(&place(name), Settings::default()), "two-b"));
            for (name, bucket) in names.iter().zip(&buckets) {
                bucket.set("k", name).await.unwrap();
            }
            for (name, bucket) in names.iter().zip(&buckets) {
                assert_eq!(bucket.text("k").await.as_ref(), Some(name));
                assert_eq!(bucket.keys().await, ["k"]);
            }
        });
    }
}
