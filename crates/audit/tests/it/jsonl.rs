//! The log file: appended to whole lines at a time, private, and never written where it is not safe.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use caplet_audit::{JsonlSink, Outcome, Record, Sink, SinkError};

fn record(tool: &str) -> Record {
    Record::new(&Outcome::new(tool, None))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The tools of all whole records in the log, `?` for a line that is not one.
fn tools(path: &Path) -> Vec<String> {
    let read = |line: &str| serde_json::from_str::<Record>(line).map_or_else(|_| "?".to_owned(), |record| record.tool);
    fs::read_to_string(path).unwrap().lines().map(read).collect()
}

#[test]
fn records_are_appended_to_a_private_file() {
    let home = tempfile::tempdir().unwrap();
    let sink = JsonlSink::new(home.path().join("state/caplet"));
    sink.ready().unwrap();
    sink.append(&record("a")).unwrap();
    sink.append(&record("b")).unwrap();
    JsonlSink::new(home.path().join("state/caplet")).append(&record("c")).unwrap();
    assert_eq!(tools(sink.path()), ["a", "b", "c"]);
    assert_eq!(mode(sink.path()), 0o600);
    assert_eq!(mode(sink.path().parent().unwrap()), 0o700);
    assert_eq!(sink.location(), sink.path().parent());
}

#[test]
fn a_log_that_is_not_safe_is_refused_and_left_alone() {
    type Spoil = fn(&Path, &Path);
    let table: [(&str, Spoil); 7] = [
        ("link", |folder, elsewhere| symlink(elsewhere, folder.join("audit.jsonl")).unwrap()),
        ("dangling link", |folder, _| symlink("nowhere", folder.join("audit.jsonl")).unwrap()),
        ("folder", |folder, _| fs::create_dir(folder.join("audit.jsonl")).unwrap()),
        ("second name", |folder, elsewhere| fs::hard_link(elsewhere, folder.join("audit.jsonl")).unwrap()),
        ("open mode", |folder, _| {
            fs::write(folder.join("audit.jsonl"), "").unwrap();
            set_mode(&folder.join("audit.jsonl"), 0o644);
        }),
        ("open folder", |folder, _| set_mode(folder, 0o777)),
        ("pipe", |folder, _| {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                folder.join("audit.jsonl"),
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
                0,
            )
            .unwrap();
        }),
    ];
    for (name, spoil) in table {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = home.path().join("elsewhere");
        fs::write(&elsewhere, "untouched").unwrap();
        let folder = home.path().join("caplet");
        fs::create_dir(&folder).unwrap();
        set_mode(&folder, 0o700);
        spoil(&folder, &elsewhere);
        let sink = JsonlSink::new(&folder);
        assert!(sink.ready().is_err(), "{name}");
        assert!(sink.append(&record("a")).is_err(), "{name}");
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched", "{name}");
        assert!(!folder.join("nowhere").exists(), "{name}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    let error = JsonlSink::new(home.path().join("file/caplet")).ready().unwrap_err();
    assert!(matches!(error, SinkError::Io { .. }), "{error}");
    assert!(!error.hint().is_empty());
}

#[test]
fn a_log_that_was_moved_or_replaced_is_opened_anew() {
    let home = tempfile::tempdir().unwrap();
    let sink = JsonlSink::new(home.path().join("caplet"));
    sink.append(&record("a")).unwrap();
    let rotated = home.path().join("rotated");
    fs::rename(sink.path(), &rotated).unwrap();
    sink.append(&record("b")).unwrap();
    assert_eq!(tools(&rotated), ["a"]);
    assert_eq!(tools(sink.path()), ["b"]);
    fs::remove_file(sink.path()).unwrap();
    symlink(&rotated, sink.path()).unwrap();
    assert!(sink.append(&record("c")).is_err());
    assert_eq!(tools(&rotated), ["a"]);
}

#[test]
fn a_torn_last_line_is_closed_and_stays_alone() {
    let home = tempfile::tempdir().unwrap();
    let sink = JsonlSink::new(home.path().join("caplet"));
    sink.append(&record("a")).unwrap();
    fs::OpenOptions::new().append(true).open(sink.path()).unwrap().write_all(b"{\"version\":1,\"id\":\"01").unwrap();
    sink.append(&record("b")).unwrap();
    sink.append(&record("c")).unwrap();
    assert_eq!(tools(sink.path()), ["a", "?", "b", "c"]);
}

#[test]
fn writers_side_by_side_do_not_mix_lines() {
    const WRITERS: usize = 4;
    const EACH: usize = 50;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("caplet");
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let sink = JsonlSink::new(&folder);
                for _ in 0..EACH {
                    sink.append(&record(&"x".repeat(200))).unwrap();
                }
            });
        }
    });
    let found = tools(&folder.join("audit.jsonl"));
    assert_eq!(found.len(), WRITERS * EACH);
    assert!(found.iter().all(|tool| tool.starts_with('x')));
}
