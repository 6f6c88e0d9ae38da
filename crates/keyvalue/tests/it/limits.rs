//! Quotas and times to live.

use std::time::Duration;

use caplet_keyvalue::{ENTRY_BYTES, Error};

use crate::world::{Kind, Settings, World, eventually, on_every_store, run};

on_every_store!(values_go_away_after_their_time);

/// What an entry with a bucket's name and a key of one byte each counts for.
const SMALL: u64 = ENTRY_BYTES + 2;

fn with_quota(test: impl AsyncFn(&World)) {
    for kind in [Kind::Memory, Kind::Sqlite] {
        let settings = Settings { quota: 10 * SMALL, ttl: None };
        run(kind, async |kind| test(&World::with(kind, settings)).await);
    }
}

#[test]
fn the_quota_counts_names_values_and_entries() {
    with_quota(async |world| {
        let bucket = world.bucket("b");
        for at in 0..10 {
            bucket.set(&at.to_string(), "").await.unwrap();
        }
        assert_eq!(bucket.set("x", "").await, Err(Error::Full));
        assert_eq!(bucket.increment("x", 1).await, Err(Error::Full));
        let seen = bucket.look("x").await.unwrap();
        assert_eq!(bucket.swap("x", &seen, "").await, Err(Error::Full));
        assert_eq!(bucket.set("0", "v").await, Err(Error::Full));
        assert_eq!(world.bucket("c").set("x", "").await, Err(Error::Full));
        assert_eq!(bucket.keys().await.len(), 10, "what failed changed nothing");
        // What is given back can be used, to the byte.
        bucket.delete("1").await.unwrap();
        bucket.delete("1").await.unwrap();
        let rest = usize::try_from(SMALL).unwrap();
        assert_eq!(bucket.set("0", vec![0; rest + 1]).await, Err(Error::Full));
        bucket.set("0", vec![0; rest]).await.unwrap();
        assert_eq!(bucket.set("2", "v").await, Err(Error::Full));
        bucket.set("0", "").await.unwrap();
        bucket.set("1", "").await.unwrap();
        assert_eq!(bucket.set("x", "").await, Err(Error::Full));
    });
}

#[test]
fn long_names_and_large_values_do_not_fit_into_a_small_store() {
    with_quota(async |world| {
        let bucket = world.bucket("b");
        assert_eq!(bucket.set("k", vec![0; 1 << 20]).await, Err(Error::Full));
        assert_eq!(bucket.set(&"k".repeat(1024), "").await, Err(Error::Full));
        assert_eq!(world.bucket(&"b".repeat(1024)).set("k", "").await, Err(Error::Full));
        assert!(bucket.keys().await.is_empty());
    });
}

#[test]
fn a_smaller_quota_lets_a_file_shrink_only() {
    run(Kind::Sqlite, async |kind| {
        let mut world = World::with(kind, Settings { quota: 10 * SMALL, ttl: None });
        let bucket = world.bucket("b");
        bucket.set("k", vec![0; 500]).await.unwrap();
        world.settings.quota = SMALL + 100;
        let bucket = world.bucket("b");
        assert_eq!(bucket.set("k", vec![0; 501]).await, Err(Error::Full));
        assert_eq!(bucket.set("x", "").await, Err(Error::Full));
        bucket.set("k", vec![0; 400]).await.unwrap();
        bucket.set("k", vec![0; 100]).await.unwrap();
        assert_eq!(bucket.set("k", vec![0; 101]).await, Err(Error::Full));
    });
}

#[test]
fn what_expired_gives_its_space_back() {
    for kind in [Kind::Memory, Kind::Sqlite] {
        run(kind, async |kind| {
            let settings = Settings { quota: 200 * SMALL, ttl: Some(Duration::from_millis(300)) };
            let world = World::with(kind, settings);
            let bucket = world.bucket("b");
            for at in 0..100 {
                bucket.set(char::from_u32(0x30 + at).unwrap().encode_utf8(&mut [0; 4]), "").await.unwrap();
            }
            let whole = usize::try_from(199 * SMALL).unwrap();
            // All of it is needed at once, and so all that expired has to go at once.
            eventually("the space of what expired is free", async || bucket.set("x", vec![0; whole]).await.is_ok())
                .await;
            assert_eq!(bucket.keys().await, ["x"]);
        });
    }
}

async fn values_go_away_after_their_time(kind: Kind) {
    let ttl = Duration::from_millis(400);
    let world = World::with(kind, Settings { ttl: Some(ttl), ..Settings::default() });
    let (bucket, other) = (world.bucket("b"), world.bucket("b"));
    bucket.set("set", "v").await.unwrap();
    assert_eq!(bucket.increment("added", 1).await, Ok(1));
    let seen = bucket.look("swapped").await.unwrap();
    assert_eq!(bucket.swap("swapped", &seen, "v").await, Ok(true));
    let seen = bucket.look("set").await.unwrap();
    let keys = ["added", "set", "swapped"];
    let start = std::time::Instant::now();
    let listed = other.keys().await;
    assert!(start.elapsed() > ttl / 2 || listed == keys, "{listed:?}");
    for key in keys {
        eventually("the end of a value", async || other.get(key).await == Ok(None)).await;
        assert_eq!(bucket.exists(key).await, Ok(false));
    }
    assert!(bucket.keys().await.is_empty());
    assert_eq!(bucket.swap("set", &seen, "w").await, Ok(false), "it is not what it was");
    assert_eq!(bucket.increment("added", 1).await, Ok(1), "it starts anew");
    // A value that is set again and again stays.
    let start = std::time::Instant::now();
    while start.elapsed() < 3 * ttl {
        let before = std::time::Instant::now();
        bucket.set("kept", "v").await.unwrap();
        assert!(bucket.exists("kept").await.unwrap() || before.elapsed() > ttl);
    }
}
