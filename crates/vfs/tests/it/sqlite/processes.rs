//! Processes that share a file, and processes that are killed. A child is this very test, started again with a part to play.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_vfs::{EntryKind, FileSystem, FsError, MemoryStore, SqliteStore};
use rusqlite::Connection;

use super::{Permits, guest, name, sound, store};
use crate::world::{BOTH, CREATE, CREATE_NEW, Code, Guest, OPEN, QUOTA};

/// The part to play, and the file.
const PART: &str = "CAPLET_TEST_SQLITE_PART";
const FILE: &str = "CAPLET_TEST_SQLITE_FILE";

/// What a child says begins with this; the rest is the test harness's.
const SAYS: &str = "child: ";

/// How many changes come between two syncs of a child that is killed.
const SYNC_EVERY: u64 = 7;

#[test]
#[ignore = "the other process of the tests here"]
fn child() {
    let (Ok(part), Ok(file)) = (std::env::var(PART), std::env::var(FILE)) else { return };
    let (part, number) = part.split_once(' ').unwrap();
    let (file, number): (&Path, u64) = (file.as_ref(), number.parse().unwrap());
    match part {
        "change" => change_forever(file, number),
        "share" => share(file, number),
        "touch" => drop(store(file)),
        "remove" => guest(&store(file)).unlink("f").unwrap(),
        "hold" => hold(file),
        "fill" => fill(file),
        "write" => super::gathered::write_forever(file, number),
        part => panic!("{part}"),
    }
}

fn command(part: &str, file: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "sqlite::processes::child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(PART, part).env(FILE, file).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

pub(super) fn start(part: &str, file: &Path) -> Child {
    command(part, file).spawn().unwrap()
}

#[track_caller]
fn run(part: &str, file: &Path) {
    let output = start(part, file).wait_with_output().unwrap();
    assert!(output.status.success(), "{part}: {}", String::from_utf8_lossy(&output.stdout));
}

#[expect(clippy::print_stdout, reason = "this is how a child speaks")]
pub(super) fn say(what: impl std::fmt::Display) {
    println!("{SAYS}{what}");
}

/// What the child says, line by line. The harness may have begun the line.
pub(super) fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| Some(line.split_once(SAYS)?.1.to_owned()))
}

/// The change of this number: the same on every store, and one transaction.
fn change(guest: &Guest, number: u64) {
    let mix = number.wrapping_mul(6_364_136_223_846_793_005).rotate_left(23).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let file = |salt: u64| format!("f{}", (mix >> salt) % 6);
    let (path, at) = (file(3), (mix >> 17) % 150_000);
    // That some are not possible is as it should be, and the same everywhere.
    match mix % 16 {
        0 => attempt(guest.unlink(&path)),
        1 => attempt(guest.rename(&path, &file(40))),
        2 => attempt(guest.mkdir(&format!("d{}", number % 3))),
        3 => attempt(guest.rename(&path, &format!("d{}/x", mix % 3))),
        4 => attempt(guest.hard_link(&path, &file(44))),
        kind => match guest.open(&path, OPEN, BOTH) {
            Ok(open) if kind == 5 => guest.ns.set_size(&open, at).unwrap(),
            Ok(open) => {
                let letter = |index: u64| b'a' + u8::try_from(((index / 7) ^ mix) % 26).unwrap();
                let bytes: Vec<u8> = (0..=mix % 5000).map(letter).collect();
                guest.ns.write_at(&open, at, &bytes).unwrap();
            }
            Err(_) => drop(guest.open(&path, CREATE_NEW, BOTH).unwrap()),
        },
    }
}

/// Whether it succeeds does not matter; what is left does.
fn attempt(_: Result<(), Code>) {}

/// Everything that a store holds.
fn everything(store: &Arc<dyn FileSystem>) -> BTreeMap<String, String> {
    let guest = guest(store);
    let mut found = BTreeMap::new();
    let mut left = vec![".".to_owned()];
    while let Some(path) = left.pop() {
        for (kind, name) in guest.list(&path).unwrap() {
            let path = format!("{path}/{name}");
            if kind == EntryKind::Directory {
                left.push(path.clone());
                found.insert(path, "directory".to_owned());
            } else {
                let content = guest.read(&path).unwrap();
                found.insert(path, content);
            }
        }
    }
    found
}

fn change_forever(file: &Path, from: u64) {
    let store = store(file);
    for number in from.. {
        // A guest of its own each time: what one call may write is bounded.
        let guest = guest(&store);
        change(&guest, number);
        if number % SYNC_EVERY == 0 {
            guest.ns.sync(&guest.base).unwrap();
            say(number);
        }
    }
}

#[test]
fn what_was_synced_is_there_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let model: Arc<dyn FileSystem> = Arc::new(MemoryStore::new(QUOTA));
    let mut done = 0;
    for round in 0..50u32 {
        let mut child = start(&format!("change {}", done + 1), &path);
        let mut said = lines(&mut child);
        let mut synced = done;
        for _ in 0..(round * 7) % 23 {
            synced = said.next().unwrap().parse().unwrap();
        }
        // At another moment of its work each time.
        let until = Instant::now() + Duration::from_micros(u64::from(round * 137 % 2500));
        while Instant::now() < until {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // It went on until it was killed.
        synced = said.last().map_or(synced, |last| last.parse().unwrap());
        if round == 0 {
            // It may not even have made the file.
            drop(store(&path));
        }
        let report = sound(&path);
        // Each kill may leave one open file without a name, which is collected a day later.
        assert!(u64::from(round) + 1 >= report.nameless, "{report:?}");
        let kept = everything(&store(&path));
        // All up to the last sync that was said, and beyond it whole changes in order, up to the next.
        while done < synced || everything(&model) != kept {
            done += 1;
            change(&guest(&model), done);
            assert!(done <= synced + 2 * SYNC_EVERY, "round {round}: what is there is no state after {synced}");
        }
    }
    assert!(done > 1000, "{done} changes");
}

const SHARERS: u64 = 3;
const RECORDS: u64 = 60;

/// Adds to what is everybody's, and makes, moves and removes what the others do as well.
fn share(file: &Path, number: u64) {
    let store = store(file);
    let guest = guest(&store);
    let log = guest.open("log", CREATE, BOTH).unwrap();
    for record in 0..RECORDS {
        assert_eq!(guest.ns.append(&log, format!("{number}:{record:05}\n").as_bytes()).unwrap(), 8);
        let own = format!("own-{number}-{record}");
        guest.write(&own, &own).unwrap();
        guest.rename(&own, &format!("kept-{number}-{record}")).unwrap();
        // Whoever is first; what must hold is that the tree stays one.
        attempt(guest.mkdir(&format!("d{}", record % 3)));
        attempt(guest.rename(&format!("d{}", record % 3), &format!("d{}/d", (record + number) % 3)));
        attempt(guest.rename(&format!("d{}/d", (record + number) % 3), &format!("e{number}")));
        attempt(guest.rmdir(&format!("e{}", record % SHARERS)));
    }
    guest.ns.sync(&log).unwrap();
}

#[test]
fn processes_that_share_a_file_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    // None has made it: they come at the same time.
    let children: Vec<Child> = (0..SHARERS).map(|number| start(&format!("share {number}"), &path)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    sound(&path);
    let store = store(&path);
    let guest = guest(&store);
    let mut records: Vec<String> = guest.read("log").unwrap().lines().map(str::to_owned).collect();
    records.sort();
    let all = (0..SHARERS).flat_map(|number| (0..RECORDS).map(move |record| format!("{number}:{record:05}")));
    assert_eq!(records, all.collect::<Vec<_>>());
    let kept: Vec<String> = guest.names(".").into_iter().filter(|name| name.starts_with("kept-")).collect();
    assert_eq!(kept.len(), 180);
    for name in kept {
        assert_eq!(guest.read(&name), Ok(name.replace("kept", "own")));
    }
}

#[test]
fn the_quota_counts_what_other_processes_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let small: Arc<dyn FileSystem> = Arc::new(SqliteStore::open(&path, 100_000).unwrap());
    assert_eq!(guest(&small).write("mine", &"x".repeat(40_000)), Ok(()));
    run("share 0", &path);
    assert_eq!(guest(&small).write("more", &"x".repeat(40_000)), Err("dquot"));
    assert_eq!(guest(&small).names(".").iter().filter(|name| name.starts_with("kept-")).count(), 60);
}

/// Opening and closing it once more in this process must not give up its locks: another process would then take the log away.
#[test]
fn a_file_that_is_opened_twice_keeps_its_locks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let first = store(&path);
    let guest = guest(&first);
    guest.write("f", "in the log").unwrap();
    drop(store(&path));
    drop(SqliteStore::open_existing(&path).unwrap());
    sound(&path);
    run("touch 0", &path);
    assert!(directory.path().join("f.db-wal").exists(), "somebody closed it as if nobody had it open");
    guest.write("g", "after").unwrap();
    assert_eq!((guest.read("f").as_deref(), guest.read("g").as_deref()), (Ok("in the log"), Ok("after")));
    drop((guest, first));
    assert!(!directory.path().join("f.db-wal").exists());
    sound(&path);
}

#[test]
fn what_another_process_removes_is_gone_for_who_holds_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let store = store(&path);
    let guest = guest(&store);
    guest.write("f", "content").unwrap();
    let file = guest.open("f", OPEN, BOTH).unwrap();
    run("remove 0", &path);
    assert_eq!(guest.verb(|ns, _| ns.read_at(&file, 0, 9).map(drop)), Err("noent"));
    assert_eq!(guest.verb(|ns, _| ns.append(&file, b"x").map(drop)), Err("noent"));
    guest.write("f", "another").unwrap();
    assert_eq!(guest.verb(|ns, _| ns.read_at(&file, 0, 9).map(drop)), Err("noent"), "and never another file");
    drop(file);
    assert_eq!(sound(&path).files, 1);
}

/// Holds a file without a name until it is killed.
fn hold(path: &Path) {
    let store = store(path);
    let guest = guest(&store);
    guest.write("f", &"x".repeat(5000)).unwrap();
    let file = guest.open("f", OPEN, BOTH).unwrap();
    guest.unlink("f").unwrap();
    assert_eq!(guest.ns.stat(&file).unwrap().size, 5000);
    say("held");
    loop {
        std::thread::park();
    }
}

#[test]
fn what_a_killed_process_held_is_collected_a_day_later() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let mut child = start("hold 0", &path);
    assert_eq!(lines(&mut child).next().as_deref(), Some("held"));
    child.kill().unwrap();
    child.wait().unwrap();
    for age in [0, 23 * 60 * 60] {
        Connection::open(&path)
            .unwrap()
            .execute("UPDATE inode SET changed = changed - ?1 WHERE links = 0", [age])
            .unwrap();
        drop(store(&path));
        let report = sound(&path);
        assert_eq!((report.nameless, report.files, report.used), (1, 1, 5000), "somebody might have it still");
    }
    Connection::open(&path).unwrap().execute("UPDATE inode SET changed = changed - 7200 WHERE links = 0", ()).unwrap();
    drop(store(&path));
    let report = sound(&path);
    assert_eq!((report.nameless, report.files, report.used), (0, 0, 0));
}

#[test]
fn who_waits_too_long_for_another_process_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let store = store(&path);
    guest(&store).write("f", "x").unwrap();
    let mut other = Connection::open(&path).unwrap();
    let writes = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let began = Instant::now();
    assert_eq!(guest(&store).mkdir("d"), Err("busy"));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(guest(&store).read("f").as_deref(), Ok("x"), "reading goes on");
    drop(writes);
    assert_eq!(guest(&store).mkdir("d"), Ok(()));
}

/// Writes until the disk is full, and says how much was taken.
fn fill(file: &Path) {
    let permits = Permits::new();
    let store = SqliteStore::open(file, QUOTA).unwrap();
    let root = store.root().unwrap();
    let file = root.create_file(&permits.write, name("f")).unwrap();
    let mut taken = 0;
    let error = loop {
        match file.append(&[b'x'; 50_000]) {
            Ok(written) => taken += written,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, FsError::Io | FsError::NoSpace), "{error:?}");
    assert_eq!(file.size().unwrap(), u64::try_from(taken).unwrap(), "nothing of what failed is there");
    assert!(file.read_at(0, 1000).unwrap().iter().all(|byte| *byte == b'x'));
    say(taken);
}

#[test]
fn a_full_disk_is_an_error_and_does_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    // A process that may write no file of more than about a MiB or two. Without the trap, the system would end it.
    let child = command("fill 0", &path);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", r#"trap "" XFSZ; ulimit -f 2000; exec "$0" "$@""#])
        .arg(child.get_program())
        .args(child.get_args());
    limited.env(PART, "fill 0").env(FILE, &path);
    let output = limited.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let taken: usize = text.lines().find_map(|line| line.split_once(SAYS)).unwrap().1.parse().unwrap();
    assert!((200_000..2_000_000).contains(&taken), "{taken}");
    sound(&path);
    let store = store(&path);
    let guest = guest(&store);
    assert_eq!(guest.read("f").unwrap(), "x".repeat(taken));
    guest.write("g", &"y".repeat(3_000_000)).unwrap();
    sound(&path);
}
