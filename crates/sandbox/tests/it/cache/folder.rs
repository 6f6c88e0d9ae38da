//! The folder and its key: this user's alone, or refused.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::thread;

use caplet_sandbox::{Cache, CacheError};

use super::{Change, HOUR, ROOM, age, got, names, rewrite, set_mode, world};

#[test]
fn files_are_the_users_alone() {
    let (world, cache) = world();
    cache.put("entry", b"x").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&world.path().join("a")), 0o700);
    assert_eq!(mode(cache.folder()), 0o700);
    assert_eq!(mode(&cache.folder().join("key")) & 0o077, 0);
    assert_eq!(mode(&cache.folder().join("entry")), 0o400);
    assert_eq!(names(&cache), ["entry", "key"]);
}

#[test]
fn a_folder_that_others_can_reach_is_refused() {
    let world = tempfile::tempdir().unwrap();
    let at = |name: &str| world.path().join(name);
    for mode in [0o755, 0o750, 0o710, 0o701, 0o702, 0o770] {
        fs::create_dir_all(at("open")).unwrap();
        set_mode(&at("open"), mode);
        let refused = Cache::open(&at("open"), ROOM).unwrap_err();
        assert!(matches!(refused, CacheError::Folder { .. }), "{mode:o}: {refused}");
        assert!(refused.hint().unwrap().contains("chmod 700"));
    }
    fs::create_dir(at("real")).unwrap();
    set_mode(&at("real"), 0o700);
    symlink("real", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    fs::write(at("file"), "").unwrap();
    for refused in ["link", "link/", "link/.", "dangling", "file"] {
        let error = Cache::open(&at(refused), ROOM).unwrap_err();
        assert!(matches!(error, CacheError::Folder { .. }), "{refused}: {error}");
    }
    assert_eq!(fs::read_dir(at("real")).unwrap().count(), 0);
    Cache::open(&at("real/"), ROOM).unwrap();
}

#[test]
fn a_folder_with_other_files_does_not_become_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o700);
    fs::write(folder.path().join("letter.txt"), "dear reader").unwrap();
    let refused = Cache::open(folder.path(), ROOM).unwrap_err();
    assert!(matches!(refused, CacheError::Occupied(_)), "{refused}");
    assert!(refused.hint().is_some());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // What a stopped process began is nobody's file.
    fs::rename(folder.path().join("letter.txt"), folder.path().join(".new-1")).unwrap();
    Cache::open(folder.path(), ROOM).unwrap();
}

#[test]
fn what_happens_to_the_path_leads_nowhere_else() {
    let (world, cache) = world();
    let moved = world.path().join("moved");
    fs::rename(cache.folder(), &moved).unwrap();
    let decoy = tempfile::tempdir().unwrap();
    fs::write(decoy.path().join("letter.txt"), "dear reader").unwrap();
    symlink(decoy.path(), cache.folder()).unwrap();
    cache.put("entry", b"x").unwrap();
    assert_eq!(got(&cache, "entry").unwrap(), b"x");
    assert_eq!(cache.clear().unwrap().entries, 1);
    assert!(decoy.path().join("letter.txt").exists());
    assert_eq!(fs::read_dir(&moved).unwrap().count(), 1);
}

#[test]
fn a_key_that_is_not_this_users_alone_is_refused() {
    let changes: [(&str, Change); 8] = [
        ("short", |path| rewrite(path, |key| key.truncate(31))),
        ("empty", |path| rewrite(path, Vec::clear)),
        ("long", |path| rewrite(path, |key| key.push(0))),
        ("group may read", |path| set_mode(path, 0o440)),
        ("others may write", |path| set_mode(path, 0o402)),
        ("second name", |path| fs::hard_link(path, path.with_file_name("second")).unwrap()),
        ("link", |path| {
            fs::rename(path, path.with_file_name("real")).unwrap();
            symlink("real", path).unwrap();
        }),
        ("folder", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for (change, apply) in changes {
        let (_world, cache) = world();
        apply(&cache.folder().join("key"));
        let refused = Cache::open(cache.folder(), ROOM).unwrap_err();
        assert!(matches!(refused, CacheError::Key(_)), "{change}: {refused}");
        assert!(refused.hint().unwrap().contains("key"));
    }
}

#[test]
fn a_key_whose_maker_was_stopped_is_of_use() {
    let (_world, cache) = world();
    cache.put("entry", b"x").unwrap();
    fs::hard_link(cache.folder().join("key"), cache.folder().join(".new-begun")).unwrap();
    let again = Cache::open(cache.folder(), ROOM).unwrap();
    assert_eq!(got(&again, "entry").unwrap(), b"x");
    assert_eq!(names(&again), ["entry", "key"]);
}

#[test]
fn a_folder_that_cannot_be_written_can_be_read() {
    let (_world, cache) = world();
    cache.put("entry", b"x").unwrap();
    age(&cache.folder().join("entry"), 2 * HOUR);
    set_mode(cache.folder(), 0o500);
    let folder = cache.folder().to_owned();
    // On a thread of its own: there, even root is held to the mode.
    let done = thread::spawn(move || {
        drop_privileges();
        let cache = Cache::open(&folder, ROOM).unwrap();
        assert_eq!(got(&cache, "entry").unwrap(), b"x");
        for refused in
            [cache.put("entry", b"y"), cache.put("new", b"y"), cache.remove("entry"), cache.clear().map(drop)]
        {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, CacheError::Io { .. }), "{refused}");
        }
        assert_eq!(got(&cache, "entry").unwrap(), b"x");
    });
    let done = done.join();
    set_mode(cache.folder(), 0o700);
    done.unwrap();
}

fn drop_privileges() {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).unwrap();
}
