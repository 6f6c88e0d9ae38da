//! What FILE can be instead of a store, and what opening does to it: nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet_vfs::sqlite::SqliteError;
use caplet_vfs::{FileSystem, SqliteStore};
use rusqlite::Connection;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{guest, sound, store};
use crate::world::{BOTH, OPEN, QUOTA};

/// All files below a directory, byte for byte.
fn bytes(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// A store with a file in it, closed.
fn made(path: &Path) {
    let store = store(path);
    guest(&store).write("f", "content").unwrap();
}

fn changed(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
    // The log of the change does not stay beside the file.
    connection.pragma_update(None, "journal_mode", "delete").unwrap();
}

#[test]
fn each_wrong_file_has_an_error_of_its_own_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    made(&at("good.db"));
    made(&at("named.db"));
    fs::hard_link(at("named.db"), at("name.db")).unwrap();
    fs::create_dir(at("directory")).unwrap();
    symlink("good.db", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    mknodat(CWD, at("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::write(at("text"), "a text that is longer than the header of a database is. ".repeat(9)).unwrap();
    fs::write(at("short"), "SQLite format 3\0").unwrap();
    changed(&at("foreign.db"), "CREATE TABLE t (x); INSERT INTO t VALUES (1); PRAGMA user_version = 1");
    for (name, sql) in [
        ("newer.db", "PRAGMA user_version = 2"),
        ("older.db", "PRAGMA user_version = 0"),
        ("trigger.db", "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM inode; END"),
        ("view.db", "ALTER TABLE entry RENAME TO e; CREATE VIEW entry AS SELECT * FROM e"),
        ("table.db", "CREATE TABLE more (x)"),
        ("column.db", "ALTER TABLE inode ADD COLUMN more TEXT"),
        ("index.db", "DROP INDEX chunk_place"),
        ("stat.db", "ANALYZE"),
    ] {
        made(&at(name));
        changed(&at(name), sql);
    }
    fs::write(at("cut.db"), &fs::read(at("good.db")).unwrap()[..6000]).unwrap();
    let cases = [
        ("directory", "is a directory, not a database file"),
        ("named.db", "is a file with another name besides (a hard link), not a database file"),
        ("link", "is a symbolic link; name the file that it leads to"),
        ("dangling", "is a symbolic link"),
        ("pipe", "is a pipe, not a database file"),
        ("socket", "is a socket, not a database file"),
        ("/dev/null", "is a device, not a database file"),
        ("nowhere/file.db", "there is no file"),
        ("good.db/file.db", "cannot be opened: Not a directory"),
        ("good.db/", "is a directory, not a database file"),
        (".", "is a directory, not a database file"),
        ("..", "is a directory, not a database file"),
        ("text", "is not an SQLite database; it was left as it is"),
        ("short", "is not an SQLite database"),
        ("foreign.db", "is a database of another program"),
        ("newer.db", "has format 2, and this version of Caplet knows formats up to 1"),
        ("older.db", "is damaged: its tables are not those"),
        ("trigger.db", "is damaged: its tables are not those"),
        ("view.db", "is damaged: its tables are not those"),
        ("table.db", "is damaged: its tables are not those"),
        ("column.db", "is damaged: its tables are not those"),
        ("index.db", "is damaged: its tables are not those"),
        ("stat.db", "is damaged: its tables are not those"),
        ("cut.db", "is damaged: "),
    ];
    let before = bytes(directory.path());
    for (file, expected) in cases {
        let path = directory.path().join(file);
        for answer in [
            SqliteStore::open(&path, QUOTA).map(drop),
            SqliteStore::open_existing(&path).map(drop),
            SqliteStore::check(&path).map(drop),
        ] {
            let error = answer.unwrap_err();
            assert!(error.to_string().contains(expected), "{file}: {error}");
            assert!(error.is_usage(), "{file}: {error:?}");
        }
        assert!(bytes(directory.path()) == before, "{file}: something changed");
    }
    sound(&at("good.db"));
}

#[test]
fn the_log_of_a_foreign_database_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("used.db"), directory.path().join("copy"));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
    // As it is on the disk after its program was killed.
    fs::create_dir(&copy).unwrap();
    for ending in ["", "-wal"] {
        fs::copy(directory.path().join(format!("used.db{ending}")), copy.join(format!("used.db{ending}"))).unwrap();
    }
    let before = bytes(&copy);
    assert_eq!(before.len(), 2);
    assert!(matches!(SqliteStore::open(copy.join("used.db"), QUOTA), Err(SqliteError::Foreign(_))));
    assert!(matches!(SqliteStore::check(copy.join("used.db")), Err(SqliteError::Foreign(_))));
    assert!(bytes(&copy) == before, "something changed");
}

#[test]
fn a_new_file_is_its_owners_and_what_is_in_it_lasts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new ' % ü?mode=ro#.db");
    assert!(matches!(SqliteStore::open_existing(&path), Err(SqliteError::Missing(_))));
    assert!(matches!(SqliteStore::check(&path), Err(SqliteError::Missing(_))));
    assert!(bytes(directory.path()).is_empty(), "looking makes nothing");
    let content = "x".repeat(200_000);
    {
        let store = store(&path);
        assert!(store.may_block());
        assert_eq!(store.describe(), format!("SQLite file {}", path.display()));
        let guest = guest(&store);
        guest.mkdir("d").unwrap();
        guest.write("d/it's 100%", &content).unwrap();
        guest.symlink("d/it's 100%", "l").unwrap();
        for file in bytes(directory.path()).keys() {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        }
    }
    let files: Vec<PathBuf> = bytes(directory.path()).into_keys().collect();
    assert_eq!(files, [path.as_path()], "closed, it is one file");
    let again = store(&path);
    assert_eq!(guest(&again).read("l").as_deref(), Ok(content.as_str()));
    let report = sound(&path);
    assert_eq!((report.files, report.directories, report.links, report.nameless), (1, 2, 1, 0));
    // An empty file is as good as none, and is not a store before it is used as one.
    let empty = directory.path().join("empty");
    fs::write(&empty, "").unwrap();
    assert!(matches!(SqliteStore::check(&empty), Err(SqliteError::Empty(_))));
    assert_eq!(fs::metadata(&empty).unwrap().len(), 0);
    guest(&store(&empty)).write("f", "x").unwrap();
    sound(&empty);
}

#[test]
fn looking_inside_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("used.db"), directory.path().join("copy"));
    let used = store(&path);
    guest(&used).write("f", "in the log").unwrap();
    fs::create_dir(&copy).unwrap();
    for ending in ["", "-wal"] {
        fs::copy(directory.path().join(format!("used.db{ending}")), copy.join(format!("used.db{ending}"))).unwrap();
    }
    made(&copy.join("closed.db"));
    let before = bytes(&copy);
    for (file, content) in [("used.db", "in the log"), ("closed.db", "content")] {
        sound(&copy.join(file));
        let store: Arc<dyn FileSystem> = Arc::new(SqliteStore::open_existing(copy.join(file)).unwrap());
        let guest = guest(&store);
        assert_eq!(guest.read("f").as_deref(), Ok(content));
        assert_eq!(guest.names("."), ["f"]);
        let file = guest.open("f", OPEN, BOTH).unwrap();
        for answer in [
            guest.mkdir("d"),
            guest.unlink("f"),
            guest.rename("f", "g"),
            guest.symlink("f", "l"),
            guest.verb(|ns, _| ns.append(&file, b"x").map(drop)),
            guest.verb(|ns, _| ns.set_size(&file, 0)),
            guest.verb(|ns, _| ns.sync(&file)),
        ] {
            assert_eq!(answer, Err("rofs"));
        }
    }
    let mut after = bytes(&copy);
    // The index of a log that was there is made anew; it is no part of what is stored.
    after.remove(&copy.join("used.db-shm"));
    assert!(after == before, "{:?}", after.keys());
    drop(used);
}

#[test]
fn a_path_may_lead_through_links_that_are_above_the_file() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("real")).unwrap();
    symlink("real", directory.path().join("alias")).unwrap();
    let (real, alias) = (directory.path().join("real/f.db"), directory.path().join("alias/f.db"));
    let one = store(&alias);
    guest(&one).write("f", "x").unwrap();
    // Within a process it is one store, so what the one removes lives on for who holds it in the other.
    let other = store(&real);
    let held = guest(&other);
    let file = held.open("f", OPEN, BOTH).unwrap();
    assert_eq!(guest(&one).unlink("f"), Ok(()));
    assert_eq!(held.ns.read_at(&file, 0, 9).unwrap(), b"x");
    assert_eq!(held.ns.append(&file, b"y").ok(), Some(1));
    assert_eq!(sound(&real).nameless, 1);
    drop(file);
    assert_eq!(sound(&real).nameless, 0);
}
