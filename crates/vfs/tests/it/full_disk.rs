//! Disks that are full: a small file system in memory, in a mount namespace of its own. What must hold: who writes is told, nothing of
//! what failed is there, all else is as it was, and once there is room again it goes on.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use caplet_vfs::{FileSystem, FsError, HostStore, OverlayStore, SqliteStore};

use crate::overlay::{UNBOUNDED, Upper, store};
use crate::world::{BOTH, CREATE, Guest, OPEN, READ, WRITE};

/// Tells the child which store it fills, and where the small disk is.
const PART: &str = "CAPLET_TEST_FULL_DISK";

/// As for all tests that need namespaces: where they are forbidden, a test that did not run must not look like one that passed.
const SWITCH: &str = "CAPLET_TEST_LAB";

const STORES: [&str; 4] = ["host", "sqlite", "overlay", "overlay in sqlite"];

#[test]
fn a_full_disk_is_told_and_breaks_nothing() {
    if std::env::var(SWITCH).is_ok_and(|value| value == "skip") {
        return;
    }
    // Small enough to fill soon; large enough that writes to a database are gathered before it is full.
    for (part, size) in STORES.into_iter().flat_map(|part| [(part, "3m"), (part, "12m")]) {
        let directory = tempfile::tempdir().unwrap();
        let small = directory.path().join("small");
        std::fs::create_dir(&small).unwrap();
        let mount = format!("mount -t tmpfs -o size={size} none \"$0\" && exec \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount]).arg(&small);
        command.arg(std::env::current_exe().unwrap());
        command.args(["--exact", "full_disk::the_child", "--ignored", "--nocapture", "--test-threads", "1"]);
        let output = command.env(PART, format!("{part}\n{}", small.display())).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{part} in {size}: {text}{output:?}");
    }
}

/// The store on the small disk, above a directory that is elsewhere where it is an overlay.
fn on(part: &str, small: &Path, lower: &Path) -> Arc<dyn FileSystem> {
    let overlay = |kept| {
        let lower = Arc::new(HostStore::open(lower).unwrap());
        Arc::new(OverlayStore::new(lower, store(kept, small), UNBOUNDED).unwrap())
    };
    match part {
        "host" => Arc::new(HostStore::open(small).unwrap()),
        "sqlite" => Arc::new(SqliteStore::open(small.join("changes.db"), UNBOUNDED).unwrap()),
        "overlay" => overlay(Upper::Directory),
        "overlay in sqlite" => overlay(Upper::Sqlite),
        part => panic!("{part}"),
    }
}

#[test]
#[ignore = "only as the child of another test"]
fn the_child() {
    let told = std::env::var(PART).unwrap();
    let (part, small) = told.split_once('\n').unwrap();
    let small = Path::new(small);
    let lower = tempfile::tempdir().unwrap();
    for (name, content) in [("below", "b".repeat(200_000)), ("small", "small".to_owned())] {
        std::fs::write(lower.path().join(name), content).unwrap();
    }
    let on_host = std::fs::read_dir(lower.path()).unwrap().count();
    let store = on(part, small, lower.path());
    let guest = || Guest::new(&[("/w", &store)], &["write:/w/**"]);
    let first = guest();
    first.write("kept", &"k".repeat(100_000)).unwrap();
    let kept = first.open("kept", OPEN, BOTH).unwrap();
    first.ns.sync(&kept).unwrap();
    // In pieces as small as a guest's, one after the other.
    let taken = fill(&first, "big", 4096);
    let more = fill(&first, "more", 50_000);
    let full = guest();
    for _ in 0..2 {
        let size = |name: &str| full.stat(name).map(|found| found.size);
        assert!(size("big") == Ok(taken) && [Ok(more), Err("noent")].contains(&size("more")), "{part}");
        assert_eq!(full.read("kept").map(|text| text == "k".repeat(100_000)), Ok(true));
        assert!(full.read("big").unwrap().bytes().all(|byte| byte == b'x'));
    }
    // There is no room for a copy of what is below; it is as it was.
    if part.starts_with("overlay") {
        let file = full.open("below", OPEN, BOTH).unwrap();
        let failed = full.ns.write_at(&file, 0, b"x").unwrap_err();
        assert!(matches!(failed, FsError::NoSpace), "{failed:?}");
        assert_eq!(full.read("below").map(|text| text == "b".repeat(200_000)), Ok(true));
    }
    for number in 0..10_000 {
        match full.ns.create_directory_at(&full.base, &format!("directory {number} {}", "n".repeat(200))) {
            Ok(()) => {}
            Err(FsError::NoSpace) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    let before = full.names(".");
    drop((kept, first, full));
    // Closed and opened again, with the disk still full.
    drop(store);
    let store = on(part, small, lower.path());
    let guest = Guest::new(&[("/w", &store)], &["write:/w/**"]);
    assert_eq!(guest.names("."), before);
    assert_eq!(guest.read("kept").map(|text| text == "k".repeat(100_000)), Ok(true));
    let grown = Command::new("mount").args(["-o", "remount,size=64m"]).arg(small).status().unwrap();
    assert!(grown.success());
    assert_eq!(guest.write("more", &"m".repeat(5_000_000)), Ok(()), "{part}: there is room again");
    assert_eq!(guest.unlink("big"), Ok(()));
    let more = guest.open("more", OPEN, READ).unwrap();
    guest.ns.sync(&more).unwrap();
    assert_eq!(guest.stat("more").map(|found| found.size), Ok(5_000_000));
    drop((more, guest, store));
    if part.ends_with("sqlite") {
        let report = SqliteStore::check(small.join("changes.db")).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
    assert_eq!(std::fs::read_dir(lower.path()).unwrap().count(), on_host);
    assert_eq!(std::fs::read(lower.path().join("below")).unwrap(), b"b".repeat(200_000));
}

/// Writes until there is no room, and gives how much was taken; the error says what it is.
fn fill(guest: &Guest, name: &str, piece: usize) -> u64 {
    let Ok(file) = guest.ns.open_at(&guest.base, name, true, CREATE, WRITE) else { return 0 };
    let piece = "x".repeat(piece);
    let mut taken = 0;
    loop {
        match guest.ns.write_at(&file, taken, piece.as_bytes()) {
            Ok(written) => taken += u64::try_from(written).unwrap(),
            Err(FsError::NoSpace) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(guest.ns.stat(&file).unwrap().size, taken, "nothing of what failed is there");
    taken
}
