//! The file: found, made, and checked before anything in it is believed.
//!
//! Nothing that is not ours is written to, and nothing but a plain file is ever opened: opening a FIFO would wait for its other end.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::OpenError;

/// Says in the file's header whose it is: `CpKV`.
const APPLICATION_ID: i64 = 0x4370_4b56;

/// What the tables look like; a release that changes them counts on.
const FORMAT: i64 = 1;

/// The longest value or text that is read from the file: far above what a value may be by default (1 MiB), and what memory bears.
const MAX_VALUE_BYTES: i32 = 64 << 20;

/// How long to wait before another try at what SQLite does not wait for by itself.
const PAUSE: Duration = Duration::from_millis(5);

/// The schema, with nothing else beside it. A value comes last in its row: what reads the other columns does not walk through it.
const SCHEMA: [(&str, &str); 3] = [
    (
        "entry",
        "CREATE TABLE entry (id INTEGER PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, \
         expires INTEGER, value BLOB NOT NULL, UNIQUE (bucket, key)) STRICT",
    ),
    ("entry_expires", "CREATE INDEX entry_expires ON entry (expires) WHERE expires IS NOT NULL"),
    (
        "store",
        "CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, used INTEGER NOT NULL) STRICT",
    ),
];

/// Finds the file, or makes an empty one that only this user may open. Gives the path without links above the file.
pub(super) fn prepare(path: &Path) -> Result<PathBuf, OpenError> {
    let io_error = |error: io::Error| OpenError::Io { path: path.display().to_string(), why: error.to_string() };
    let name = path.file_name().ok_or_else(|| OpenError::NotAFile(path.display().to_string()))?;
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let path = above.canonicalize().map_err(io_error)?.join(name);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(_made) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_kind(&path)?,
        Err(error) => return Err(io_error(error)),
    }
    for suffix in ["-journal", "-wal", "-shm"] {
        let mut beside = path.clone().into_os_string();
        beside.push(suffix);
        check_kind(Path::new(&beside))?;
    }
    Ok(path)
}

/// Refuses what is there and is no plain file.
fn check_kind(path: &Path) -> Result<(), OpenError> {
    match fs::symlink_metadata(path) {
        // Under another name, another process would have another log, and neither would see what the other wrote.
        Ok(found) if found.is_file() && found.nlink() > 1 => {
            let why = "it has another name besides (a hard link): copy it, or remove one of them".to_owned();
            Err(OpenError::Io { path: path.display().to_string(), why })
        }
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) if found.is_symlink() => Err(OpenError::Link(path.display().to_string())),
        Ok(_other) => Err(OpenError::NotAFile(path.display().to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(OpenError::Io { path: path.display().to_string(), why: error.to_string() }),
    }
}

/// A connection that may write, and waits at most `timeout` for other processes. Makes the tables if the file is empty.
pub(super) fn open_writer(path: &Path, timeout: Duration) -> Result<Connection, OpenError> {
    let explain = |error: rusqlite::Error| explain(path, &error);
    let mut connection = connect(path).map_err(explain)?;
    connection.busy_timeout(timeout).map_err(explain)?;
    if is_empty(&connection).map_err(explain)? {
        create(path, &mut connection)?;
    }
    check(path, &connection)?;
    use_wal(path, &connection, timeout)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(explain)?;
    Ok(connection)
}

/// A connection that only reads, and never waits.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let open = || {
        let connection = connect(path)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    };
    open().map_err(|error| explain(path, &error))
}

/// A connection that believes nothing in the file.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(connection)
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(number(connection, "page_count")? == 0)
}

/// Makes the tables, in one transaction and not yet in WAL mode, so that the header of the file itself says from then on whose it is.
fn create(path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let explain = |error: rusqlite::Error| explain(path, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(explain)?;
    // Another process may have been faster. The transaction itself has given the file its first page.
    if number(&transaction, "schema_version").map_err(explain)? != 0 {
        return Ok(());
    }
    // To SQLite, what is shorter than the smallest page is empty as well.
    if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Err(OpenError::Foreign(path.display().to_string()));
    }
    let fill = || {
        for (_name, sql) in SCHEMA {
            transaction.execute(sql, [])?;
        }
        transaction.execute("INSERT INTO store (one, version, used) VALUES (1, 0, 0)", [])?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)
    };
    fill().map_err(explain)?;
    transaction.commit().map_err(explain)
}

/// Checks that the file is ours and has our tables, and nothing that SQLite would act on besides.
fn check(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let explain = |error: rusqlite::Error| explain(path, &error);
    if number(connection, "application_id").map_err(explain)? != APPLICATION_ID {
        return Err(OpenError::Foreign(path.display().to_string()));
    }
    let found = number(connection, "user_version").map_err(explain)?;
    if found > FORMAT {
        return Err(OpenError::Newer { path: path.display().to_string(), found, known: FORMAT });
    }
    let encoding: String = connection.pragma_query_value(None, "encoding", |row| row.get(0)).map_err(explain)?;
    let expected = SCHEMA.map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    if found != FORMAT || encoding != "UTF-8" || schema(connection).map_err(explain)? != expected {
        let why = "its tables are not those of a store".to_owned();
        return Err(OpenError::Damaged { path: path.display().to_string(), why });
    }
    Ok(())
}

/// What the file says about its tables. SQLite itself makes the indexes that have no text.
fn schema(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Lets readers and a writer work beside each other. The first time it takes the whole file, which SQLite does not wait for by itself.
fn use_wal(path: &Path, connection: &Connection, timeout: Duration) -> Result<(), OpenError> {
    let start = Instant::now();
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_other) => {
                let why = "its file system does not let processes share memory: put it on a local one".into();
                return Err(OpenError::Io { path: path.display().to_string(), why });
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && start.elapsed() < timeout => {
                thread::sleep(PAUSE);
            }
            Err(error) => return Err(explain(path, &error)),
        }
    }
}

fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign(path),
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, why: error.to_string() },
        _ => OpenError::Io { path, why: error.to_string() },
    }
}
