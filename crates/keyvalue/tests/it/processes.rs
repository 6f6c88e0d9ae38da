//! Eight processes on one store at once: no increment and no swap is lost, and what a killed one acknowledged is there.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::swap::add_by_swapping;
use crate::world::{Bucket, Kind, Settings, World, block_on, open, run};

const PROCESSES: usize = 8;
const ADDED_BY_EACH: usize = 40;
const SWAPPED_BY_EACH: usize = 15;

/// Tells this program, started again, what it is to do instead of its test, and where.
const TASK: &str = "CAPLET_KV_TASK";
const PLACE: &str = "CAPLET_KV_PLACE";

/// Starts this test once more as another process.
fn start(test: &str, task: &str, place: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([&format!("processes::{test}"), "--exact", "--nocapture"]).env(TASK, task).env(PLACE, place);
    child.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// What this process was started for, if it is one of the others.
fn task() -> Option<(String, Bucket)> {
    let task = std::env::var(TASK).ok()?;
    let place = std::env::var(PLACE).unwrap();
    Some((task, Bucket::new(open(&place, Settings::default()), "b")))
}

fn no_increment_is_lost(kind: Kind, test: &str) {
    if std::env::var_os(TASK).is_some() {
        return block_on(async {
            let (_add, bucket) = task().unwrap();
            for _time in 0..ADDED_BY_EACH {
                bucket.increment("added", 1).await.unwrap();
            }
            add_by_swapping(&bucket, "swapped", SWAPPED_BY_EACH).await;
        });
    }
    run(kind, async |kind| {
        let world = World::new(kind);
        let children: Vec<Child> = (0..PROCESSES).map(|_| start(test, "add", &world.place)).collect();
        for child in children {
            assert!(child.wait_with_output().unwrap().status.success());
        }
        let bucket = world.bucket("b");
        assert_eq!(bucket.text("added").await, Some((PROCESSES * ADDED_BY_EACH).to_string()));
        assert_eq!(bucket.text("swapped").await, Some((PROCESSES * SWAPPED_BY_EACH).to_string()));
    });
}

#[test]
fn no_increment_is_lost_in_sqlite() {
    no_increment_is_lost(Kind::Sqlite, "no_increment_is_lost_in_sqlite");
}

#[test]
fn no_increment_is_lost_in_redis() {
    no_increment_is_lost(Kind::Redis, "no_increment_is_lost_in_redis");
}

#[test]
fn no_increment_is_lost_in_nats() {
    no_increment_is_lost(Kind::Nats, "no_increment_is_lost_in_nats");
}

/// A process is killed while it writes as fast as it can, beside another. What it said was written is there, and the store is whole.
#[test]
fn a_killed_writer_takes_nothing_back() {
    const TEST: &str = "a_killed_writer_takes_nothing_back";
    if std::env::var_os(TASK).is_some() {
        return block_on(async {
            let (name, bucket) = task().unwrap();
            for at in 0_u64.. {
                let key = format!("{name}-{}", at % 10);
                bucket
                    .set(&key, format!("{at}{}", "x".repeat(usize::try_from(at * 997 % 20_000).unwrap())))
                    .await
                    .unwrap();
                writeln!(std::io::stdout(), "\nwrote {at}").unwrap();
            }
        });
    }
    run(Kind::Sqlite, async |kind| {
        let world = World::new(kind);
        for round in 0..5 {
            let mut children = [0, 1].map(|at| start(TEST, &format!("{round}{at}"), &world.place));
            let written = children.each_mut().map(|child| {
                let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
                lines.filter_map(|line| line.strip_prefix("wrote ")?.parse::<u64>().ok())
            });
            let [mut first, mut second] = written;
            let seen = first.by_ref().take(20 + 7 * round).last();
            children.iter_mut().for_each(|child| child.kill().unwrap());
            children.iter_mut().for_each(|child| assert!(!child.wait().unwrap().success()));
            let last = [first.last().or(seen).unwrap(), second.by_ref().last().unwrap_or(0)];
            let bucket = world.bucket("b");
            for (at, last) in last.into_iter().enumerate() {
                for written in last.saturating_sub(9)..=last {
                    // It may have begun with the next, but not taken this one away.
                    let Some(text) = bucket.text(&format!("{round}{at}-{}", written % 10)).await else {
                        assert_eq!(last, 0, "{written} is missing");
                        continue;
                    };
                    let found: u64 = text.trim_end_matches('x').parse().unwrap();
                    assert!(found == written || found == written + 10, "{found} in place of {written}");
                }
            }
        }
        // Nothing counts twice: what is deleted again leaves room for everything.
        let settings = Settings { quota: 1 << 20, ttl: None };
        let bucket = Bucket::new(open(&world.place, settings), "b");
        for key in bucket.keys().await {
            bucket.delete(&key).await.unwrap();
        }
        let whole = usize::try_from(settings.quota - caplet_keyvalue::ENTRY_BYTES - 2).unwrap();
        bucket.set("k", vec![0; whole]).await.unwrap();
    });
}
