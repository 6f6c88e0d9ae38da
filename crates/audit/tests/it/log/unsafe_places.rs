//! A log is never written where it is not safe.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use caplet_audit::{Sink as _, SinkError};

use super::{World, append, record};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn what_is_not_safe_is_refused_and_left_alone() {
    type Spoil = fn(&Path, &Path);
    let table: [(&str, Spoil); 6] = [
        ("link", |file, elsewhere| symlink(elsewhere, file).unwrap()),
        ("dangling link", |file, _| symlink("nowhere", file).unwrap()),
        ("folder", |file, _| fs::create_dir(file).unwrap()),
        ("second name", |file, elsewhere| fs::hard_link(elsewhere, file).unwrap()),
        ("open mode", |file, _| {
            fs::write(file, "").unwrap();
            set_mode(file, 0o644);
        }),
        ("pipe", |file, _| make_pipe(file)),
    ];
    for (name, spoil) in table {
        for spoiled in ["log/audit-00000001.jsonl", "keys/audit.key", "keys/audit.pub"] {
            let world = World::new();
            let elsewhere = world.path().join("elsewhere");
            fs::write(&elsewhere, "untouched").unwrap();
            for folder in [world.folder(), world.keys()] {
                fs::create_dir_all(&folder).unwrap();
                set_mode(&folder, 0o700);
            }
            spoil(&world.path().join("state").join(spoiled), &elsewhere);
            let log = world.log();
            assert!(log.ready().is_err(), "{name} {spoiled}");
            assert!(log.append(&record("a")).is_err(), "{name} {spoiled}");
            assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched", "{name} {spoiled}");
            assert!(!world.folder().join("nowhere").exists() && !world.keys().join("nowhere").exists());
        }
    }
}

#[test]
fn a_folder_that_others_can_change_is_refused() {
    for spoiled in [World::folder as fn(&World) -> _, World::keys] {
        let world = World::new();
        fs::create_dir_all(spoiled(&world)).unwrap();
        set_mode(&spoiled(&world), 0o777);
        assert!(matches!(world.log().ready().unwrap_err(), SinkError::Unsafe { .. }));
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let world = World::new();
    fs::write(world.path().join("state"), "").unwrap();
    let error = world.log().ready().unwrap_err();
    assert!(matches!(error, SinkError::Io { .. }), "{error}");
    assert!(!error.hint().is_empty());
}

#[test]
fn a_log_that_becomes_unsafe_is_not_used_any_more() {
    let world = World::new();
    let log = world.log();
    append(&log, &["a"]);
    set_mode(&world.segment(1), 0o666);
    assert!(log.ready().is_err() && log.append(&record("b")).is_err());
    set_mode(&world.segment(1), 0o600);
    append(&log, &["c"]);
    assert_eq!(world.tools(), ["a", "c"]);
    assert!(world.verify().is_sound());
}
