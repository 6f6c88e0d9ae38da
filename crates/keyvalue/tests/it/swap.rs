//! A swap is done if and only if nothing happened to the key since it was looked at.

use tokio::task::JoinSet;

use crate::world::{Bucket, Kind, World, on_every_store};

on_every_store!(a_swap_needs_what_was_seen, racing_swaps_lose_nothing, one_of_many_swaps_wins);

async fn a_swap_needs_what_was_seen(kind: Kind) {
    /// What is done to a key, before it is looked at or after.
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Set(&'static str),
        Delete,
        Add(i64),
        Read,
    }
    use Act::{Add, Delete, Read, Set};
    let cases: &[(&[Act], &[Act], bool)] = &[
        (&[], &[], true),
        (&[], &[Read], true),
        (&[], &[Set("a")], false),
        (&[], &[Set("")], false),
        (&[], &[Add(0)], false),
        (&[], &[Delete], true),
        (&[Set("a")], &[], true),
        (&[Set("")], &[], true),
        (&[Set("a")], &[Read, Read], true),
        (&[Set("a")], &[Set("b")], false),
        (&[Set("")], &[Delete], false),
        (&[Set("a")], &[Delete], false),
        (&[Set("a"), Delete], &[], true),
        (&[Set("a"), Delete], &[Set("a")], false),
        // The value is the same again, and yet something happened.
        (&[Set("a")], &[Set("a")], false),
        (&[Set("a")], &[Set("b"), Set("a")], false),
        (&[Set("a")], &[Delete, Set("a")], false),
        (&[Set("1")], &[Add(0)], false),
        (&[Set("1")], &[Add(1), Add(-1)], false),
        (&[Add(5)], &[], true),
    ];
    let world = World::new(kind);
    let (bucket, other) = (world.bucket("b"), world.bucket("b"));
    let act = async |act: &Act| match act {
        Set(value) => other.set("k", value).await.unwrap(),
        Delete => other.delete("k").await.unwrap(),
        Add(delta) => other.increment("k", *delta).await.map(|_sum| ()).unwrap(),
        Read => assert_eq!(other.exists("k").await.unwrap(), other.get("k").await.unwrap().is_some()),
    };
    for (before, after, is_swapped) in cases {
        bucket.delete("k").await.unwrap();
        for one in *before {
            act(one).await;
        }
        let seen = bucket.look("k").await.unwrap();
        for one in *after {
            act(one).await;
        }
        let kept = bucket.get("k").await.unwrap();
        assert_eq!(bucket.swap("k", &seen, "new").await, Ok(*is_swapped), "{before:?}, look, {after:?}");
        let expected = if *is_swapped { Some(b"new".to_vec()) } else { kept };
        assert_eq!(bucket.get("k").await, Ok(expected), "{before:?}, look, {after:?}");
        // What was seen is used up.
        assert_eq!(bucket.swap("k", &seen, "newer").await, Ok(false), "{before:?}, look, {after:?}, twice");
    }
}

/// Adds by looking and swapping, until it was done so often.
pub(crate) async fn add_by_swapping(bucket: &Bucket, key: &str, times: usize) {
    let mut done = 0;
    while done < times {
        let seen = bucket.look(key).await.unwrap();
        let number: u64 = seen.value.as_ref().map_or(0, |value| str::from_utf8(value).unwrap().parse().unwrap());
        if bucket.swap(key, &seen, (number + 1).to_string()).await.unwrap() {
            done += 1;
        }
    }
}

async fn racing_swaps_lose_nothing(kind: Kind) {
    let world = World::new(kind);
    let mut tasks = JoinSet::new();
    for _task in 0..4 {
        let bucket = world.bucket("b");
        tasks.spawn(async move {
            add_by_swapping(&bucket, "n", 25).await;
            for _time in 0..25 {
                bucket.increment("n", 1).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(world.bucket("b").text("n").await.as_deref(), Some("200"));
}

async fn one_of_many_swaps_wins(kind: Kind) {
    let world = World::new(kind);
    let buckets: Vec<Bucket> = (0..6).map(|_| world.bucket("b")).collect();
    for round in 0..10 {
        let key = if round % 2 == 0 { "there" } else { "new" };
        buckets[0].delete(key).await.unwrap();
        if key == "there" {
            buckets[0].set(key, "v").await.unwrap();
        }
        let seen = buckets[0].look(key).await.unwrap();
        let mut tasks = JoinSet::new();
        for (at, bucket) in buckets.iter().cloned().enumerate() {
            let seen = seen.clone();
            tasks.spawn(async move { (at, bucket.swap(key, &seen, at.to_string()).await.unwrap()) });
        }
        let winners: Vec<usize> =
            tasks.join_all().await.into_iter().filter(|(_, is_swapped)| *is_swapped).map(|(at, _)| at).collect();
        assert_eq!(winners.len(), 1, "{key}");
        assert_eq!(buckets[0].text(key).await, Some(winners[0].to_string()));
    }
}
