//! Servers that go away, come back, stop answering, or never say a word.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_keyvalue::{Error, Namespace, NatsStore, RedisStore, ServerOptions, Store};
use tempfile::TempDir;

use crate::servers::{Home, Program, Setup, mute};
use crate::world::{Bucket, block_on};

const BOTH: [Program; 2] = [Program::Redis, Program::Nats];

fn home(program: Program, directory: &Path) -> Option<Home> {
    let more: &[&str] = match program {
        // With the default, once a second, Redis may acknowledge while an earlier write is still on its way to the disk.
        Program::Redis => &["--appendonly", "yes", "--appendfsync", "always"],
        Program::Nats => &[],
    };
    Home::new(program, directory, Setup { more })
}

fn connect(program: Program, port: u16, patience: Duration) -> Bucket {
    let namespace = Namespace::parse("outage").unwrap();
    let options = ServerOptions { namespace, ttl: None, connect: patience, operation: patience };
    let store: Arc<dyn Store> = match program {
        Program::Redis => Arc::new(RedisStore::connect(&format!("redis://127.0.0.1:{port}"), options).unwrap()),
        Program::Nats => Arc::new(NatsStore::connect(&format!("nats://127.0.0.1:{port}"), options).unwrap()),
    };
    Bucket::new(store, "b")
}

fn each(test: impl AsyncFn(Program, &Path, Home)) {
    for program in BOTH {
        let directory = TempDir::new().unwrap();
        if let Some(home) = home(program, directory.path()) {
            block_on(test(program, directory.path(), home));
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    acknowledged: u32,
    unsure: u32,
    unavailable: u32,
}

/// Sets new keys and adds to one, until told to stop. Gives the keys that were acknowledged, and how it went with the number.
async fn write_on(bucket: Bucket, stop: Arc<std::sync::atomic::AtomicBool>) -> (Vec<String>, Tally, Tally) {
    let (mut keys, mut set, mut added) = (Vec::new(), Tally::default(), Tally::default());
    let count = |tally: &mut Tally, done: Result<(), Error>| match done {
        Ok(()) => tally.acknowledged += 1,
        Err(Error::Unsure(_)) => tally.unsure += 1,
        Err(Error::Unavailable(_)) => tally.unavailable += 1,
        Err(other) => panic!("{other}"),
    };
    for at in 0.. {
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        let key = format!("k{at}");
        let done = bucket.set(&key, &key).await;
        if done.is_ok() {
            keys.push(key);
        }
        count(&mut set, done);
        count(&mut added, bucket.increment("n", 1).await.map(|_sum| ()));
    }
    (keys, set, added)
}

#[test]
fn what_was_acknowledged_outlasts_the_server() {
    each(async |program, _directory, home| {
        let mut server = home.start();
        let bucket = connect(program, home.port(), Duration::from_secs(5));
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let writer = tokio::spawn(write_on(bucket.clone(), Arc::clone(&stop)));
        let reader = connect(program, home.port(), Duration::from_secs(5));
        for round in 1..=3 {
            let is_beyond = |text: Option<String>| text.is_some_and(|text| text.parse::<u32>().unwrap() >= round * 50);
            crate::world::eventually("progress", async || is_beyond(reader.text("n").await)).await;
            drop(server);
            server = home.start();
        }
        let before: u32 = reader.text("n").await.unwrap().parse().unwrap();
        let is_beyond = |text: Option<String>| text.is_some_and(|text| text.parse::<u32>().unwrap() > before + 10);
        crate::world::eventually("progress after the outage", async || is_beyond(reader.text("n").await)).await;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let (keys, set, added) = writer.await.unwrap();

        let sum: u32 = bucket.text("n").await.unwrap().parse().unwrap();
        let possible = added.acknowledged..=added.acknowledged + added.unsure;
        assert!(possible.contains(&sum), "{program:?}: {sum} is not in {possible:?}");
        for key in &keys {
            assert_eq!(bucket.text(key).await.as_ref(), Some(key), "{program:?}");
        }
        // Each outage can leave one write of each kind in doubt, and refuse one where the new server takes longer than the patience.
        for tally in [&set, &added] {
            assert!(tally.unsure <= 3 && tally.unavailable <= 3, "{program:?}: {set:?} {added:?}");
        }
        drop(server);
    });
}

#[test]
fn a_server_that_is_away_is_unavailable_until_it_is_back() {
    each(async |program, _directory, home| {
        let bucket = connect(program, home.port(), Duration::from_millis(300));
        let is_unavailable = async |bucket: &Bucket| {
            let start = Instant::now();
            let (seen, set, added) = tokio::join!(bucket.look("k"), bucket.set("k", "w"), bucket.increment("n", 1));
            let (deleted, page, opened) = tokio::join!(bucket.delete("k"), bucket.page(None), bucket.open());
            let (seen, added, page) = (seen.map(|_| ()), added.map(|_| ()), page.map(|_| ()));
            for done in [seen, set, added, deleted, page, opened] {
                assert!(matches!(done, Err(Error::Unavailable(_))), "{program:?}: {done:?}");
            }
            assert!(start.elapsed() < Duration::from_secs(5), "{program:?}: it took {:?}", start.elapsed());
        };
        is_unavailable(&bucket).await;
        let server = home.start();
        bucket.set("k", "v").await.unwrap();
        drop(server);
        // The first may find out that the connection broke just now.
        let _first = bucket.get("k").await;
        is_unavailable(&bucket).await;
        // The same handle, as soon as it is back: one that waits meanwhile gets its answer.
        let waiting = connect(program, home.port(), Duration::from_secs(10));
        let waiting = tokio::spawn(async move { waiting.text("k").await });
        let server = home.start();
        assert_eq!(waiting.await.unwrap().as_deref(), Some("v"));
        assert_eq!(bucket.text("k").await.as_deref(), Some("v"), "what was refused was not done");
        assert_eq!(bucket.increment("n", 1).await, Ok(1));
        drop(server);
    });
}

#[test]
fn a_server_that_stops_answering_leaves_writes_in_doubt_and_reads_undone() {
    each(async |program, _directory, home| {
        let server = home.start();
        let bucket = connect(program, home.port(), Duration::from_millis(400));
        bucket.set("k", "v").await.unwrap();
        let others = [(); 3].map(|()| connect(program, home.port(), Duration::from_millis(400)));
        for other in &others {
            other.increment("n", 1).await.unwrap();
        }
        server.freeze();
        let start = Instant::now();
        let read = bucket.get("k").await;
        assert!(matches!(read, Err(Error::Unavailable(_))), "{program:?}: {read:?}");
        let written = others[0].set("k", "w").await;
        assert!(matches!(written, Err(Error::Unsure(_))), "{program:?}: {written:?}");
        if program == Program::Redis {
            // In one step there; elsewhere it begins with a read, which surely was not done.
            let added = others[1].increment("n", 1).await;
            assert!(matches!(added, Err(Error::Unsure(_))), "{program:?}: {added:?}");
        }
        assert!(start.elapsed() < Duration::from_secs(6), "{program:?}: it took {:?}", start.elapsed());
        server.thaw();
        crate::world::eventually("an answer", async || bucket.get("k").await.is_ok()).await;
        bucket.set("after", "v").await.unwrap();
        assert_eq!(others[2].text("after").await.as_deref(), Some("v"));
    });
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_longer_than_allowed() {
    let (_listener, port) = mute();
    for program in BOTH {
        block_on(async {
            let bucket = connect(program, port, Duration::from_millis(200));
            let start = Instant::now();
            let (read, written) = tokio::join!(bucket.get("k"), bucket.set("k", "v"));
            assert!(matches!(read, Err(Error::Unavailable(_))), "{program:?}: {read:?}");
            assert!(matches!(written, Err(Error::Unavailable(_))), "{program:?}: {written:?}");
            assert!(start.elapsed() < Duration::from_secs(2), "{program:?}: it took {:?}", start.elapsed());
        });
    }
}

/// A store is used from the runtime of one call, which ends, and then from that of another.
#[test]
fn a_store_outlives_the_runtime_that_it_connected_on() {
    for program in BOTH {
        let directory = TempDir::new().unwrap();
        let Some(home) = home(program, directory.path()) else { continue };
        let _server = home.start();
        let bucket = connect(program, home.port(), Duration::from_secs(5));
        for round in 1..=3 {
            assert_eq!(block_on(bucket.increment("n", 1)), Ok(round), "{program:?}");
        }
    }
}

#[test]
fn a_full_server_is_full() {
    for (program, more) in [
        (Program::Redis, &["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"][..]),
        (Program::Nats, &["max_payload: 1048576"][..]),
    ] {
        let directory = TempDir::new().unwrap();
        let Some(home) = Home::new(program, directory.path(), Setup { more }) else { continue };
        let _server = home.start();
        block_on(async {
            let bucket = connect(program, home.port(), Duration::from_secs(5));
            let large = vec![0; 1 << 20];
            if program == Program::Nats {
                // There it is the largest message that is bounded: a value fits alone, and not with a header.
                bucket.set("k", &large).await.unwrap();
                let seen = bucket.look("k").await.unwrap();
                for done in [bucket.swap("k", &seen, &large).await.map(|_| ()), bucket.set("k", vec![0; 1 << 22]).await]
                {
                    let Err(Error::Unavailable(why)) = done else { panic!("{done:?}") };
                    assert!(why.contains("max_payload is 1048576 bytes"), "{why}");
                }
            } else {
                let mut at = 0;
                while bucket.set(&at.to_string(), &large).await.is_ok() {
                    at += 1;
                    assert!(at < 10, "it takes more than it may hold");
                }
                assert_eq!(bucket.set("x", &large).await, Err(Error::Full));
                assert_eq!(bucket.get("x").await, Ok(None));
            }
            bucket.delete("k").await.unwrap();
        });
    }
}
