//! What has changed, shown, applied and dropped; and what stands in the way.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Instant;

use caplet_vfs::overlay::{Choice, OverlayError};

use crate::overlay::{Aside, Opened, UPPERS, Upper, lines, put};
use crate::world::{CREATE, OPEN, WRITE};

const CONTENT: [(&str, &str); 10] = [
    ("changed", "one\ntwo\nthree\n"),
    ("removed", "gone\n"),
    ("same", "same\n"),
    ("link", "-> same"),
    ("d/in", "in\n"),
    ("d/s/deep", "deep\n"),
    ("gone/a", "a\n"),
    ("gone/s/b", "b\n"),
    ("kind", "a file\n"),
    ("binary", "\0\u{1}\n"),
];

/// One change of each kind.
fn change_everything(opened: &Opened) {
    let guest = opened.guest();
    guest.write("changed", "one\n2\nthree\n").unwrap();
    guest.write("added", "new\n").unwrap();
    guest.unlink("removed").unwrap();
    guest.unlink("link").unwrap();
    guest.symlink("changed", "link").unwrap();
    guest.rename("d/s", "moved").unwrap();
    guest.mkdir("empty").unwrap();
    for path in ["gone/a", "gone/s/b"] {
        guest.unlink(path).unwrap();
    }
    guest.rmdir("gone/s").unwrap();
    guest.rmdir("gone").unwrap();
    guest.unlink("kind").unwrap();
    guest.mkdir("kind").unwrap();
    guest.write("kind/x", "x\n").unwrap();
    guest.write("binary", "\0\u{2}\n").unwrap();
    // Written as it was: no change.
    guest.write("same", "same\n").unwrap();
}

const CHANGES: [&str; 17] = [
    "Added File added",
    "Changed File binary",
    "Changed File changed",
    "Removed Directory d/s",
    "Removed File d/s/deep",
    "Added Directory empty",
    "Removed Directory gone",
    "Removed File gone/a",
    "Removed Directory gone/s",
    "Removed File gone/s/b",
    "Removed File kind",
    "Added Directory kind",
    "Added File kind/x",
    "Changed Link link",
    "Added Directory moved",
    "Added File moved/deep",
    "Removed File removed",
];

#[test]
fn every_kind_of_change_is_shown_and_applied() {
    for upper in UPPERS {
        let aside = Aside::keeping(upper, &CONTENT);
        let before = aside.below();
        let opened = aside.open();
        change_everything(&opened);
        assert_eq!(aside.below(), before, "nothing is applied yet");
        assert_eq!(opened.changes(), CHANGES);
        let summary = opened.overlay.changes().unwrap().summary();
        assert_eq!((summary.added, summary.changed, summary.removed, summary.conflicts), (6, 3, 8, 0));
        assert_eq!(summary.bytes, 4 + 3 + 12 + 2 + 7 + 5);
        let done = opened.commit();
        assert_eq!((done.applied.len(), done.conflicts.len()), (CHANGES.len(), 0));
        let after: Vec<(String, String)> = aside.content().into_iter().filter(|(path, _)| !path.is_empty()).collect();
        let after: Vec<(&str, &str)> = after.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        assert_eq!(
            after,
            [
                ("added", "new\n"),
                ("binary", "\0\u{2}\n"),
                ("changed", "one\n2\nthree\n"),
                ("d", "<directory>"),
                ("d/in", "in\n"),
                ("empty", "<directory>"),
                ("kind", "<directory>"),
                ("kind/x", "x\n"),
                ("link", "-> changed"),
                ("moved", "<directory>"),
                ("moved/deep", "deep\n"),
                ("same", "same\n"),
            ]
        );
        assert_eq!(aside.below()["same"], before["same"], "what is the same is not touched");
        assert_eq!(opened.changes(), Vec::<String>::new());
        aside.outside_is_unharmed();
    }
}

#[test]
fn the_diff_is_what_git_and_patch_read() {
    let aside = Aside::new(&CONTENT);
    let opened = aside.open();
    change_everything(&opened);
    let diff = opened.diff();
    for part in [
        "diff --git a/changed b/changed\n--- a/changed\n+++ b/changed\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n",
        "diff --git a/added b/added\nnew file mode 100644\n--- /dev/null\n+++ b/added\n@@ -0,0 +1 @@\n+new\n",
        "diff --git a/removed b/removed\ndeleted file mode 100644\n--- a/removed\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n",
        "diff --git a/binary b/binary\nBinary files a/binary and b/binary differ\n",
        "-same\n\\ No newline at end of file\n+changed\n\\ No newline at end of file\n",
        "new directory empty\n",
        "removed directory gone\n",
    ] {
        assert!(diff.contains(part), "{part}\nnot in\n{diff}");
    }
    // `patch` comes to the same files, where it is installed.
    let copy = tempfile::tempdir().unwrap();
    put(copy.path(), &CONTENT);
    fs::remove_file(copy.path().join("link")).unwrap();
    let mut out = Vec::new();
    let files = |kind| opened.overlay.changes().unwrap().list.into_iter().filter(move |change| change.what == kind);
    let shown: Vec<_> = files(caplet_vfs::EntryKind::File)
        .filter(|change| !change.path.starts_with("kind") && change.path != "binary")
        .collect();
    opened.overlay.diff(&shown, &mut out).unwrap();
    let file = copy.path().join("diff");
    fs::write(&file, out).unwrap();
    let Ok(patched) = std::process::Command::new("patch")
        .args(["-p1", "--force", "--input"])
        .arg(&file)
        .current_dir(copy.path())
        .output()
    else {
        return;
    };
    assert!(patched.status.success(), "{}", String::from_utf8_lossy(&patched.stdout));
    for (path, content) in [("changed", "one\n2\nthree\n"), ("added", "new\n"), ("moved/deep", "deep\n")] {
        assert_eq!(fs::read_to_string(copy.path().join(path)).unwrap(), content, "{path}");
    }
    assert!(!copy.path().join("removed").exists());
}

#[test]
fn hostile_names_and_content_do_not_forge_a_diff() {
    let aside = Aside::new(&[]);
    let opened = aside.open();
    let guest = opened.guest();
    for (name, content) in [
        ("a\nb", "x\n"),
        ("esc\u{1b}[2J", "x\n"),
        ("quo\"te\\", "x\n"),
        ("with space", "x\n"),
        ("rtl\u{202e}txt", "x\n"),
        ("returns", "a\r+++ b/evil\rb\n"),
        ("ends-in-return", "a\nb\r"),
    ] {
        guest.write(name, content).unwrap();
    }
    let large = guest.open("large", CREATE, WRITE).unwrap();
    guest.ns.set_size(&large, 2 << 20).unwrap();
    drop(large);
    let diff = opened.diff();
    for part in [
        "+++ \"b/a\\nb\"\n",
        "+++ \"b/esc\\033[2J\"\n",
        "+++ \"b/quo\\\"te\\\\\"\n",
        "+++ b/with space\t\n",
        "+++ \"b/rtl\\342\\200\\256txt\"\n",
        "+a\r+++ b/evil\rb\n",
        "Binary files /dev/null and b/ends-in-return differ\n",
        "Files /dev/null and b/large differ: 0 bytes and 2097152 bytes, too many to be shown\n",
    ] {
        assert!(diff.contains(part), "{part:?}\nnot in\n{diff:?}");
    }
    assert!(!diff.contains('\u{1b}') && !diff.contains('\u{202e}'));
    assert_eq!(diff.lines().filter(|line| line.starts_with("+++ ")).count(), 6);
}

#[test]
fn permissions_are_kept_and_never_more_than_that() {
    let aside = Aside::new(&[("script", "#!/bin/sh\n"), ("private", "x"), ("odd", "x"), ("d/inner", "x")]);
    let mode = |name: &str, mode| {
        fs::set_permissions(aside.lower().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("script", 0o755);
    mode("private", 0o600);
    mode("odd", 0o6755);
    mode("d", 0o700);
    mode("d/inner", 0o600);
    let opened = aside.open();
    let guest = opened.guest();
    for name in ["script", "private", "odd"] {
        guest.write(name, "changed").unwrap();
        guest.write("temporary", "replaced").unwrap();
        guest.rename("temporary", &format!("{name}-new")).unwrap();
    }
    guest.rename("script", "moved-script").unwrap();
    guest.hard_link("private", "second").unwrap();
    guest.write("over", "over").unwrap();
    guest.rename("over", "odd").unwrap();
    guest.rename("d", "e").unwrap();
    guest.mkdir("f").unwrap();
    drop(guest);
    drop(opened);
    let opened = aside.open();
    assert!(opened.diff().contains("diff --git a/moved-script b/moved-script\nnew file mode 100755\n"));
    assert!(opened.commit().conflicts.is_empty());
    let mode = |name: &str| fs::symlink_metadata(aside.lower().join(name)).unwrap().mode() & 0o7777;
    let plain = 0o666 & !umask();
    for (name, expected) in [
        ("moved-script", 0o755),
        ("private", 0o600),
        ("second", 0o600),
        ("odd", 0o755),
        ("script-new", plain & 0o644),
        ("e", 0o700),
        ("e/inner", 0o600),
        ("f", 0o777 & !umask() & 0o755),
    ] {
        assert_eq!(mode(name), expected, "{name}: {:o}", mode(name));
    }
}

fn umask() -> u32 {
    let made = tempfile::tempdir().unwrap();
    fs::create_dir(made.path().join("d")).unwrap();
    0o777 & !fs::metadata(made.path().join("d")).unwrap().mode()
}

#[test]
fn chosen_paths_are_applied_with_what_they_need_and_no_more() {
    let aside = Aside::new(&CONTENT);
    let opened = aside.open();
    change_everything(&opened);
    assert_eq!(
        lines(&opened.commit_only(&["kind/x"]).applied),
        ["Removed File kind", "Added Directory kind", "Added File kind/x"]
    );
    assert_eq!(lines(&opened.commit_only(&["gone/s/"]).applied), ["Removed File gone/s/b", "Removed Directory gone/s"]);
    assert_eq!(fs::read(aside.lower().join("gone/a")).unwrap(), b"a\n");
    // Only where it came from, and then only where it went: nothing of it is lost.
    assert_eq!(lines(&opened.commit_only(&["d/s"]).applied), ["Removed File d/s/deep", "Removed Directory d/s"]);
    assert_eq!(opened.guest().read("moved/deep").as_deref(), Ok("deep\n"));
    assert_eq!(lines(&opened.commit_only(&["moved"]).applied), ["Added Directory moved", "Added File moved/deep"]);
    for nothing in ["nowhere", "kind", "d"] {
        let paths = [nothing.to_owned()];
        assert!(matches!(opened.overlay.commit(Choice::Paths(&paths)), Err(OverlayError::NoChange(_))), "{nothing}");
    }
    assert_eq!(
        opened.changes(),
        [
            "Added File added",
            "Changed File binary",
            "Changed File changed",
            "Added Directory empty",
            "Removed Directory gone",
            "Removed File gone/a",
            "Changed Link link",
            "Removed File removed",
        ]
    );
    assert_eq!(opened.discard_only(&["gone/a", "binary", "empty", "link", "added"]).len(), 5);
    assert_eq!(opened.changes(), ["Changed File changed", "Removed File removed"]);
    let guest = opened.guest();
    assert_eq!(guest.names("gone"), ["a"], "its directory came back with it");
    assert_eq!(guest.read("binary").as_deref(), Ok("\0\u{1}\n"));
}

type Meanwhile = fn(&Path);

/// What somebody else could do meanwhile, and the conflict that it is.
const CONFLICTS: [(&str, Meanwhile, &str); 14] = [
    (
        "content of a changed file",
        |lower| fs::write(lower.join("changed"), "theirs").unwrap(),
        "Changed File changed Changed",
    ),
    (
        "same size",
        |lower| fs::write(lower.join("changed"), "ONE\ntwo\nthree\n").unwrap(),
        "Changed File changed Changed",
    ),
    (
        "content of a removed file",
        |lower| fs::write(lower.join("removed"), "kept").unwrap(),
        "Removed File removed Changed",
    ),
    (
        "a changed file is removed",
        |lower| fs::remove_file(lower.join("changed")).unwrap(),
        "Added File changed Vanished",
    ),
    (
        "a changed file is a link",
        |lower| {
            fs::remove_file(lower.join("changed")).unwrap();
            symlink("../outside", lower.join("changed")).unwrap();
        },
        "Removed Link changed Changed",
    ),
    (
        "a changed file is a directory",
        |lower| {
            fs::remove_file(lower.join("changed")).unwrap();
            put(lower, &[("changed/theirs", "x")]);
        },
        "Removed Directory changed Changed",
    ),
    (
        "an added file is there",
        |lower| fs::write(lower.join("added"), "theirs").unwrap(),
        "Changed File added Appeared",
    ),
    (
        "an added file is a directory",
        |lower| fs::create_dir(lower.join("added")).unwrap(),
        "Removed Directory added Appeared",
    ),
    (
        "an added directory is a link",
        |lower| symlink("..", lower.join("empty")).unwrap(),
        "Removed Link empty Appeared",
    ),
    (
        "a link leads elsewhere",
        |lower| {
            fs::remove_file(lower.join("link")).unwrap();
            symlink("d", lower.join("link")).unwrap();
        },
        "Changed Link link Changed",
    ),
    (
        "a removed directory has a new file",
        |lower| put(lower, &[("gone/s/theirs", "x")]),
        "Removed File gone/s/theirs Appeared",
    ),
    ("a removed directory has a pipe", |lower| make_pipe(&lower.join("gone/fifo")), "Removed Directory gone Unseen"),
    (
        "what became a directory was changed",
        |lower| fs::write(lower.join("kind"), "theirs").unwrap(),
        "Removed File kind Changed",
    ),
    ("a pipe is where a file was added", |lower| make_pipe(&lower.join("added")), "Added File added Appeared"),
];

fn make_pipe(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

/// A move is two changes. To drop where something went and to remove where it was would be the end of it.
#[test]
fn half_of_a_move_that_is_dropped_is_not_the_end_of_what_was_moved() {
    let aside = Aside::new(&CONTENT);
    let before = aside.content();
    let opened = aside.open();
    let guest = opened.guest();
    assert_eq!((guest.rename("d", "e"), guest.write("e/in", "changed")), (Ok(()), Ok(())));
    drop(guest);
    assert_eq!(opened.discard_only(&["e"]).len(), 4);
    let done = opened.commit();
    assert!(done.applied.is_empty());
    assert_eq!(lines(&done.conflicts), ["Removed Directory d Appeared"], "as if it had never been seen");
    opened.discard_only(&["d"]);
    assert_eq!(opened.changes(), Vec::<String>::new());
    assert_eq!(aside.content(), before);
}

/// Each change that somebody else could make meanwhile, and what it conflicts with.
#[test]
fn what_changed_meanwhile_is_a_conflict_and_nothing_is_applied() {
    for (what, meanwhile, conflict) in CONFLICTS {
        let aside = Aside::new(&CONTENT);
        let opened = aside.open();
        change_everything(&opened);
        meanwhile(&aside.lower());
        let before = names_and_times(&aside);
        assert!(opened.changes().contains(&conflict.to_owned()), "{what}: {:?}", opened.changes());
        let done = opened.commit();
        assert!(done.applied.is_empty(), "{what}");
        assert!(lines(&done.conflicts).contains(&conflict.to_owned()), "{what}: {:?}", lines(&done.conflicts));
        assert_eq!(names_and_times(&aside), before, "{what}: nothing is applied");
        // What it does not concern can be applied; and what is settled can.
        assert_eq!(lines(&opened.commit_only(&["binary"]).applied), ["Changed File binary"], "{what}");
        let path = conflict.split(' ').nth(2).unwrap();
        let path = path.split('/').next().unwrap();
        opened.discard_only(&[path]);
        assert!(opened.commit().conflicts.is_empty(), "{what}");
        aside.outside_is_unharmed();
    }
}

fn names_and_times(aside: &Aside) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![aside.lower()];
    while let Some(path) = left.pop() {
        let stat = fs::symlink_metadata(&path).unwrap();
        found.push(format!("{} {} {}.{}", path.display(), stat.ino(), stat.ctime(), stat.ctime_nsec()));
        if stat.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

/// What looks like a conflict and is none.
#[test]
fn what_came_to_the_same_is_no_conflict() {
    let cases: [(&str, Meanwhile); 6] = [
        ("touched", |lower| fs::write(lower.join("changed"), "one\ntwo\nthree\n").unwrap()),
        ("the same change", |lower| fs::write(lower.join("changed"), "one\n2\nthree\n").unwrap()),
        ("the same addition", |lower| fs::write(lower.join("added"), "new\n").unwrap()),
        ("the same removal", |lower| fs::remove_file(lower.join("removed")).unwrap()),
        ("the same directory", |lower| put(lower, &[("empty/theirs", "x")])),
        ("what was not changed", |lower| fs::write(lower.join("d/in"), "theirs").unwrap()),
    ];
    for (what, meanwhile) in cases {
        let aside = Aside::new(&CONTENT);
        let opened = aside.open();
        change_everything(&opened);
        meanwhile(&aside.lower());
        let done = opened.commit();
        assert!(done.conflicts.is_empty(), "{what}: {:?}", done.conflicts);
        assert_eq!(fs::read(aside.lower().join("changed")).unwrap(), b"one\n2\nthree\n", "{what}");
        assert!(!aside.lower().join("removed").exists() && aside.lower().join("empty").is_dir(), "{what}");
        if what == "the same directory" {
            assert_eq!(fs::read(aside.lower().join("empty/theirs")).unwrap(), b"x");
        }
        if what == "what was not changed" {
            assert_eq!(fs::read(aside.lower().join("d/in")).unwrap(), b"theirs");
        }
    }
}

#[test]
fn nothing_is_taken_away_from_under_an_open_file() {
    let aside = Aside::new(&CONTENT);
    let opened = aside.open();
    let guest = opened.guest();
    guest.write("changed", "x").unwrap();
    let file = guest.open("changed", OPEN, WRITE).unwrap();
    let folder = guest.open_directory("d").unwrap();
    for _ in 0..2 {
        assert!(matches!(opened.overlay.commit(Choice::All), Err(OverlayError::Open(2))));
        assert!(matches!(opened.overlay.discard(Choice::All), Err(OverlayError::Open(2))));
    }
    drop((file, folder));
    assert!(opened.commit().conflicts.is_empty(), "a mount alone holds nothing");
    assert_eq!(guest.read("changed").as_deref(), Ok("x"));
}

#[test]
fn the_changes_belong_to_one_at_a_time() {
    for upper in [Upper::Directory, Upper::Sqlite] {
        let aside = Aside::keeping(upper, &CONTENT);
        let opened = aside.open();
        let again = || {
            let lower = std::sync::Arc::new(caplet_vfs::HostStore::open(aside.lower()).unwrap());
            caplet_vfs::OverlayStore::new(lower, aside.store(), 1 << 20)
        };
        for _ in 0..2 {
            let refused = again().unwrap_err();
            assert!(matches!(refused, OverlayError::InUse(_)), "{refused}");
            assert!(refused.to_string().contains("in use by another process"));
        }
        opened.guest().write("changed", "kept").unwrap();
        drop(opened);
        assert!(again().is_ok());
        assert_eq!(aside.open().guest().read("changed").as_deref(), Ok("kept"));
    }
}

#[test]
fn a_place_with_something_else_in_it_is_refused() {
    let aside = Aside::new(&CONTENT);
    let open = |lower: std::path::PathBuf, upper: std::path::PathBuf| {
        let [lower, upper] = [lower, upper].map(|path| std::sync::Arc::new(caplet_vfs::HostStore::open(path).unwrap()));
        caplet_vfs::OverlayStore::new(lower, upper, 1 << 20)
    };
    fs::create_dir(aside.lower().join("below")).unwrap();
    for (lower, upper) in [
        (aside.lower(), aside.lower().join("below")),
        (aside.lower().join("below"), aside.lower()),
        (aside.lower(), aside.lower()),
    ] {
        assert!(matches!(open(lower, upper), Err(OverlayError::Nested { .. })));
    }
    assert!(matches!(open(aside.upper(), aside.lower()), Err(OverlayError::Foreign(_))));
    assert!(open(aside.lower(), aside.upper()).is_ok(), "the twin");
    let marker = aside.upper().join(".caplet~overlay");
    fs::remove_file(&marker).unwrap();
    symlink("caplet overlay 2", &marker).unwrap();
    assert!(matches!(open(aside.lower(), aside.upper()), Err(OverlayError::Foreign(_))), "another format");
}

#[test]
fn ten_thousand_changes_are_found_in_good_time() {
    let aside = Aside::keeping(Upper::Memory, &[]);
    let files: Vec<String> = (0..10_000).map(|number| format!("d{}/file-{number}", number % 10)).collect();
    for name in (0..10).map(|number| format!("d{number}")) {
        fs::create_dir(aside.lower().join(name)).unwrap();
    }
    for file in &files {
        fs::write(aside.lower().join(file), "before").unwrap();
    }
    let opened = aside.open();
    let guest = opened.guest();
    for file in &files {
        guest.write(file, "after!").unwrap();
    }
    let started = Instant::now();
    for file in &files {
        assert_eq!(
            (fs::read(aside.lower().join(file)).unwrap(), guest.read(file)),
            (b"before".to_vec(), Ok("after!".to_owned()))
        );
    }
    let reading = started.elapsed();
    let started = Instant::now();
    assert_eq!(opened.overlay.changes().unwrap().summary().changed, 10_000);
    let comparing = started.elapsed();
    assert!(comparing.saturating_sub(reading).as_secs_f64() < 2.0, "{comparing:?} beside {reading:?}, unoptimised");
}
