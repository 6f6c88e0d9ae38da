//! Listings over pages: bounded, whole, and of one bucket, whatever a guest says where they go on.

use std::collections::{BTreeMap, BTreeSet};

use caplet_keyvalue::{Cursor, Error};
use tokio::task::JoinSet;

use crate::world::{Bucket, Kind, World, on_every_store};

on_every_store!(five_thousand_keys_while_they_change, hostile_cursors_lead_nowhere, a_page_may_be_asked_for_again);

/// More than any store gives at once. Redis decides itself, and may give some more than it is asked for.
const LARGEST_PAGE: usize = 600;

async fn fill(bucket: &Bucket, prefix: &'static str, count: usize) {
    let mut tasks = JoinSet::new();
    for part in 0..8 {
        let bucket = bucket.clone();
        tasks.spawn(async move {
            for at in (part..count).step_by(8) {
                bucket.set(&format!("{prefix}{at:05}"), "v").await.unwrap();
            }
        });
    }
    tasks.join_all().await;
}

async fn five_thousand_keys_while_they_change(kind: Kind) {
    let world = World::new(kind);
    let (bucket, neighbour) = (world.bucket("b"), world.bucket("ba"));
    fill(&bucket, "k", 5_000).await;
    fill(&neighbour, "x", 300).await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let (mut pages, mut from) = (0, None::<String>);
    loop {
        let page = bucket.page(from.as_deref()).await.unwrap();
        assert!(page.keys.len() <= LARGEST_PAGE, "{} keys at once", page.keys.len());
        for key in page.keys {
            *times.entry(key).or_default() += 1;
        }
        let Some(Cursor(next)) = page.next else { break };
        from = Some(next);
        // One key goes, others are set again, and new ones come at both ends and in between.
        let place = pages % 20 * 250;
        bucket.delete(&format!("k{:05}", place + 1)).await.unwrap();
        bucket.set(&format!("k{:05}", place + 2), "again").await.unwrap();
        bucket.set(&format!("k{:05}", 4_992 - place), "again").await.unwrap();
        for new in ["a", "k02500-", "z"] {
            bucket.set(&format!("{new}{pages}"), "new").await.unwrap();
        }
        pages += 1;
        assert!(pages < 1_000, "the listing does not end");
    }
    assert!(pages >= 5_000 / LARGEST_PAGE);
    for at in 0..5_000 {
        let key = format!("k{at:05}");
        // Deleted keys may have come or not.
        assert!(at % 250 == 1 || times.contains_key(&key), "{key} is missing");
    }
    let is_ours = |key: &String| key.starts_with(['k', 'a', 'z']);
    assert!(times.keys().all(is_ours), "a key of another bucket came");
    assert!(times.values().all(|times| *times <= 3), "a key came again and again");
}

async fn hostile_cursors_lead_nowhere(kind: Kind) {
    let world = World::new(kind);
    let (bucket, neighbour, empty) = (world.bucket("b"), world.bucket("c"), world.bucket("d"));
    for at in 0..20 {
        bucket.set(&format!("mine{at}"), "v").await.unwrap();
        neighbour.set(&format!("theirs{at}"), "v").await.unwrap();
    }
    fill(&neighbour, "x", 300).await;
    let given = neighbour.page(None).await.unwrap().next.map(|Cursor(text)| text).unwrap();
    let mine: BTreeSet<String> = bucket.keys().await.into_iter().collect();
    let (long, digits) = ("x".repeat(100_000), "9".repeat(10_000));
    let cursors = [
        &given,
        "",
        " ",
        "0",
        "1",
        "-1",
        "+1",
        "2",
        "300",
        "1e3",
        "0x1",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "9223372036854775808",
        "\0",
        "a\0b",
        "mine",
        "mine0",
        "mine99",
        "theirs0",
        "\u{10ffff}",
        "c/",
        "../c",
        "' OR 1=1 --",
        "0 MATCH *",
        "0\r\nKEYS *\r\n",
        "$KV.>",
        ">",
        "*",
        "c.theirs0",
        "%00",
        "٣",
        &long,
        &digits,
    ];
    for cursor in cursors {
        match bucket.page(Some(cursor)).await {
            Ok(page) => assert!(page.keys.iter().all(|key| mine.contains(key)), "{cursor:?}: {:?}", page.keys),
            Err(error) => assert_eq!(error, Error::BadCursor, "{cursor:?}"),
        }
        match empty.page(Some(cursor)).await {
            Ok(page) => assert_eq!(page.keys, [""; 0], "{cursor:?}"),
            Err(error) => assert_eq!(error, Error::BadCursor, "{cursor:?}"),
        }
    }
    assert_eq!(bucket.keys().await.len(), 20);
}

async fn a_page_may_be_asked_for_again(kind: Kind) {
    let world = World::new(kind);
    let bucket = world.bucket("b");
    fill(&bucket, "k", 600).await;
    let first = bucket.page(None).await.unwrap();
    let Some(Cursor(next)) = &first.next else { panic!("600 keys at once") };
    let walk = async |bucket: Bucket| {
        let mut keys: BTreeSet<String> = first.keys.iter().cloned().collect();
        let mut from = Some(Cursor(next.clone()));
        while let Some(Cursor(next)) = from {
            let page = bucket.page(Some(&next)).await.unwrap();
            keys.extend(page.keys);
            from = page.next;
        }
        keys.len()
    };
    // Nothing is kept of a listing: it goes on from the same cursor as often as one likes, also through another handle.
    assert_eq!(walk(bucket.clone()).await, 600);
    assert_eq!(walk(world.bucket("b")).await, 600);
    assert_eq!(walk(bucket).await, 600);
}
