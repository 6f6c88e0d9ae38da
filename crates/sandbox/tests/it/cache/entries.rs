//! An entry is what was put under its name, or it is refused.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;

use caplet_sandbox::CacheError;

use super::{Change, ROOM, TRAILER, bytes, got, refusal, rewrite, set_mode, world};

#[test]
fn what_is_put_is_got() {
    let (_world, cache) = world();
    let mib = 1 << 20;
    // On both sides of what is read, and hashed, in one piece, by one thread and by several.
    for length in [0, 1, 1023, 1025, mib / 4, mib / 4 + 1, mib - 1, mib, mib + 1, 4 * mib, 9 * mib + 7] {
        let payload = bytes(length, 3);
        cache.put("code.bin", &payload).unwrap();
        let entry = cache.get("code.bin").unwrap().unwrap();
        assert_eq!((entry.len(), entry.is_empty()), (length as u64, length == 0));
        assert_eq!(entry.read().unwrap(), payload);
        assert_eq!(entry.file().metadata().unwrap().len(), length as u64 + TRAILER);
        // The payload comes first, in a file that the path leads to even when the name is gone.
        cache.remove("code.bin").unwrap();
        assert_eq!(fs::read(entry.path()).unwrap()[..length], payload);
        assert!(cache.get("code.bin").unwrap().is_none());
    }
}

#[test]
fn what_was_never_put_is_absent_and_can_be_removed() {
    let (_world, cache) = world();
    assert!(cache.get("none").unwrap().is_none());
    cache.remove("none").unwrap();
}

#[test]
fn every_changed_byte_is_found() {
    let (_world, cache) = world();
    for length in [300, (2 << 20) + 5] {
        let middle = length / 2;
        let trailer = length..length + TRAILER as usize;
        for at in [0, 1, middle, length - 1].into_iter().chain(trailer) {
            cache.put("entry", &bytes(length, 7)).unwrap();
            rewrite(&cache.folder().join("entry"), |whole| whole[at] ^= 1);
            assert!(cache.get("entry").is_err(), "byte {at} of {length}");
        }
        cache.put("entry", &bytes(length, 8)).unwrap();
        assert_eq!(got(&cache, "entry"), Some(bytes(length, 8)), "and another takes its place");
    }
}

#[test]
fn a_file_of_another_length_is_found() {
    let (_world, cache) = world();
    let whole = 300 + TRAILER as usize;
    let lengths = [0, 1, 55, 56, 57, 299, 300, 301, whole - 1, whole + 1, whole + 56, 2 * whole];
    for length in lengths {
        cache.put("entry", &bytes(300, 7)).unwrap();
        rewrite(&cache.folder().join("entry"), |bytes| bytes.resize(length, 0));
        assert!(cache.get("entry").is_err(), "{length} bytes");
    }
    // A payload that ends like an entry is still the payload.
    cache.put("entry", &bytes(300, 7)).unwrap();
    let inner = fs::read(cache.folder().join("entry")).unwrap();
    cache.put("entry", &inner).unwrap();
    assert_eq!(got(&cache, "entry"), Some(inner));
    rewrite(&cache.folder().join("entry"), |bytes| bytes.truncate(whole));
    assert_eq!(got(&cache, "entry"), Some(bytes(300, 7)), "which this user did write under this name");
}

#[test]
fn parts_that_change_places_are_found() {
    let (_world, cache) = world();
    let mib = 1 << 20;
    cache.put("entry", &[bytes(mib, 1), bytes(mib, 2), bytes(mib, 3)].concat()).unwrap();
    rewrite(&cache.folder().join("entry"), |whole| whole[..2 * mib].rotate_left(mib));
    assert!(refusal(&cache, "entry").contains("not what was written"));
}

#[test]
fn an_entry_stands_for_no_other() {
    let (_world, ours) = world();
    let (_other_world, theirs) = world();
    ours.put("a", b"one").unwrap();
    ours.put("b", b"two").unwrap();
    theirs.put("c", b"three").unwrap();
    let path = |name: &str| ours.folder().join(name);
    fs::rename(path("a"), path("kept")).unwrap();
    fs::rename(path("b"), path("a")).unwrap();
    fs::rename(path("kept"), path("b")).unwrap();
    fs::copy(theirs.folder().join("c"), path("c")).unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(refusal(&ours, name), "it is not what was written under this name with this key", "{name}");
    }
}

#[test]
fn only_a_file_of_this_users_alone_is_an_entry() {
    let changes: [(&str, &str, Change); 9] = [
        ("link", "it is a link", |path| {
            fs::rename(path, path.with_file_name("real")).unwrap();
            symlink("real", path).unwrap();
        }),
        ("dangling link", "it is a link", |path| {
            fs::remove_file(path).unwrap();
            symlink("nowhere", path).unwrap();
        }),
        ("folder", "not a regular file", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("pipe", "not a regular file", |path| {
            fs::remove_file(path).unwrap();
            let mode = rustix::fs::Mode::RUSR;
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }),
        ("socket", "cannot be opened", |path| {
            fs::remove_file(path).unwrap();
            drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        }),
        ("hard link", "another name", |path| fs::hard_link(path, path.with_file_name("second")).unwrap()),
        ("group may write", "this user's alone", |path| set_mode(path, 0o420)),
        ("others may read", "this user's alone", |path| set_mode(path, 0o404)),
        ("too large", "larger than the cache keeps", |path| {
            set_mode(path, 0o600);
            OpenOptions::new().write(true).open(path).unwrap().set_len(ROOM + 1).unwrap();
        }),
    ];
    for (change, expected, apply) in changes {
        let (_world, cache) = world();
        cache.put("entry", b"what was put").unwrap();
        apply(&cache.folder().join("entry"));
        let refusal = refusal(&cache, "entry");
        assert!(refusal.contains(expected), "{change}: {refusal}");
        // The caller builds it again, which puts things right, but for a folder that holds who knows what.
        let again = cache.put("entry", b"put again");
        assert_eq!(again.is_err(), change == "folder", "{change}");
        if again.is_ok() {
            assert_eq!(got(&cache, "entry").unwrap(), b"put again", "{change}");
        }
    }
}

#[test]
fn an_entry_of_another_user_is_refused() {
    let (_world, cache) = world();
    cache.put("entry", b"x").unwrap();
    // Only a user who may give files away can try.
    if std::os::unix::fs::chown(cache.folder().join("entry"), Some(12345), None).is_ok() {
        assert!(refusal(&cache, "entry").contains("this user's alone"));
    }
}

#[test]
fn names_are_plain() {
    let (_world, cache) = world();
    let long = "n".repeat(200);
    for good in ["a", "A-1_b.c", "-", "key.x", "a..b", &long] {
        cache.put(good, good.as_bytes()).unwrap();
        assert_eq!(got(&cache, good).unwrap(), good.as_bytes());
    }
    let too_long = "n".repeat(201);
    for bad in ["", ".", "..", ".hidden", "a/b", "/a", "../key", "a b", "a\0", "ä", "a\n", "key", "KEY", &too_long] {
        assert!(matches!(cache.put(bad, b"x"), Err(CacheError::Name(_))), "{bad:?}");
        assert!(matches!(cache.remove(bad), Err(CacheError::Name(_))), "{bad:?}");
        assert!(cache.get(bad).is_err(), "{bad:?}");
    }
}
