//! What a call that can be repeated is told of files: the same by every store, and nothing of the host's times, order and identities.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caplet_vfs::{CallTime, FileStat, Namespace, NewTime, Timestamp};

use crate::world::{self, Guest, World, on_every_store};

/// A clock that a test moves.
#[derive(Debug, Default)]
struct Clock(AtomicU64);

const START: u64 = 1_000;

impl CallTime for Clock {
    fn start(&self) -> Timestamp {
        Timestamp { seconds: START, nanoseconds: 0 }
    }

    fn now(&self) -> Timestamp {
        Timestamp { seconds: START + self.0.load(Ordering::Relaxed), nanoseconds: 0 }
    }
}

/// A guest whose time stands where the clock does.
fn guest(world: &World) -> (Guest, Arc<Clock>) {
    let clock = Arc::new(Clock::default());
    let (guard, journal) = world::guard(&["write:/w/**"], &[]);
    let ns = Namespace::repeatable(world::config(&[("/w", &world.store)], guard), Arc::clone(&clock) as _);
    let base = ns.preopens()[0].0.clone();
    (Guest { ns, base, journal }, clock)
}

impl Clock {
    fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

/// Seconds after the start of the call at which something was read, written and changed.
fn times(stat: FileStat) -> [i64; 3] {
    let seconds = |time: Option<Timestamp>| i64::try_from(time.unwrap().seconds).unwrap() - 1_000;
    [seconds(stat.accessed), seconds(stat.modified), seconds(stat.changed)]
}

on_every_store!(directories_are_in_order, times_are_the_calls, identities_are_the_calls);

fn directories_are_in_order(world: &World) {
    world.add(&[("b", "1"), ("é", "2"), ("a/x", "3"), ("B", "4"), ("a/", ""), ("ab", "5")]);
    let (guest, _) = guest(world);
    let names = |path: &str| {
        let directory = guest.open_directory(path).unwrap();
        guest.ns.list(&directory).unwrap().map(|entry| entry.unwrap().name).collect::<Vec<_>>()
    };
    assert_eq!(names("."), ["B", "a", "ab", "b", "é"]);
    guest.write("a/w", "").unwrap();
    guest.write("a/z", "").unwrap();
    assert_eq!(names("a"), ["w", "x", "z"]);
}

fn times_are_the_calls(world: &World) {
    world.add(&[("old", "old"), ("d/", "")]);
    let (guest, clock) = guest(world);
    let told = |path: &str| guest.ns.stat_at(&guest.base, path, false).unwrap();
    for path in ["old", "d"] {
        let told = told(path);
        assert_eq!((times(told), told.links), ([0, 0, 0], 1), "{path}");
    }
    assert_eq!(told("old").size, 3);
    clock.set(5);
    guest.write("new", "four").unwrap();
    guest.ns.create_directory_at(&guest.base, "made").unwrap();
    guest.ns.symlink_at("new", &guest.base, "link").unwrap();
    assert_eq!((times(told("new")), told("new").size), ([5, 5, 5], 4));
    assert_eq!((times(told("made")), times(told("link"))), ([5; 3], [5; 3]));
    clock.set(7);
    guest.write("old", "older").unwrap();
    assert_eq!((times(told("old")), told("old").size), ([0, 7, 7], 5));
    clock.set(9);
    let at = NewTime::At(Timestamp { seconds: 3_000, nanoseconds: 0 });
    guest.ns.set_times_at(&guest.base, "old", false, at, NewTime::Now).unwrap();
    guest.ns.set_times_at(&guest.base, "d", false, NewTime::Keep, at).unwrap();
    assert_eq!((times(told("old")), times(told("d"))), ([2_000, 9, 9], [0, 2_000, 9]));
    clock.set(11);
    guest.ns.rename_at(&guest.base, "old", &guest.base, "renamed").unwrap();
    assert_eq!(times(told("renamed")), [2_000, 9, 11]);
    guest.write("old", "another").unwrap();
    assert_eq!(times(told("old")), [11; 3]);
}

fn identities_are_the_calls(world: &World) {
    world.add(&[("one", "1"), ("other", "2")]);
    let (guest, _) = guest(world);
    let told = |path: &str| guest.ns.metadata_hash_at(&guest.base, path, false).unwrap();
    let (one, other) = (told("one"), told("other"));
    assert_ne!(one, other);
    // That of a path is the same in every store and on every host.
    let elsewhere = World::memory();
    elsewhere.add(&[("one", "")]);
    let (same, _) = self::guest(&elsewhere);
    assert_eq!(one, same.ns.metadata_hash_at(&same.base, "one", false).unwrap());
    guest.ns.rename_at(&guest.base, "one", &guest.base, "moved").unwrap();
    assert_eq!(told("moved"), one, "it goes with the object");
    guest.write("one", "new").unwrap();
    assert!(told("one") != one && told("one") != other);
    guest.ns.unlink_at(&guest.base, "one").unwrap();
    let gone = told("moved");
    guest.write("one", "newer").unwrap();
    assert!(told("one") != gone && told("moved") == one);
}
