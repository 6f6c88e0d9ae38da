//! The file behind a SQLite store: what is not ours is refused and stays as it is, and what is damaged fails without harm.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use caplet_keyvalue::{Error, OpenError, SqliteOptions, SqliteStore, Store as _};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::servers::scribble;
use crate::world::{Bucket, block_on};

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, SqliteOptions { timeout: Duration::from_secs(10), ..SqliteOptions::default() })
}

/// As [`open`], on a thread that is given up: nothing may wait for ever.
fn open_in_time(path: &Path) -> Result<SqliteStore, OpenError> {
    let (sender, receiver) = mpsc::channel();
    let opened = path.to_owned();
    std::thread::spawn(move || sender.send(open(&opened)));
    receiver.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_late| panic!("{} is waited for", path.display()))
}

/// A store with some content, closed again.
fn made(path: &Path) {
    let bucket = Bucket::new(std::sync::Arc::new(open(path).unwrap()), "b");
    block_on(async {
        for at in 0..200 {
            bucket.set(&format!("k{at:03}"), vec![7; 3_000]).await.unwrap();
        }
    });
}

fn kind(error: &OpenError) -> &'static str {
    match error {
        OpenError::Link(_) => "link",
        OpenError::NotAFile(_) => "not a file",
        OpenError::Foreign(_) => "foreign",
        OpenError::Newer { .. } => "newer",
        OpenError::Damaged { .. } => "damaged",
        OpenError::Io { .. } => "io",
        other => panic!("{other:?}"),
    }
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

type Make = fn(&Path);

/// What may be in the place of a store, how it is refused, and how it comes there.
const CASES: &[(&str, &str, Make)] = &[
    ("a link to a store", "link", |path| {
        made(&path.with_extension("other"));
        symlink(path.with_extension("other"), path).unwrap();
    }),
    ("a store with another name besides", "io", |path| {
        made(path);
        fs::hard_link(path, path.with_extension("other")).unwrap();
    }),
    ("a link to nothing", "link", |path| symlink("nowhere", path).unwrap()),
    ("a link to itself", "link", |path| symlink(path, path).unwrap()),
    ("a directory", "not a file", |path| fs::create_dir(path).unwrap()),
    ("a FIFO", "not a file", make_fifo),
    ("a socket", "not a file", |path| drop(UnixListener::bind(path).unwrap())),
    ("a text", "foreign", |path| fs::write(path, "to do: nothing\n".repeat(1_000)).unwrap()),
    ("a short text", "foreign", |path| fs::write(path, "x").unwrap()),
    ("zeros", "foreign", |path| fs::write(path, [0; 8192]).unwrap()),
    ("another program's database", "foreign", |path| {
        Connection::open(path)
            .unwrap()
            .execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('x')")
            .unwrap();
    }),
    ("another program's tables under our names", "foreign", |path| {
        let sql = "CREATE TABLE entry (bucket, key, value); CREATE TABLE store (version, used)";
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }),
    ("a later release's", "newer", |path| {
        made(path);
        Connection::open(path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    }),
    ("an earlier release's that never was", "damaged", |path| {
        made(path);
        Connection::open(path).unwrap().pragma_update(None, "user_version", -1).unwrap();
    }),
    ("one with a trigger", "damaged", |path| {
        made(path);
        let sql = "CREATE TRIGGER t AFTER UPDATE ON store BEGIN DELETE FROM entry; END";
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }),
    ("one with a view in place of a table", "damaged", |path| {
        made(path);
        let sql = "DROP TABLE store; CREATE VIEW store AS SELECT 1 AS one, 0 AS version, 0 AS used";
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }),
    ("one with another column", "damaged", |path| {
        made(path);
        let sql = "ALTER TABLE entry ADD COLUMN more BLOB AS (zeroblob(1000000000))";
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }),
    ("one without an index", "damaged", |path| {
        made(path);
        Connection::open(path).unwrap().execute_batch("DROP INDEX entry_expires").unwrap();
    }),
    ("one whose first page is noise", "foreign", |path| {
        made(path);
        scribble(path, 0, &[0xa5; 4096]);
    }),
    ("one whose schema is noise", "damaged", |path| {
        made(path);
        scribble(path, 100, &[0xa5; 3996]);
    }),
    ("one with half of its pages", "damaged", |path| {
        made(path);
        let length = fs::metadata(path).unwrap().len();
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length / 8192 * 4096).unwrap();
    }),
    ("no directory", "io", |path| fs::remove_dir(path.parent().unwrap()).unwrap()),
    ("a FIFO as the journal", "not a file", |path| {
        made(path);
        make_fifo(&path.with_extension("db-journal"));
    }),
    ("a link as the log", "link", |path| {
        made(path);
        symlink(path.with_extension("victim"), path.with_extension("db-wal")).unwrap();
    }),
    ("a directory as the index", "not a file", |path| {
        made(path);
        fs::create_dir(path.with_extension("db-shm")).unwrap();
    }),
];

#[test]
fn what_is_no_store_is_refused_and_stays() {
    for (what, expected, make) in CASES {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("in").join("store.db");
        fs::create_dir(path.parent().unwrap()).unwrap();
        make(&path);
        let snapshot =
            || fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file).map(|_| fs::read(&path).unwrap());
        let before = snapshot();
        match open_in_time(&path) {
            Err(error) => {
                assert_eq!(kind(&error), *expected, "{what}: {error}");
                assert!(error.to_string().contains("store.db") || *expected == "io", "{what}: {error}");
            }
            // SQLite may only notice where it comes across it.
            Ok(store) if *expected == "damaged" => {
                let bucket = Bucket::new(std::sync::Arc::new(store), "b");
                let error = block_on(async {
                    for at in 0..200 {
                        bucket.get(&format!("k{at:03}")).await?;
                    }
                    bucket.set("k100", "v").await
                });
                let Err(Error::Unavailable(why)) = error else { panic!("{what}: {error:?}") };
                assert!(why.contains("damaged"), "{what}: {why}");
                continue;
            }
            Ok(_) => panic!("{what} is taken"),
        }
        assert_eq!(snapshot(), before, "{what} was changed");
        assert!(!path.with_extension("victim").exists(), "{what} was followed");
    }
}

#[test]
fn noise_in_the_pages_is_an_error_and_never_more() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    made(&path);
    let whole = fs::read(&path).unwrap();
    let pages = u64::try_from(whole.len() / 4096).unwrap();
    let mut noticed = 0;
    for page in 1..pages.min(60) {
        fs::write(&path, &whole).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _there = fs::remove_file(folder.path().join(format!("store.db{suffix}")));
        }
        // The head of the page, and some of what it points to.
        scribble(&path, page * 4096, &[0x5a; 16]);
        scribble(&path, page * 4096 + 2048, &page.to_be_bytes().repeat(16));
        let Ok(store) = open(&path) else {
            noticed += 1;
            continue;
        };
        let bucket = Bucket::new(std::sync::Arc::new(store), "b");
        block_on(async {
            let mut results = vec![bucket.set("new", "v").await, bucket.page(None).await.map(|_page| ())];
            for at in 0..200 {
                results.push(bucket.get(&format!("k{at:03}")).await.map(|_value| ()));
            }
            results.push(bucket.delete("k150").await);
            results.push(bucket.increment("n", 1).await.map(|_sum| ()));
            for error in results.iter().filter_map(|result| result.as_ref().err()) {
                assert!(matches!(error, Error::Unavailable(why) if why.contains("damaged")), "page {page}: {error:?}");
            }
            noticed += u32::from(results.iter().any(Result::is_err));
        });
    }
    assert!(noticed > 10, "{noticed}");
}

#[test]
fn wrong_totals_are_damage_and_not_room() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    made(&path);
    for (used, version) in [(-1, 0), (i64::MIN, 0), (0, 0), (i64::MAX, 0), (1_000_000, i64::MAX), (1_000_000, -5)] {
        let other = Connection::open(&path).unwrap();
        other.execute("UPDATE store SET used = ?1, version = ?2", [used, version]).unwrap();
        drop(other);
        let bucket = Bucket::new(std::sync::Arc::new(open(&path).unwrap()), "b");
        block_on(async {
            let done =
                [bucket.set("new", "v").await, bucket.set("k001", vec![0; 4_000]).await, bucket.delete("k000").await];
            for error in done.into_iter().filter_map(Result::err) {
                assert!(matches!(error, Error::Unavailable(_) | Error::Full), "{used} {version}: {error:?}");
            }
            let _any = bucket.look("k002").await;
        });
    }
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path).unwrap();
    assert_eq!(store.describe(), format!("SQLite file {}", path.canonicalize().unwrap().display()));
    let bucket = Bucket::new(std::sync::Arc::new(store), "b");
    block_on(bucket.set("k", "v")).unwrap();
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.file_name().into_string().unwrap());
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
    names.sort();
    assert_eq!(names, ["store.db", "store.db-shm", "store.db-wal"]);
}

/// A directory above it may be a link: only the file's own name has to be its own.
#[test]
fn an_empty_file_and_a_linked_directory_are_taken() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    fs::write(folder.path().join("real/store.db"), "").unwrap();
    let one = Bucket::new(std::sync::Arc::new(open(&folder.path().join("link/store.db")).unwrap()), "b");
    let other = Bucket::new(std::sync::Arc::new(open(&folder.path().join("real/store.db")).unwrap()), "b");
    block_on(async {
        one.set("k", "v").await.unwrap();
        assert_eq!(other.text("k").await.as_deref(), Some("v"));
    });
}

#[test]
fn many_may_make_it_at_once() {
    for _round in 0..5 {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let bucket = Bucket::new(std::sync::Arc::new(open(&path).unwrap()), "b");
                    block_on(bucket.increment("n", 1)).unwrap()
                })
            })
            .collect();
        let mut sums: Vec<i64> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        sums.sort_unstable();
        assert_eq!(sums, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}

#[test]
fn another_process_that_keeps_the_file_makes_it_unavailable_for_writes_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let options = SqliteOptions { timeout: Duration::from_millis(100), ..SqliteOptions::default() };
    let bucket = Bucket::new(std::sync::Arc::new(SqliteStore::open(&path, options).unwrap()), "b");
    block_on(async {
        bucket.set("k", "v").await.unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; DELETE FROM entry").unwrap();
        assert!(matches!(bucket.set("k", "w").await, Err(Error::Unavailable(why)) if why.contains("in use")));
        assert_eq!(bucket.text("k").await.as_deref(), Some("v"));
        other.execute_batch("ROLLBACK").unwrap();
        bucket.set("k", "w").await.unwrap();
    });
}
