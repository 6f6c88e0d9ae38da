//! Records: one bounded, printable line each, whatever the guest said.

use caplet_audit::text::is_hidden;
use caplet_audit::{ErrorInfo, ErrorKind, Outcome, Record};

use crate::denied;

const LINE_BYTES: usize = 1024 * 1024;

#[test]
fn a_record_reads_back_as_it_was() {
    let mut outcome = Outcome::refused("t", Some("f".to_owned()), ErrorInfo::new(ErrorKind::InvalidArgs, "no"));
    outcome.decisions.denied.push(denied("read /etc/passwd"));
    let mut record = Record::new(&outcome);
    record.component = Some("sha256:00".into());
    record.limits = std::sync::Arc::new([("timeout".to_owned(), "30s".to_owned())].into());
    let line = record.to_line().unwrap();
    let back: Record = serde_json::from_str(&line).unwrap();
    assert_eq!(back.to_line().unwrap(), line);
    assert_eq!(back.id.len(), 26);
    assert!(back.time.ends_with('Z'));
}

#[test]
fn a_guest_cannot_forge_a_line() {
    let hostile = "x\n{\"version\":1}\r\u{1b}[2J\u{202e}\u{2028}\0";
    let mut outcome = Outcome::refused(hostile, Some(hostile.to_owned()), ErrorInfo::new(ErrorKind::Denied, hostile));
    outcome.decisions.denied.push(denied(hostile));
    let line = Record::new(&outcome).to_line().unwrap();
    assert!(!line.chars().any(is_hidden), "{line}");
    let back: Record = serde_json::from_str(&line).unwrap();
    assert_eq!(back.tool, hostile);
}

#[test]
fn a_record_is_bounded_however_much_was_asked_for() {
    let huge = "\u{1b}".repeat(100_000);
    let mut outcome = Outcome::refused(huge.as_str(), None, ErrorInfo::new(ErrorKind::Denied, huge.as_str()));
    outcome.decisions.denied = (0..1024).map(|_| denied(&huge)).collect();
    let line = Record::new(&outcome).to_line().unwrap();
    assert!(line.len() <= LINE_BYTES, "{}", line.len());
    let back: Record = serde_json::from_str(&line).unwrap();
    assert_eq!(back.decisions.denied.len() as u64 + back.decisions.overflow, 1024);
    assert!(!back.decisions.denied.is_empty());
}

#[test]
fn ids_differ_and_sort_by_time() {
    let mut ids: Vec<String> = (0..100).map(|_| Record::new(&Outcome::new("t", None)).id).collect();
    let newest = ids.last().unwrap()[..8].to_owned();
    assert!(ids[0][..8] <= *newest);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 100);
}
