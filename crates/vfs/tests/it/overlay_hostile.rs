//! Attacks on an overlay: by its guests, by whoever can write to the place for the changes, and by whoever can to the directory.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::thread;

use caplet_policy::{GuestPath, Search, Write};
use caplet_vfs::overlay::Choice;
use caplet_vfs::{FsError, MemoryStore, Name, OverlayStore};
use sha2::{Digest as _, Sha256};

use crate::overlay::{Aside, Opened, UPPERS, lines, put};
use crate::world::{BOTH, CREATE, Guest, OPEN, READ, TRUNCATE, WRITE, World, code, guard};

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names that a guest uses are the guest's, whatever the bookkeeping calls its own.
#[test]
fn names_of_the_bookkeeping_are_names_like_any_other_for_a_guest() {
    let aside =
        Aside::new(&[("d/file", "lower"), (".caplet~overlay", "the directory's own"), ("d/.caplet~origin", "lower")]);
    let before = aside.below();
    let opened = aside.open();
    let guest = opened.guest();
    assert_eq!(guest.names("."), [".caplet~overlay", "d"]);
    assert_eq!(guest.read(".caplet~overlay").as_deref(), Ok("the directory's own"));
    let gone = format!(".caplet~gone~{}", hash("file"));
    let long = format!(".caplet~{}", "n".repeat(Name::MAX_BYTES - 8));
    let names = [
        ".caplet~overlay",
        ".caplet~ledger",
        ".caplet~origin",
        ".caplet~draft~0",
        ".caplet~",
        ".CAPLET~origin",
        &gone,
        &long,
        ".caplet~name~x",
        ".caplet~commit~x",
    ];
    for name in names {
        let path = format!("d/{name}");
        assert_eq!(guest.write(&path, name), Ok(()), "{name}");
        assert_eq!(guest.read(&path).as_deref(), Ok(name), "{name}");
    }
    // As links, with the text of a record, and as directories, moved and linked about.
    assert_eq!(guest.symlink("from d", "d/.caplet~mode~x"), Ok(()));
    assert_eq!(guest.symlink(&format!("gone {}", "file"), &format!("d/.caplet~gone~{}x", hash("file"))), Ok(()));
    assert_eq!(guest.mkdir("new"), Ok(()));
    assert_eq!(guest.symlink("from d", "new/.caplet~origin"), Ok(()), "does not make it continue another directory");
    assert_eq!(guest.names("new"), [".caplet~origin"]);
    assert_eq!(guest.rename("d/.caplet~ledger", &format!("new/{long}")), Ok(()));
    assert_eq!(guest.hard_link("d/.caplet~origin", "new/.caplet~overlay"), Ok(()));
    assert_eq!((guest.mkdir("new/.caplet~ledger"), guest.write("new/.caplet~ledger/x", "x")), (Ok(()), Ok(())));
    assert_eq!(guest.unlink("d/.caplet~"), Ok(()));
    assert_eq!(guest.unlink(".caplet~overlay"), Ok(()));
    assert_eq!(guest.read("d/file").as_deref(), Ok("lower"), "nothing was forged");
    drop(guest);
    let shown = World::of(&opened.store).snapshot();
    assert_eq!(aside.below(), before);
    drop(opened);
    let opened = aside.open();
    assert_eq!(World::of(&opened.store).snapshot(), shown, "opened again");
    assert!(opened.commit().conflicts.is_empty());
    assert_eq!(World::of(&opened.store).snapshot(), shown, "applied");
    assert_eq!(fs::read_to_string(aside.lower().join("d").join(&long)).unwrap(), long);
    aside.outside_is_unharmed();
}

/// Whoever can write to the changes can make them say anything. It leads nowhere outside, and removes nothing that was not seen.
#[test]
fn what_is_planted_in_the_changes_leads_nowhere_and_removes_nothing() {
    let content = [("file", "file"), ("d/file", "d"), ("d/s/file", "s"), ("secret", "secret")];
    let aside = Aside::new(&content);
    {
        let opened = aside.open();
        let guest = opened.guest();
        assert_eq!((guest.write("d/s/file", "changed"), guest.write("own", "own")), (Ok(()), Ok(())));
    }
    let upper = aside.upper();
    let link = |target: &str, name: &str| symlink(target, upper.join(name)).unwrap();
    // Records of what is gone, without anything in the ledger; torn and strange ones.
    link("gone file", &format!(".caplet~gone~{}", hash("file")));
    link("gone file", &format!(".caplet~gone~{}", hash("d")));
    fs::write(upper.join(format!(".caplet~gone~{}", hash("secret"))), "gone secret").unwrap();
    link("gone ", ".caplet~gone~");
    symlink(std::ffi::OsStr::from_bytes(b"gone \xff"), upper.join(".caplet~gone~00")).unwrap();
    // Directories that continue others: outside, themselves, what is no directory.
    for (number, origin) in
        ["..", "../outside", "/etc", "", ".", "d/../..", "d//s", "file", "nowhere", "d", "\u{7f}"].iter().enumerate()
    {
        let at = format!("p{number}");
        fs::create_dir(upper.join(&at)).unwrap();
        link(&format!("from {origin}"), &format!("{at}/.caplet~origin"));
    }
    // Links, pipes, strange names; hashed names without a spelling, or with a wrong one.
    link("..", "up");
    link("../outside", "out");
    link("/etc/passwd", "absolute");
    fs::write(upper.join(std::ffi::OsStr::from_bytes(b"not-\xff-utf8")), "x").unwrap();
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, upper.join("pipe"), pipe, rustix::fs::Mode::from_raw_mode(0o600), 0).unwrap();
    for (spelling, name) in [("../outside", "a"), (".caplet~x", "b"), ("plain", "c")] {
        fs::write(upper.join(format!(".caplet~name~{}", hash(name))), "x").unwrap();
        link(&format!("name {spelling}"), &format!(".caplet~spelt~{}", hash(name)));
    }
    fs::create_dir(upper.join(".caplet~draft~0")).unwrap();
    fs::write(upper.join(".caplet~draft~0/x"), "x").unwrap();

    let opened = aside.open();
    assert!(!upper.join(".caplet~draft~0").exists(), "what a crash leaves is cleared away");
    let guest = opened.guest();
    for (path, answer) in [
        ("up/outside", Err("perm")),
        ("out", Err("perm")),
        ("absolute", Err("perm")),
        ("pipe", Err("perm")),
        ("secret", Ok("secret")),
        ("d/file", Ok("d")),
        ("d/s/file", Ok("changed")),
        ("p9/file", Ok("d")),
        ("p0/outside", Err("noent")),
        ("p2/passwd", Err("noent")),
        ("p3/file", Err("noent")),
    ] {
        assert_eq!(guest.read(path).as_deref().map_err(|code| *code), answer, "{path}");
    }
    let mut names = guest.names(".");
    names.retain(|name| !name.starts_with('p'));
    assert_eq!(names, ["absolute", "d", "out", "own", "secret", "up"]);
    drop(guest);
    let before = aside.below();
    let done = opened.commit();
    assert!(done.applied.is_empty());
    assert_eq!(lines(&done.conflicts), ["Removed File file Appeared"], "it was never seen, so it is not removed");
    assert_eq!(aside.below(), before);
    opened.discard_only(&["file"]);
    let done = opened.commit();
    assert!(done.conflicts.is_empty(), "{:?}", lines(&done.conflicts));
    assert_eq!(fs::read_to_string(aside.lower().join("file")).unwrap(), "file");
    assert_eq!(fs::read_to_string(aside.lower().join("d/file")).unwrap(), "d");
    aside.outside_is_unharmed();
}

/// Between the change and its application, what is on the way to it becomes a link.
#[test]
fn nothing_is_applied_through_a_link() {
    let content = [("d/s/file", "lower"), ("d/s/gone", "gone"), ("e/file", "e")];
    for (what, replaced, target) in
        [("the directory", "d/s", "../../outside-directory"), ("one above", "d", "../outside-directory")]
    {
        let aside = Aside::new(&content);
        let elsewhere = tempfile::tempdir().unwrap();
        put(elsewhere.path(), &[("s/file", "lower"), ("file", "lower"), ("s/gone", "gone"), ("gone", "gone")]);
        let opened = aside.open();
        let guest = opened.guest();
        assert_eq!((guest.write("d/s/file", "changed"), guest.write("d/s/new", "new")), (Ok(()), Ok(())));
        assert_eq!((guest.unlink("d/s/gone"), guest.write("e/file", "changed")), (Ok(()), Ok(())));
        drop(guest);
        fs::rename(aside.lower().join(replaced), aside.lower().join("aside")).unwrap();
        let target = if what.is_empty() { target.into() } else { elsewhere.path().to_owned() };
        symlink(target, aside.lower().join(replaced)).unwrap();
        let before = aside.content();
        let done = opened.commit();
        assert!(done.applied.is_empty() && !done.conflicts.is_empty(), "{what}: {:?}", lines(&done.applied));
        assert_eq!(aside.content(), before, "{what}");
        for (path, content) in [("s/file", "lower"), ("file", "lower"), ("s/gone", "gone"), ("gone", "gone")] {
            assert_eq!(fs::read_to_string(elsewhere.path().join(path)).unwrap(), content, "{what} {path}");
        }
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 3, "{what}");
        assert_eq!(lines(&opened.commit_only(&["e"]).applied), ["Changed File e/file"], "{what}: the twin");
    }
}

/// While changes are applied, somebody swaps the directory on the way with a link, again and again. Whatever is applied is applied
/// below; what is not is a conflict or an error; and in the end it can all be applied.
#[test]
fn a_race_with_the_application_never_leads_outside() {
    let aside = Aside::new(&[("d/file", "lower")]);
    let elsewhere = tempfile::tempdir().unwrap();
    put(elsewhere.path(), &[("file", "lower")]);
    let (lower, at) = (aside.lower(), aside.lower().join("d"));
    symlink(elsewhere.path(), lower.join("evil")).unwrap();
    let opened = aside.open();
    for round in 0..40 {
        let guest = opened.guest();
        for number in 0..8 {
            assert_eq!(guest.write(&format!("d/new{number}"), &round.to_string()), Ok(()));
        }
        drop(guest);
        let stop = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    fs::rename(&at, lower.join("spare")).unwrap();
                    fs::rename(lower.join("evil"), &at).unwrap();
                    fs::rename(&at, lower.join("evil")).unwrap();
                    fs::rename(lower.join("spare"), &at).unwrap();
                }
            });
            let done = opened.overlay.commit(Choice::Paths(&["d".to_owned()]));
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            drop(done);
        });
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "something appeared outside");
    }
    let done = opened.commit();
    assert!(done.conflicts.is_empty(), "{:?}", lines(&done.conflicts));
    assert_eq!(fs::read_to_string(at.join("new7")).unwrap(), "39");
    assert_eq!(fs::read_to_string(elsewhere.path().join("file")).unwrap(), "lower");
    let left: Vec<_> = fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 9, "no temporary files: {left:?}");
}

/// A copy of what is changed counts, before it is made; and nothing of a copy that failed is left.
#[test]
fn copies_and_records_count() {
    let aside = Aside::new(&[("small", "x"), ("d/e/f", "f")]);
    let huge = fs::File::create(aside.lower().join("huge")).unwrap();
    huge.set_len(10 << 30).unwrap();
    let opened = aside.open_with(100_000);
    let before = opened.overlay.used_bytes();
    let guest = opened.guest();
    let file = guest.open("huge", OPEN, BOTH).unwrap();
    assert_eq!(guest.ns.write_at(&file, 0, b"x").map_err(|error| code(&error)), Err("dquot"));
    assert!(guest.ns.exceeded());
    assert_eq!(guest.ns.append(&file, b"x").map_err(|error| code(&error)), Err("dquot"));
    assert_eq!(guest.ns.set_size(&file, 1 << 20).map_err(|error| code(&error)), Err("dquot"));
    assert_eq!(guest.rename("huge", "moved"), Err("dquot"));
    assert_eq!(guest.hard_link("huge", "second"), Err("dquot"));
    assert_eq!(guest.ns.read_at(&file, 5 << 30, 4).unwrap(), [0; 4], "it can still be read");
    assert_eq!(opened.overlay.used_bytes(), before);
    // What is cut is not copied first.
    assert_eq!(guest.ns.set_size(&file, 10).ok(), Some(()));
    assert_eq!(guest.open("huge", TRUNCATE, READ).map(drop), Ok(()));
    drop(file);
    assert_eq!(guest.unlink("huge"), Ok(()));
    // Each of these is some kibibytes, also where nothing of it shows.
    let mut made = 0;
    while guest.mkdir(&format!("new{made}")).is_ok() {
        made += 1;
    }
    assert!((80..100).contains(&made), "{made}");
    for number in 0..made {
        assert_eq!(guest.rmdir(&format!("new{number}")), Ok(()));
    }
    let idle = opened.overlay.used_bytes();
    for _ in 0..300 {
        guest.write("again", &"x".repeat(50_000)).unwrap();
        guest.rename("again", "once more").unwrap();
        guest.unlink("once more").unwrap();
    }
    assert_eq!(opened.overlay.used_bytes(), idle);
    // A file without a name takes room as long as it is open.
    let held = guest.open("held", CREATE, BOTH).unwrap();
    guest.ns.write_at(&held, 0, &[1; 60_000]).unwrap();
    guest.unlink("held").unwrap();
    assert_eq!(guest.write("other", &"x".repeat(60_000)), Err("dquot"));
    drop(held);
    assert_eq!(guest.write("other", &"x".repeat(60_000)), Ok(()));
    drop(guest);
    let used = opened.overlay.used_bytes();
    drop(opened);
    assert_eq!(aside.open().overlay.used_bytes(), used, "as it is counted when it is opened");
}

/// Handles go on, whatever happens to the names, and see what others write.
#[test]
fn handles_go_on_over_the_copy() {
    for upper in UPPERS {
        let aside = Aside::keeping(upper, &[("f", "lower"), ("g", "other"), ("d/x", "x")]);
        let before = aside.below();
        let opened = aside.open();
        let (guest, other) = (opened.guest(), opened.guest());
        let reader = guest.open("f", OPEN, READ).unwrap();
        let writer = other.open("f", OPEN, BOTH).unwrap();
        let folder = guest.open_directory("d").unwrap();
        let identity = guest.ns.metadata_hash(&reader).unwrap();
        let of_folder = guest.ns.metadata_hash(&folder).unwrap();
        assert_eq!(guest.ns.read_at(&reader, 0, 9).unwrap(), b"lower");
        let stat = guest.ns.stat(&reader).unwrap();
        other.ns.write_at(&writer, 0, b"UPPER").unwrap();
        assert_eq!(guest.ns.read_at(&reader, 0, 9).unwrap(), b"UPPER", "the one file, whoever holds it");
        assert_eq!(other.ns.read_at(&writer, 1, 9).unwrap(), b"PPER");
        assert_eq!(guest.ns.metadata_hash(&reader).unwrap(), identity);
        assert_eq!(guest.ns.metadata_hash_at(&guest.base, "f", true).unwrap(), identity);
        assert!(reader.is_same(&writer));
        assert_eq!(guest.ns.stat(&reader).unwrap().size, stat.size);
        // Moved, replaced, removed.
        other.rename("f", "d/moved").unwrap();
        assert_eq!(guest.ns.metadata_hash_at(&guest.base, "d/moved", true).unwrap(), identity);
        assert_eq!(guest.ns.metadata_hash(&folder).unwrap(), of_folder);
        other.rename("g", "d/moved").unwrap();
        other.ns.append(&writer, b"!").unwrap();
        assert_eq!(guest.ns.read_at(&reader, 0, 9).unwrap(), b"UPPER!");
        assert_eq!(guest.read("d/moved").as_deref(), Ok("other"));
        assert_ne!(guest.ns.metadata_hash_at(&guest.base, "d/moved", true).unwrap(), identity);
        assert_eq!(guest.list_open(&folder).unwrap().len(), 2);
        // A file of the lower layer that is removed first and changed then.
        let x = other.open("d/x", OPEN, BOTH).unwrap();
        let x_reader = guest.open("d/x", OPEN, READ).unwrap();
        other.unlink("d/x").unwrap();
        assert_eq!(other.ns.append(&x, b"y").ok(), Some(1));
        assert_eq!(guest.ns.read_at(&x_reader, 0, 9).unwrap(), b"xy");
        assert_eq!(guest.names("d"), ["moved"]);
        other.rename("d", "e").unwrap();
        assert_eq!(guest.list_open(&folder).unwrap().len(), 1, "a directory is held through its move");
        other.unlink("e/moved").unwrap();
        other.rmdir("e").unwrap();
        assert_eq!(guest.list_open(&folder), Ok(Vec::new()));
        assert_eq!(aside.below(), before);
    }
}

/// Names that are one file in the directory are files of their own here, before and after a change.
#[test]
fn hard_links_of_the_directory_are_separate_files() {
    let aside = Aside::new(&[("a", "one")]);
    fs::hard_link(aside.lower().join("a"), aside.lower().join("b")).unwrap();
    let opened = aside.open();
    let guest = opened.guest();
    let hash = |path: &str| guest.ns.metadata_hash_at(&guest.base, path, true).unwrap();
    assert_eq!((guest.stat("a").unwrap().links, guest.stat("b").unwrap().links), (1, 1));
    let (a, b) = (hash("a"), hash("b"));
    assert_ne!(a, b);
    let held = guest.open("b", OPEN, READ).unwrap();
    guest.write("a", "two").unwrap();
    assert_eq!((hash("a"), hash("b")), (a, b));
    assert_eq!((guest.read("a").as_deref(), guest.read("b").as_deref()), (Ok("two"), Ok("one")));
    assert_eq!(guest.ns.read_at(&held, 0, 9).unwrap(), b"one");
    guest.unlink("a").unwrap();
    assert_eq!(guest.read("b").as_deref(), Ok("one"));
    drop((held, guest));
    assert!(opened.commit().conflicts.is_empty());
    assert_eq!(aside.content().len(), 2);
}

/// A file is copied while another guest moves it about, and two guests write it for the first time at once.
#[test]
fn two_first_changes_at_once_are_one_copy() {
    for round in 0..30 {
        let aside = Aside::keeping(UPPERS[round % UPPERS.len()], &[("d/f", &"x".repeat(300_000))]);
        let opened = aside.open();
        thread::scope(|scope| {
            for at in 0..3u64 {
                let guest = opened.guest();
                scope.spawn(move || {
                    let file = guest.open("d/f", OPEN, BOTH);
                    if let Ok(file) = file {
                        guest.ns.write_at(&file, at, b"y").unwrap();
                    }
                    if at == 2 {
                        assert_eq!(guest.rename("d", "e"), Ok(()));
                    }
                });
            }
        });
        let guest = opened.guest();
        let content = guest.read("e/f").unwrap();
        assert_eq!((content.len(), content.ends_with("xx")), (300_000, true), "{round}");
        assert_eq!(guest.names("."), ["e"]);
        assert_eq!(guest.names("e"), ["f"]);
    }
}

/// Makes directories below each other. Gives the path from `above`.
fn deep(guest: &Guest, above: &str, name: &str, count: usize) -> String {
    let mut here = if above.is_empty() { guest.base.clone() } else { guest.open_directory(above).unwrap() };
    for _ in 0..count {
        guest.ns.create_directory_at(&here, name).unwrap();
        here = guest.ns.open_at(&here, name, false, OPEN, READ).unwrap();
    }
    format!("{name}/").repeat(count)
}

/// One long path of a guest does not take the host's handles, nor a deep tree its stack.
#[test]
fn deep_trees_are_copied_compared_applied_and_dropped() {
    let aside = Aside::new(&[]);
    let opened = aside.open();
    let guest = opened.guest();
    let path = deep(&guest, "", "d", 300);
    guest.write(&format!("{path}f"), "deep").unwrap();
    drop(guest);
    assert_eq!(opened.overlay.changes().unwrap().summary().added, 301);
    assert!(opened.commit().conflicts.is_empty());
    // Now it is the directory's, and changes at the bottom, and at the top.
    let guest = opened.guest();
    let handles = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = handles();
    let held = guest.open(&format!("{path}f"), OPEN, BOTH).unwrap();
    guest.ns.write_at(&held, 0, b"DEEP").unwrap();
    // Other tests of the same process may open and close meanwhile.
    assert!(handles() < before + 400, "{before} {}", handles());
    drop(held);
    guest.rename("d", "e").unwrap();
    drop(guest);
    assert_eq!(opened.changes().len(), 602);
    assert_eq!(opened.overlay.discard(Choice::All).unwrap().len(), 602);
    assert_eq!(opened.guest().read(&format!("{path}f")).as_deref(), Ok("deep"));
    // Deeper than any path: it can be dropped, and everything else can.
    let guest = opened.guest();
    for round in 0..6 {
        let path = deep(&guest, "", &format!("r{round}"), 1) + &deep(&guest, &format!("r{round}/"), "x", 350);
        let below = if round == 0 { "d".to_owned() } else { format!("r{}", round - 1) };
        guest.rename(&below, &format!("{path}y")).unwrap();
    }
    drop(guest);
    let refused = opened.overlay.changes().unwrap_err();
    assert!(refused.to_string().contains("deeper than"), "{refused}");
    opened.overlay.discard(Choice::All).unwrap();
    assert_eq!(opened.changes(), Vec::<String>::new());
    assert_eq!(opened.guest().names("."), ["d"]);
}

/// The primitives, with an overlay over a directory that somebody else changes.
#[test]
fn what_somebody_else_adds_is_never_hidden_unseen() {
    let aside = Aside::new(&[("d/", "")]);
    let opened = aside.open();
    let guest = opened.guest();
    guest.write("d/f", "ours").unwrap();
    fs::write(aside.lower().join("d/f"), "theirs").unwrap();
    assert_eq!(guest.read("d/f").as_deref(), Ok("ours"));
    guest.unlink("d/f").unwrap();
    assert_eq!(guest.read("d/f").as_deref(), Ok("theirs"), "it was never ours to remove");
    assert_eq!(opened.changes(), Vec::<String>::new());
    fs::write(aside.lower().join("seen later"), "theirs").unwrap();
    assert_eq!(guest.read("seen later").as_deref(), Ok("theirs"));
    drop(guest);
    let guard = guard(&["write:/**"], &[]).0;
    let (search, write) =
        (guard.check(Search(GuestPath::root())).unwrap(), guard.check(Write(GuestPath::root())).unwrap());
    let root = opened.store.root().unwrap();
    let node = root.lookup(&search, Name::parse("seen later").unwrap()).unwrap();
    fs::remove_file(aside.lower().join("seen later")).unwrap();
    fs::write(aside.lower().join("seen later"), "another").unwrap();
    let removed = root.remove_file(&write, Name::parse("seen later").unwrap(), node.as_ref());
    assert!(matches!(removed, Err(FsError::Busy)), "{removed:?}");
}

#[test]
fn an_overlay_needs_no_more_than_memory() {
    let aside = Aside::new(&[("f", "f")]);
    let lower = Arc::new(caplet_vfs::HostStore::open(aside.lower()).unwrap());
    // The store has a quota of its own, and the first of the two holds.
    let small = OverlayStore::new(Arc::clone(&lower), Arc::new(MemoryStore::new(20_000)), u64::MAX).unwrap();
    let small: Arc<dyn caplet_vfs::FileSystem> = Arc::new(small);
    let opened = Opened::new(&aside.lower(), Arc::new(MemoryStore::new(u64::MAX)), 20_000);
    for guest in [Guest::new(&[("/w", &small)], &["write:/w/**"]), opened.guest()] {
        assert_eq!(guest.write("f", &"x".repeat(30_000)), Err("dquot"));
        assert!(guest.ns.exceeded());
        assert_eq!(guest.write("f", "y"), Ok(()));
        assert_eq!(guest.open("g", CREATE, WRITE).map(drop), Ok(()));
    }
    assert_eq!(fs::read_to_string(aside.lower().join("f")).unwrap(), "f");
}
