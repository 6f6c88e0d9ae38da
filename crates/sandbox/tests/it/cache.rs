//! The cache on disk: what was put is got, whole, and nothing else ever is, whatever is done to the folder.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, SystemTime};

use caplet_sandbox::{Cache, CacheError};
use tempfile::TempDir;

const ROOM: u64 = 64 << 20;
/// What comes after an entry's bytes: a magic, a length and a MAC.
const TRAILER: u64 = 16 + 8 + 32;
const HOUR: Duration = Duration::from_secs(60 * 60);
/// The folder that a second process of a test is to work in.
const SHARED: &str = "CAPLET_TEST_SHARED_CACHE";

fn world() -> (TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(&folder.path().join("a/cache"), ROOM).unwrap();
    (folder, cache)
}

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ seed).collect()
}

fn got(cache: &Cache, name: &str) -> Option<Vec<u8>> {
    cache.get(name).unwrap().map(|entry| entry.read().unwrap())
}

fn refusal(cache: &Cache, name: &str) -> String {
    cache.get(name).expect_err("it is not used").to_string()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn names(cache: &Cache) -> Vec<String> {
    let listed = fs::read_dir(cache.folder()).unwrap();
    let mut names: Vec<_> = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn age(path: &Path, age: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// Changes the file of an entry with no regard for its mode.
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut whole = fs::read(path).unwrap();
    change(&mut whole);
    set_mode(path, 0o600);
    fs::write(path, whole).unwrap();
    set_mode(path, 0o400);
}

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
    let changes: [(&str, &str, fn(&Path)); 9] = [
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

#[test]
fn what_is_larger_than_the_cache_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), 1000).unwrap();
    cache.put("fits", &bytes(1000 - TRAILER as usize, 0)).unwrap();
    let refused = cache.put("more", &bytes(1001 - TRAILER as usize, 0)).unwrap_err();
    assert!(matches!(refused, CacheError::TooLarge { bytes: 1001, max_bytes: 1000 }), "{refused}");
    assert_eq!(names(&cache), ["fits", "key"], "and nothing was let go of for it");
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let size = 100 + TRAILER;
    let cache = Cache::open(folder.path(), 3 * size).unwrap();
    for (name, hours) in [("a", 30), ("b", 20), ("c", 10)] {
        cache.put(name, &bytes(100, 0)).unwrap();
        age(&folder.path().join(name), HOUR * hours);
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
    let (_world, cache) = world();
    let key = fs::read(cache.folder().join("key")).unwrap();
    cache.put("a", b"12").unwrap();
    cache.put("b", b"345").unwrap();
    symlink("/etc/hostname", cache.folder().join("link")).unwrap();
    fs::create_dir(cache.folder().join("folder")).unwrap();
    fs::write(cache.folder().join("no name"), "").unwrap();
    assert_eq!(cache.clear().unwrap().entries, 3);
    assert_eq!(names(&cache), ["folder", "key", "no name"]);
    assert_eq!(fs::read(cache.folder().join("key")).unwrap(), key);
    assert_eq!((cache.stats().unwrap().entries, cache.stats().unwrap().bytes), (0, 0));
    assert!(Path::new("/etc").is_dir());
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
    let changes: [(&str, fn(&Path)); 8] = [
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
fn a_race_for_the_key_has_one_winner() {
    for _ in 0..20 {
        let world = tempfile::tempdir().unwrap();
        let folder = world.path().join("cache");
        let start = Barrier::new(16);
        let caches: Vec<Cache> = thread::scope(|scope| {
            let open = || {
                start.wait();
                Cache::open(&folder, ROOM).unwrap()
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        caches[0].put("entry", b"x").unwrap();
        assert!(caches.iter().all(|cache| got(cache, "entry").as_deref() == Some(b"x")));
        assert_eq!(names(&caches[0]), ["entry", "key"]);
    }
}

/// Writes and reads one name many times. Every reading must be one writing, whole.
fn work_in(folder: &Path, worker: u8) {
    let cache = Cache::open(folder, ROOM).unwrap();
    for round in 0..200_usize {
        let seed = worker.wrapping_mul(31) ^ round as u8;
        // Now and then one that several threads hash.
        let length = if round % 20 == 0 { 3 << 20 } else { round * 37 };
        if round % 3 == 0 {
            cache.put("shared", &bytes(length, seed)).unwrap();
        }
        if round % 50 == 49 {
            cache.remove("shared").unwrap();
        }
        if let Some(read) = got(&cache, "shared") {
            let seed = read.first().copied().unwrap_or_default();
            assert!(read == bytes(read.len(), seed), "a reading that nobody wrote");
        }
    }
}

/// Not a test of its own: what the second process of the next one runs.
#[test]
fn second_process() {
    if let Some(folder) = std::env::var_os(SHARED) {
        work_in(Path::new(&folder), 9);
    }
}

#[test]
fn threads_and_processes_share_a_folder() {
    let world = tempfile::tempdir().unwrap();
    let folder: PathBuf = world.path().join("cache");
    let begin = || -> Child {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", "cache::second_process"]).env(SHARED, &folder).spawn().unwrap()
    };
    let processes = [begin(), begin()];
    thread::scope(|scope| {
        for worker in 0..2 {
            let folder = &folder;
            scope.spawn(move || work_in(folder, worker));
        }
    });
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let left = names(&Cache::open(&folder, ROOM).unwrap());
    assert!(left == ["key"] || left == ["key", "shared"], "{left:?}");
}

#[test]
fn a_writer_may_be_killed_at_any_time() {
    let world = tempfile::tempdir().unwrap();
    let folder = world.path().join("cache");
    for round in 0..20_u32 {
        let mut program = Command::new(std::env::current_exe().unwrap());
        let program = program.args(["--exact", "cache::second_process"]).env(SHARED, &folder);
        let mut writer = program.stdout(std::process::Stdio::null()).spawn().unwrap();
        // As many looks as make the moment another one each time: at the start, and in the midst of writing.
        for _ in 0..round * 40 {
            let _ = fs::read_dir(&folder).map(Iterator::count);
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let cache = Cache::open(&folder, ROOM).unwrap();
        cache.get("shared").unwrap();
        cache.put("shared", b"x").unwrap();
        assert_eq!(got(&cache, "shared").unwrap(), b"x");
    }
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
