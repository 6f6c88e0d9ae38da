//! Real processes that append to one log, are stopped at any moment, and run out of room.
//!
//! A process is this test program again, running `a_process` alone.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use caplet_audit::log::{Filter, Log, LogConfig, Order, Reader};
use caplet_audit::{Sink as _, SinkError};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{World, append, record};

/// What the process does; set in a process that is started by a test.
const WORK: &str = "CAPLET_TEST_WORK";

/// The log's folder and the keys'.
const PLACE: &str = "CAPLET_TEST_PLACE";

fn start(world: &World, work: &str) -> Child {
    let place = env::join_paths([world.folder(), world.keys()]).unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["log::processes::a_process", "--exact", "--nocapture"]).env(WORK, work).env(PLACE, place);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Not a test but what the other tests start. By itself it does nothing.
#[test]
fn a_process() {
    let (Ok(work), Some(place)) = (env::var(WORK), env::var_os(PLACE)) else { return };
    let mut folders = env::split_paths(&place);
    let (folder, keys) = (folders.next().unwrap(), folders.next().unwrap());
    let log = Log::new(LogConfig::new(folder, keys).segment_bytes(100_000));
    let mut out = std::io::stdout().lock();
    let most = work.strip_prefix("append ").map_or(usize::MAX, |count| count.parse().unwrap());
    for number in 0..most {
        let mut record = record("child");
        // Longer than a page now and then, so that a write can be cut short within.
        record.function = Some("f".repeat(if number % 7 == 0 { 9_000 } else { 10 }));
        log.append(&record).unwrap();
        // Now the outcome is released.
        if writeln!(out, "released {}", record.id).is_err() {
            return;
        }
    }
}

/// The records that were released, as the process said.
fn released(lines: impl Iterator<Item = std::io::Result<String>>) -> Vec<String> {
    lines
        .filter_map(|line| line.ok()?.strip_prefix("released ").filter(|id| id.len() == 26).map(str::to_owned))
        .collect()
}

fn kept(world: &World) -> BTreeSet<String> {
    let records = Reader::new(world.folder()).records(Order::OldestFirst, Filter::default()).unwrap();
    records.map(|kept| kept.unwrap().record.id).collect()
}

#[test]
fn processes_at_once_make_one_chain() {
    const EACH: usize = 200;
    let world = World::new();
    let children: Vec<Child> = (0..4).map(|_| start(&world, &format!("append {EACH}"))).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let report = world.verify();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.records, 4 * EACH as u64);
    assert!(report.segments > 1);
}

#[test]
fn a_process_that_is_killed_loses_no_record_of_a_released_result() {
    let world = World::new();
    let mut all = BTreeSet::new();
    for round in 0..100_usize {
        let mut child = start(&world, "until killed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // At a moment that depends on how the two happen to run, and each time another one.
        all.extend(released(lines.by_ref().take(3 + round * 7 % 40)));
        child.kill().unwrap();
        child.wait().unwrap();
        all.extend(released(lines));
    }
    let report = world.verify();
    assert!(report.is_sound(), "{report:?}");
    assert!(all.len() > 100);
    let missing: Vec<_> = all.difference(&kept(&world)).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    // What was cut short by the last of them does not stand in the way.
    append(&world.log(), &["after"]);
    assert!(world.verify().is_sound());
}

#[test]
fn a_record_that_does_not_fit_any_more_leaves_nothing() {
    let Ok(work) = env::var(WORK) else {
        let world = World::new();
        append(&world.log(), &["a"]);
        let place = env::join_paths([world.folder(), world.keys()]).unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["log::processes::a_record_that_does_not_fit_any_more_leaves_nothing", "--exact", "--nocapture"]);
        let mut child = command.env(WORK, "fill").env(PLACE, place).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        assert_eq!(world.tools(), ["a"]);
        let report = world.verify();
        assert!(report.is_sound() && report.notes.is_empty(), "{report:?}");
        return;
    };
    assert_eq!(work, "fill");
    let place = env::var_os(PLACE).unwrap();
    let mut folders = env::split_paths(&place);
    let (folder, keys) = (folders.next().unwrap(), folders.next().unwrap());
    let size = std::fs::metadata(folder.join("audit-00000001.jsonl")).unwrap().len();
    // As on a full disk, a write gets no further than this.
    setrlimit(Resource::Fsize, Rlimit { current: Some(size + 100), maximum: Some(size + 100) }).unwrap();
    let log = Log::new(LogConfig::new(folder, keys).one_shot());
    for _ in 0..2 {
        assert!(matches!(log.append(&record("b")).unwrap_err(), SinkError::Io { .. }));
    }
}
