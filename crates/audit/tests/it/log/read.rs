//! Questions to a log.

use std::fs;
use std::time::{Duration, SystemTime};

use caplet_audit::log::{Filter, Kept, Log, Order, ReadError, Reader};
use caplet_audit::{ErrorInfo, ErrorKind, Outcome, OutcomeKind, Record, Sink as _};

use super::{World, append};
use crate::denied;

pub(super) fn world() -> (World, Vec<String>) {
    let world = World::new();
    let log = Log::new(world.config().segment_bytes(3_000));
    let mut ids = Vec::new();
    for number in 0..20_u64 {
        let mut outcome = match number % 4 {
            0 => Outcome::refused("fetch", None, ErrorInfo::new(ErrorKind::Denied, "no")),
            _ => Outcome::new(if number % 2 == 0 { "fetch" } else { "read" }, None),
        };
        if number % 5 == 0 {
            let mut entry = denied("GET https://api.example.com:8443/v1/x?y");
            entry.capability = "wasi:http".to_owned();
            outcome.decisions.denied.extend([entry, denied("read /work/notes/a.txt")]);
        }
        let mut record = Record::new(&outcome);
        record.time = humantime_text(number);
        ids.push(record.id.clone());
        log.append(&record).unwrap();
    }
    (world, ids)
}

pub(super) fn time(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second)
}

pub(super) fn ids_of(kept: &[Kept]) -> Vec<String> {
    kept.iter().map(|kept| kept.record.id.clone()).collect()
}

fn humantime_text(second: u64) -> String {
    format!("2027-01-15T08:00:{second:02}.000Z")
}

#[test]
fn records_come_in_both_orders() {
    let (world, ids) = world();
    assert!(world.lines().len() > 3);
    let read = |order| -> Vec<String> {
        let records = Reader::new(world.folder()).records(order, Filter::default()).unwrap();
        records.map(|kept| kept.unwrap().record.id).collect()
    };
    assert_eq!(read(Order::OldestFirst), ids);
    let mut back = ids.clone();
    back.reverse();
    assert_eq!(read(Order::NewestFirst), back);
}

#[test]
fn filters_let_through_what_was_asked_for() {
    let (world, ids) = world();
    let filter = |set: fn(&mut Filter)| {
        let mut filter = Filter::default();
        set(&mut filter);
        filter
    };
    let every = |step: usize| (0..20).filter(|number| number % step == 0).collect::<Vec<_>>();
    let table: [(&str, Filter, Vec<usize>); 12] = [
        ("tool", filter(|filter| filter.tool = Some("fetch".to_owned())), every(2)),
        ("no such tool", filter(|filter| filter.tool = Some("fet".to_owned())), vec![]),
        ("outcome", filter(|filter| filter.outcome = Some(OutcomeKind::Refused)), every(4)),
        ("denied", filter(|filter| filter.denied = true), every(5)),
        ("host", filter(|filter| filter.host = Some("api.example.com".to_owned())), every(5)),
        ("part of a host", filter(|filter| filter.host = Some("example.com".to_owned())), vec![]),
        ("path", filter(|filter| filter.path = Some("/work/notes/a.txt".to_owned())), every(5)),
        ("path above", filter(|filter| filter.path = Some("/work/".to_owned())), every(5)),
        ("part of a name", filter(|filter| filter.path = Some("/work/no".to_owned())), vec![]),
        ("since", filter(|filter| filter.since = Some(time(15))), (15..20).collect()),
        ("until", filter(|filter| filter.until = Some(time(3))), (0..3).collect()),
        (
            "all",
            filter(|filter| {
                filter.tool = Some("fetch".to_owned());
                filter.denied = true;
                filter.since = Some(time(5));
            }),
            vec![10],
        ),
    ];
    for (name, filter, expected) in table {
        let records = Reader::new(world.folder()).records(Order::OldestFirst, filter).unwrap();
        let found: Vec<String> = records.map(|kept| kept.unwrap().record.id).collect();
        let expected: Vec<String> = expected.into_iter().map(|number| ids[number].clone()).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_record_is_found_by_its_id() {
    let (world, ids) = world();
    let reader = Reader::new(world.folder());
    for id in &ids {
        assert_eq!(reader.find(id).unwrap().unwrap().record.id, *id);
    }
    assert!(reader.find("01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap().is_none());
}

#[test]
fn a_line_that_is_no_entry_is_an_error_and_the_others_are_read() {
    let world = World::new();
    append(&world.log(), &["a", "b"]);
    let mut lines = world.lines();
    lines[0].insert(2, "{}".to_owned());
    world.put(&lines);
    let records: Vec<_> = Reader::new(world.folder()).records(Order::OldestFirst, Filter::default()).unwrap().collect();
    assert!(matches!(&records[..], [Ok(_), Err(ReadError::Entry { .. }), Ok(_)]), "{records:?}");
    fs::remove_dir_all(world.folder()).unwrap();
    let error = Reader::new(world.folder()).records(Order::OldestFirst, Filter::default()).unwrap_err();
    assert!(matches!(error, ReadError::Missing(_)));
}

#[test]
fn a_record_of_the_first_version_is_read() {
    let line = r#"{"version":1,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","time":"2026-01-01T00:00:00.000Z","tool":"t","function":null,"component":null,"manifest":null,"policy":null,"arguments":null,"ceiling":"none","outcome":"ok","error":null,"exit_code":null,"limits":{},"usage":{"wall_us":1,"fuel":null,"memory_peak_bytes":0,"output_bytes":0,"http_requests":0,"http_sent_bytes":0,"http_received_bytes":0,"cpu_us":0,"file_read_bytes":0,"file_written_bytes":0,"ops":{}},"decisions":{"permitted":0,"denied":[]}}"#;
    let record: Record = serde_json::from_str(line).unwrap();
    assert_eq!((record.version, record.tool.as_str()), (1, "t"));
}
