//! What the cache keeps, and what it lets go of.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use caplet_sandbox::{Cache, CacheError};

use super::{HOUR, TRAILER, age, bytes, got, names, world};

#[test]
fn what_is_larger_than_the_cache_is_refused() {
    let world = tempfile::tempdir().unwrap();
    let cache = Cache::open(&world.path().join("cache"), 1000).unwrap();
    cache.put("fits", &bytes(1000 - TRAILER as usize, 0)).unwrap();
    let refused = cache.put("more", &bytes(1001 - TRAILER as usize, 0)).unwrap_err();
    assert!(matches!(refused, CacheError::TooLarge { bytes: 1001, max_bytes: 1000 }), "{refused}");
    assert_eq!(names(&cache), ["fits", "key"], "and nothing was let go of for it");
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let world = tempfile::tempdir().unwrap();
    let size = 100 + TRAILER;
    let cache = Cache::open(&world.path().join("cache"), 3 * size).unwrap();
    for (name, hours) in [("a", 30), ("b", 20), ("c", 10)] {
        cache.put(name, &bytes(100, 0)).unwrap();
        age(&cache.folder().join(name), HOUR * hours);
    }
    assert_eq!(cache.stats().unwrap().bytes, 3 * size);
    // Use counts, and getting is use.
    assert!(got(&cache, "a").is_some());
    cache.put("d", &bytes(100, 0)).unwrap();
    assert_eq!(names(&cache), ["a", "c", "d", "key"]);
    // One that needs the room of all others stays, however old the clock makes it.
    cache.put("e", &bytes(300, 0)).unwrap();
    assert_eq!(names(&cache), ["e", "key"]);
    let stats = cache.stats().unwrap();
    assert_eq!((stats.entries, stats.bytes, stats.max_bytes), (1, 300 + TRAILER, 3 * size));
}

#[test]
fn use_is_noted_once_an_hour() {
    let (_world, cache) = world();
    cache.put("entry", b"x").unwrap();
    let path = cache.folder().join("entry");
    for (minutes, is_noted) in [(59, false), (61, true)] {
        age(&path, Duration::from_secs(minutes * 60));
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(got(&cache, "entry").is_some());
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap() > before, is_noted, "after {minutes} minutes");
    }
    // A time to come, of a clock that was wrong, would keep an entry for ever.
    let now = SystemTime::now();
    File::open(&path).unwrap().set_modified(now + 2 * HOUR).unwrap();
    assert!(got(&cache, "entry").is_some());
    assert!(fs::metadata(&path).unwrap().modified().unwrap() < now + HOUR);
}

#[test]
fn what_gone_processes_left_is_removed() {
    let (_world, cache) = world();
    for (name, minutes) in [(".new-old", 61), (".new-young", 59), (".other", 600)] {
        fs::write(cache.folder().join(name), "part").unwrap();
        age(&cache.folder().join(name), Duration::from_secs(minutes * 60));
    }
    cache.put("entry", b"x").unwrap();
    assert_eq!(names(&cache), [".new-young", ".other", "entry", "key"]);
    assert_eq!(cache.stats().unwrap().entries, 1);
}

#[test]
fn clearing_removes_all_entries_and_nothing_else() {
    let (world, cache) = world();
    let outside = world.path().join("outside");
    fs::write(&outside, "").unwrap();
    let key = fs::read(cache.folder().join("key")).unwrap();
    cache.put("a", b"12").unwrap();
    cache.put("b", b"345").unwrap();
    symlink(&outside, cache.folder().join("link")).unwrap();
    fs::create_dir(cache.folder().join("folder")).unwrap();
    fs::write(cache.folder().join("no name"), "").unwrap();
    assert_eq!(cache.clear().unwrap().entries, 3);
    assert_eq!(names(&cache), ["folder", "key", "no name"]);
    assert_eq!(fs::read(cache.folder().join("key")).unwrap(), key);
    assert_eq!((cache.stats().unwrap().entries, cache.stats().unwrap().bytes), (0, 0));
    assert!(outside.exists());
}
