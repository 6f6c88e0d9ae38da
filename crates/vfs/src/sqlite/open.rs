//! From a path to an open database: what the file is, before SQLite touches it; how SQLite is told not to trust it; and that each
//! file is opened once in a process.
//!
//! SQLite's locks are POSIX locks, which a process loses when it closes *any* descriptor of the file. So what the file is can be
//! read directly only while this process does not have it open; while it has, it is known.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, lstat, openat};
use rustix::io::{Errno, pread, retry_on_intr};

use super::content::CHUNK_BYTES;
use super::schema::{self, Made};
use super::shared::{self, Shared};
use super::{SqliteError, change, tree};

/// How long another process may hold the file before an operation fails.
const BUSY: Duration = Duration::from_secs(5);

/// After how much of a log it is moved into the file. 64 MiB, written in blocks of 64 KiB and synced once, make a log of 84 MiB and
/// are not held up by moving it. It takes so much of the disk, and at most a moment to read again after a crash.
const CHECKPOINT_BYTES: i64 = 96 << 20;

/// Bytes of a page. Larger ones make small changes slower by more than they make large ones faster (measured from 4 to 64 KiB).
const PAGE_BYTES: i64 = 4096;

/// What SQLite keeps of the file in memory.
const CACHE_BYTES: i64 = 8 << 20;

/// How many statements are kept compiled: all that there are.
const STATEMENTS: usize = 64;

/// The longest value or row: a chunk, and what else is in its row.
const MAX_VALUE_BYTES: i32 = 2 * 64 * 1024;
const _: () = assert!(CHUNK_BYTES < 2 * 64 * 1024, "a chunk fits");

/// What a killed process left without a name is collected after this long: no call takes a day.
const NAMELESS_SECONDS: i64 = 24 * 60 * 60;

/// Which file of the host it is.
type Identity = (u64, u64);

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be a store. It is made where there is none.
    Use,
    /// To look inside, without writing.
    Inspect,
}

/// What this process has open.
static OPEN: Mutex<Vec<(Identity, Weak<Shared>)>> = Mutex::new(Vec::new());

/// Opens the file, or gives what this process has open of it.
pub(super) fn open(path: &Path, purpose: Purpose) -> Result<Arc<Shared>, SqliteError> {
    // Let go of after the lock below, since the last one to let go takes it.
    let mut known: Vec<Option<Arc<Shared>>> = Vec::new();
    // Held all the while: nobody else opens or closes the file in this process.
    let mut opened = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let real = real_path(path)?;
    let found = find_or_make(path, &real, purpose)?;
    let file = (found.st_dev, found.st_ino);
    let inspects = purpose == Purpose::Inspect;
    known.extend(opened.iter().filter(|(open, _)| *open == file).map(|(_, shared)| shared.upgrade()));
    if let Some(shared) = known.iter().flatten().find(|shared| shared.inspects == inspects) {
        return Ok(Arc::clone(shared));
    }
    // While it is open, or not closed to the end, it is known to be ours.
    if known.is_empty() {
        must_look_like_ours(path, &real, &found, purpose)?;
    }
    let mut connection = connect(path, &real, purpose)?;
    if purpose == Purpose::Use {
        make_if_empty(&mut connection).map_err(|error| SqliteError::new(path, &error))?;
    }
    must_be_ours(path, &connection)?;
    let now = lstat(&real).map_err(|errno| SqliteError::refused(path, errno))?;
    if (now.st_dev, now.st_ino) != file {
        return Err(SqliteError::refused(path, io::Error::other("it was replaced in this moment")));
    }
    if purpose == Purpose::Use {
        log_ahead(path, &connection)?;
    }
    let shared = Arc::new(Shared::new(path.to_owned(), &real, inspects, connection));
    opened.push((file, Arc::downgrade(&shared)));
    drop(opened);
    if purpose == Purpose::Use {
        // What cannot be collected now is collected another time.
        let _ = collect_nameless(&shared);
    }
    Ok(shared)
}

/// Closes what nobody uses any more. With the lock held, so that nobody looks at the file meanwhile.
pub(super) fn forget(shared: &mut Shared) {
    let mut opened = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    shared.close();
    opened.retain(|(_, open)| !std::ptr::eq(open.as_ptr(), shared));
}

/// The path without links on the way: SQLite is told to follow none at all, and whoever named the file may have named one above it.
fn real_path(path: &Path) -> Result<PathBuf, SqliteError> {
    let not_a_file = || SqliteError::NotFile { path: path.to_owned(), kind: "a directory" };
    let name = path.file_name().ok_or_else(not_a_file)?;
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(not_a_file());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = std::fs::canonicalize(parent).map_err(|error| SqliteError::refused(path, error))?;
    Ok(parent.join(name))
}

/// What the path leads to, which is a regular file. Nothing is opened that is there already.
fn find_or_make(path: &Path, real: &Path, purpose: Purpose) -> Result<Stat, SqliteError> {
    let refused = |errno: Errno| SqliteError::refused(path, errno);
    let stat = match lstat(real) {
        Err(Errno::NOENT) if purpose == Purpose::Use => {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(CWD, real, flags, Mode::RUSR | Mode::WUSR) {
                // Somebody else was quicker.
                Ok(_) | Err(Errno::EXIST) => lstat(real).map_err(refused)?,
                Err(errno) => return Err(refused(errno)),
            }
        }
        stat => stat.map_err(refused)?,
    };
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        // Under another name, another process would have another log, and neither would see what the other wrote.
        FileType::RegularFile if stat.st_nlink > 1 => "a file with another name besides (a hard link)",
        FileType::RegularFile => return Ok(stat),
        FileType::Symlink => return Err(SqliteError::Link(path.to_owned())),
        FileType::Directory => "a directory",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "no regular file",
    };
    Err(SqliteError::NotFile { path: path.to_owned(), kind })
}

/// Whether the file says at its beginning that it is ours, or is empty where one is to be made. Only while this process does not
/// have it open. The mark is in the file itself from the first moment that it has content, whatever is in its log.
fn must_look_like_ours(path: &Path, real: &Path, found: &Stat, purpose: Purpose) -> Result<(), SqliteError> {
    let refused = |errno: Errno| SqliteError::refused(path, errno);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: OwnedFd = openat(CWD, real, flags, Mode::empty()).map_err(refused)?;
    let stat = fstat(&file).map_err(refused)?;
    if (stat.st_dev, stat.st_ino) != (found.st_dev, found.st_ino) {
        return Err(SqliteError::refused(path, io::Error::other("it was replaced in this moment")));
    }
    // <https://sqlite.org/fileformat2.html#the_database_header>
    let mut header = [0; 100];
    let length = retry_on_intr(|| pread(&file, &mut header[..], 0)).map_err(refused)?;
    let number = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        i64::from(u32::from_be_bytes(bytes))
    };
    match length {
        0 if purpose == Purpose::Use => Ok(()),
        0 => Err(SqliteError::Empty(path.to_owned())),
        100 if !header.starts_with(b"SQLite format 3\0") => Err(SqliteError::NotDatabase(path.to_owned())),
        100 if number(68) != schema::APPLICATION_ID => Err(SqliteError::Foreign(path.to_owned())),
        100 if number(60) > schema::FORMAT => {
            Err(SqliteError::Newer { path: path.to_owned(), found: number(60), known: schema::FORMAT })
        }
        100 => Ok(()),
        _ => Err(SqliteError::NotDatabase(path.to_owned())),
    }
}

/// A connection that trusts nothing in the file.
fn connect(path: &Path, real: &Path, purpose: Purpose) -> Result<Connection, SqliteError> {
    if purpose == Purpose::Inspect && is_there(real, "-journal") {
        let why =
            "it was being made, or changed by another program, when that was killed; mount it once to put it right";
        return Err(SqliteError::Damaged { path: path.to_owned(), why: why.to_owned() });
    }
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let sqlite = |error: &rusqlite::Error| SqliteError::new(path, error);
    let connection = Connection::open_with_flags(real, flags | OpenFlags::SQLITE_OPEN_EXRESCODE);
    let connection = connection.map_err(|error| sqlite(&error))?;
    harden(&connection).map_err(|error| sqlite(&error))?;
    if purpose == Purpose::Inspect {
        let keep_log = is_there(real, "-wal");
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep_log)
            .map_err(|error| sqlite(&error))?;
        connection.pragma_update(None, "query_only", true).map_err(|error| sqlite(&error))?;
    }
    Ok(connection)
}

/// Makes the tables where nothing is there: the file is new, or whoever made it was killed before it was done.
fn make_if_empty(connection: &mut Connection) -> rusqlite::Result<()> {
    if matches!(schema::identify(connection)?, Made::Empty) {
        // The size of a page is chosen once, before anything is in the file.
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        schema::create(connection, shared::now())?;
    }
    Ok(())
}

/// Whether there is a file with content of this ending beside the database.
fn is_there(real: &Path, ending: &str) -> bool {
    let mut beside = real.as_os_str().to_owned();
    beside.push(ending);
    lstat(Path::new(&beside)).is_ok_and(|stat| stat.st_size > 0)
}

/// <https://sqlite.org/security.html#untrusted_sqlite_database_files>
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
    ] {
        connection.set_db_config(setting, on)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 4096),
    ] {
        connection.set_limit(limit, value)?;
    }
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -(CACHE_BYTES / 1024))
}

fn must_be_ours(path: &Path, connection: &Connection) -> Result<(), SqliteError> {
    let path = path.to_owned();
    match schema::identify(connection).map_err(|error| SqliteError::new(&path, &error))? {
        Made::Ours => Ok(()),
        Made::Empty => Err(SqliteError::Empty(path)),
        Made::Foreign => Err(SqliteError::Foreign(path)),
        Made::Newer(found) => Err(SqliteError::Newer { path, found, known: schema::FORMAT }),
        Made::Altered => {
            Err(SqliteError::Damaged { path, why: "its tables are not those of a file system of Caplet".to_owned() })
        }
    }
}

/// Writes go to a log beside the file from here on, which is synced when it is asked for, and when it is moved into the file.
fn log_ahead(path: &Path, connection: &Connection) -> Result<(), SqliteError> {
    let set = || {
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = CHECKPOINT_BYTES / page.max(1);
        connection.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))?;
        connection.pragma_update_and_check(None, "journal_size_limit", CHECKPOINT_BYTES, |_| Ok(()))?;
        Ok(mode)
    };
    match set() {
        Ok(mode) if mode == "wal" => Ok(()),
        Ok(_) => {
            let why = "it cannot have a log beside it; keep it on a disk of this machine".to_owned();
            Err(SqliteError::Unusable { path: path.to_owned(), why })
        }
        Err(error) => Err(SqliteError::new(path, &error)),
    }
}

/// Removes what killed processes left without a name long ago.
fn collect_nameless(shared: &Shared) -> Result<(), crate::FsError> {
    let before = shared::now().0.saturating_sub(NAMELESS_SECONDS);
    let left = shared.read(|connection| {
        let query = "SELECT id FROM inode WHERE links = 0 AND changed < ?1 LIMIT 10000";
        let mut left = change::prepare(connection, query)?;
        Ok(left.query_map([before], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?)
    })?;
    if left.is_empty() {
        return Ok(());
    }
    shared.change(u64::MAX, |change| left.into_iter().try_for_each(|id| tree::dispose_of_nameless(change, id)))
}
