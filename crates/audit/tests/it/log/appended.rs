//! What a log holds after appends, crashes and clocks.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use caplet_audit::log::{FaultKind, Filter, Order, PublicKey, Reader, Trust, verify};
use caplet_audit::text::is_hidden;
use caplet_audit::{Sink as _, SinkError};
use serde_json::Value;

use super::{Change, World, append, record};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn add(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn records_are_chained_in_private_files() {
    let world = World::new();
    let log = world.log();
    log.ready().unwrap();
    append(&log, &["a", "b"]);
    append(&world.log(), &["c"]);
    append(&log, &["d"]);
    assert_eq!(world.tools(), ["a", "b", "c", "d"]);
    drop(log);
    for file in [world.segment(1), world.keys().join("audit.key"), world.keys().join("checkpoints.jsonl")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!((mode(&world.folder()), mode(&world.keys())), (0o700, 0o700));
    let report = world.verify();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.entries, report.records, report.vouched), (5, 4, Some(5)));
    let key = fs::read_to_string(world.keys().join("audit.pub")).unwrap();
    assert_eq!(report.key.as_deref(), Some(key.trim()));
}

#[test]
fn anyone_can_check_a_line_with_sha256() {
    let world = World::new();
    append(&world.log(), &["a"]);
    let lines = world.lines().concat();
    let mut before = "0".repeat(64);
    for line in lines {
        let entry: Value = serde_json::from_str(&line).unwrap();
        let hash = entry["hash"].as_str().unwrap();
        let rest = line.strip_prefix(&format!("{{\"hash\":\"{hash}\",")).unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA256, format!("{{{rest}").as_bytes());
        let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((hash, entry["prev"].as_str().unwrap()), (digits.as_str(), before.as_str()));
        before = digits;
    }
}

#[test]
fn segments_follow_one_another() {
    let world = World::new();
    let config = world.config().segment_bytes(2_000);
    let log = caplet_audit::log::Log::new(config.clone());
    let other = caplet_audit::log::Log::new(config);
    for number in 0..10 {
        append(if number % 2 == 0 { &log } else { &other }, &[&format!("t{number}")]);
    }
    drop((log, other));
    let segments = world.lines();
    assert!(segments.len() > 3, "{}", segments.len());
    assert!(segments.iter().all(|lines| lines[0].contains("\"kind\":\"start\"") && lines.len() > 1));
    assert_eq!(world.tools(), (0..10).map(|number| format!("t{number}")).collect::<Vec<_>>());
    let report = world.verify();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.segments, segments.len() as u64);
}

#[test]
fn an_old_segment_is_followed_by_a_new_one() {
    let world = World::new();
    append(&world.log(), &["a"]);
    append(&caplet_audit::log::Log::new(world.config().segment_age(Duration::ZERO)), &["b"]);
    assert_eq!(world.lines().len(), 2);
    assert!(world.verify().is_sound());
    // A process that stopped before it wrote anything into the next one.
    fs::write(world.segment(3), "").unwrap();
    fs::set_permissions(world.segment(3), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(world.verify().is_sound());
    append(&world.log(), &["c"]);
    assert!(world.verify().is_sound());
    assert_eq!(world.tools(), ["a", "b", "c"]);
}

#[test]
fn what_a_crash_cut_short_is_cut_off_and_remarked_on() {
    let world = World::new();
    append(&world.log(), &["a", "b"]);
    let whole = fs::read(world.segment(1)).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in [last + 1, last + 100, whole.len() - 2] {
        fs::write(world.segment(1), &whole[..cut]).unwrap();
        fs::remove_file(world.keys().join("checkpoints.jsonl")).unwrap();
        assert_eq!(world.tools(), ["a"], "a torn record is no record");
        let report = world.verify();
        assert!(report.is_sound() && report.notes.iter().any(|note| note.what.contains("cut short")), "{report:?}");
        append(&world.log(), &["c"]);
        assert_eq!(world.tools(), ["a", "c"]);
        let report = world.verify();
        assert!(report.is_sound() && report.notes.iter().any(|note| note.what.contains("cut short")), "{report:?}");
        assert!(world.lines().concat().iter().any(|line| line.contains("\"kind\":\"torn\"")));
    }
    // Only the line break is missing: the record is there.
    fs::write(world.segment(1), &whole[..whole.len() - 1]).unwrap();
    fs::remove_file(world.keys().join("checkpoints.jsonl")).unwrap();
    append(&world.log(), &["c"]);
    assert_eq!(world.tools(), ["a", "b", "c"]);
    assert!(world.verify().is_sound());
}

#[test]
fn nothing_follows_a_last_line_that_is_no_entry() {
    let world = World::new();
    append(&world.log(), &["a"]);
    add(&world.segment(1), b"{\"version\":1}\n");
    let error = world.log().append(&record("b")).unwrap_err();
    assert!(matches!(error, SinkError::Damaged { .. }), "{error}");
    assert!(error.hint().contains("caplet audit verify"));
    let fault = world.verify().fault.unwrap();
    assert_eq!((fault.kind, fault.line), (FaultKind::Edited, Some(3)));
}

#[test]
fn entries_that_go_while_a_process_runs_leave_a_gap() {
    let table: [Change; 4] = [
        ("removed", |world| fs::remove_file(world.segment(1)).unwrap()),
        ("folder moved", |world| fs::rename(world.folder(), world.path().join("elsewhere")).unwrap()),
        ("cut", |world| {
            let lines = world.lines();
            world.put(&[lines[0][..2].to_vec()]);
        }),
        ("emptied", |world| fs::write(world.segment(1), "").unwrap()),
    ];
    for (name, take) in table {
        let world = World::new();
        let log = world.log();
        append(&log, &["a", "b"]);
        take(&world);
        if world.segment(1).exists() {
            fs::set_permissions(world.segment(1), fs::Permissions::from_mode(0o600)).unwrap();
        }
        append(&log, &["c"]);
        let fault = world.verify().fault.unwrap();
        assert_eq!(fault.kind, FaultKind::Deleted, "{name}: {fault:?}");
        assert_eq!(world.tools().last().unwrap(), "c");
    }
}

#[test]
fn a_clock_that_is_set_back_is_remarked_on() {
    let world = World::new();
    let log = world.log();
    append(&log, &["a"]);
    let mut early = record("b");
    "2001-01-01T00:00:00.000Z".clone_into(&mut early.time);
    log.append(&early).unwrap();
    drop(log);
    let report = world.verify();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.notes.iter().any(|note| note.what.contains("clock")), "{report:?}");
}

#[test]
fn a_guest_cannot_forge_a_line() {
    let world = World::new();
    let hostile = "x\n{\"hash\":\"0\",\"prev\":\"0\",\"seq\":1}\r\u{1b}[2J\u{202e}\u{2028}\0\",\"seq\":9}";
    append(&world.log(), &[hostile, "b"]);
    let lines = world.lines().concat();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| !line.chars().any(is_hidden)));
    assert_eq!(world.tools(), [hostile, "b"]);
    assert!(world.verify().is_sound());
}

#[test]
fn checkpoints_are_verified_with_a_key_from_elsewhere() {
    let world = World::new();
    append(&world.log(), &["a"]);
    let key = PublicKey::parse(&fs::read_to_string(world.keys().join("audit.pub")).unwrap()).unwrap();
    let trust = |key| Trust { keys: Some(world.keys()), key: Some(key) };
    assert!(verify(&world.folder(), &trust(key)).unwrap().is_sound());
    // Who makes everything anew has another key.
    let other = World::new();
    append(&other.log(), &["a"]);
    let fault = verify(&other.folder(), &Trust { keys: Some(other.keys()), key: Some(key) }).unwrap().fault.unwrap();
    assert_eq!(fault.kind, FaultKind::Checkpoint);
    fs::remove_file(world.keys().join("checkpoints.jsonl")).unwrap();
    assert_eq!(verify(&world.folder(), &trust(key)).unwrap().fault.unwrap().kind, FaultKind::Checkpoint);
}

#[test]
fn what_is_appended_in_the_background_is_vouched_for_in_the_end() {
    let world = World::new();
    let log = caplet_audit::log::Log::new(caplet_audit::log::LogConfig::new(world.folder(), world.keys()));
    append(&log, &["a", "b"]);
    log.settle().unwrap();
    assert_eq!(world.verify().vouched, Some(3));
    append(&log, &["c"]);
    drop(log);
    assert_eq!(world.verify().vouched, Some(4));
    let newest = Reader::new(world.folder()).records(Order::NewestFirst, Filter::default()).unwrap().next();
    assert_eq!(newest.unwrap().unwrap().seq, 4);
}
