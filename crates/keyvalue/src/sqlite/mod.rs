//! Buckets in one SQLite file, shared by any number of processes on one machine.
//!
//! - Each operation is one transaction; what writes is `IMMEDIATE`, so that it has the file to itself from its first look on.
//! - A write is acknowledged when it is committed and synced: neither `kill -9` nor a power failure takes it back.
//! - The file is hostile: what another program wrote into it can make an operation fail, and nothing else.
//!
//! Reads are done on the thread that asks, where no other thread is reading. That is sound because nothing in them waits: in WAL mode
//! readers wait for nobody, a read that SQLite would have to wait for fails at once (and goes to a blocking thread then), and what is
//! left is a search in two B-trees, mostly in the page cache, for one value of bounded size. The way to a blocking thread and back alone
//! takes longer than that.

mod file;
mod table;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use async_trait::async_trait;
use caplet_policy::{OpenBucket, Permitted, ReadKey, WriteKey};
use rusqlite::{Connection, TransactionBehavior};

use self::table::{Failure, Key, Table};
use crate::limit::check_ttl;
use crate::{Cursor, Error, OpenError, Page, Seen, Store};

/// How a [`SqliteStore`] behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The most that the file may hold, in bytes of bucket names, keys and values, each entry with [`ENTRY_BYTES`](crate::ENTRY_BYTES)
    /// besides. It counts what all processes put there.
    pub quota: u64,
    /// How long a value stays after it was set; `None` is until it is deleted. It is counted by the machine's clock, and stays what it
    /// was when the value was set.
    pub ttl: Option<Duration>,
    /// How long an operation waits for other processes that write.
    pub timeout: Duration,
}

impl Default for SqliteOptions {
    /// 256 MiB, as a mount; no time to live; 5 s.
    fn default() -> Self {
        Self { quota: 256 << 20, ttl: None, timeout: Duration::from_secs(5) }
    }
}

/// Buckets in one SQLite file.
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    options: SqliteOptions,
    /// Never waits for other processes, but where [`Inner::read_patiently`] lets it.
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
}

/// What reads a key, or from a key on.
type Read<T> = fn(&Table<'_>, &Key) -> Result<T, Failure>;

impl SqliteStore {
    /// Opens the store in the file at `path`, or makes one, for this user alone, if there is nothing or an empty file.
    /// This reads and writes before it returns, and may wait for other processes.
    ///
    /// # Errors
    ///
    /// When there is something else, which then stays as it is, or what there is cannot be used.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        check_ttl(options.ttl, Duration::from_millis(1))?;
        let path = file::prepare(path)?;
        let writer = file::open_writer(&path, options.timeout)?;
        let reader = file::open_reader(&path)?;
        let inner = Inner { path, options, reader: Mutex::new(reader), writer: Mutex::new(writer) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Does a short read here, or, where it would have to wait, on a thread that may.
    async fn read<T: Send + 'static>(&self, key: Key, read: Read<T>) -> Result<T, Error> {
        let at_once = match self.inner.reader.try_lock() {
            Ok(reader) => Some(self.inner.in_read(&reader, &key, read)),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.inner.in_read(&poisoned.into_inner(), &key, read)),
            Err(TryLockError::WouldBlock) => None,
        };
        match at_once {
            Some(Err(Failure::Busy)) | None => self.aside(move |inner| inner.read_patiently(&key, read)).await,
            Some(done) => done.map_err(|failure| self.inner.explain(failure)),
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Table<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.aside(move |inner| inner.in_write(write)).await
    }

    /// Works on a thread that may wait. The work goes on if nobody waits for it any more.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner).map_err(|failure| inner.explain(failure))).await {
            Ok(done) => done,
            Err(_stopped) => Err(Error::Unsure(format!("{}: the program is stopping", self.describe()))),
        }
    }
}

impl Inner {
    fn in_read<T>(&self, connection: &Connection, key: &Key, read: Read<T>) -> Result<T, Failure> {
        read(&Table::new(connection, &self.options), key)
    }

    /// For when another process is about to make the file whole again after a crash, the one thing that readers wait for.
    fn read_patiently<T>(&self, key: &Key, read: Read<T>) -> Result<T, Failure> {
        let reader = lock(&self.reader);
        reader.busy_timeout(self.options.timeout)?;
        let done = self.in_read(&reader, key, read);
        reader.busy_timeout(Duration::ZERO)?;
        done
    }

    fn in_write<T>(&self, write: impl FnOnce(&Table<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut writer = lock(&self.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = write(&Table::new(&transaction, &self.options))?;
        transaction.commit().map_err(|error| match Failure::from(error) {
            // What stood in the log when the sync failed may still be found there after a crash.
            Failure::Sqlite(error) => Failure::Commit(error),
            failure => failure,
        })?;
        Ok(done)
    }

    fn explain(&self, failure: Failure) -> Error {
        let path = self.path.display();
        match failure {
            Failure::Is(error) => error,
            Failure::Busy => Error::Unavailable(format!("{path} is in use by other processes")),
            Failure::Full => Error::Full,
            Failure::Damaged(why) => Error::Unavailable(format!("{path} is damaged: {why}")),
            Failure::Sqlite(error) => Error::Unavailable(format!("{path}: {error}")),
            Failure::Commit(error) => Error::Unsure(format!("{path}: {error}")),
        }
    }
}

/// A panic on another thread leaves nothing half done: SQLite takes back what was not committed.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Store for SqliteStore {
    async fn open(&self, _permit: &Permitted<OpenBucket>) -> Result<(), Error> {
        Ok(())
    }

    async fn get(&self, permit: &Permitted<ReadKey>) -> Result<Option<Vec<u8>>, Error> {
        self.read(permit.op().into(), |table, key| table.value(key)).await
    }

    async fn exists(&self, permit: &Permitted<ReadKey>) -> Result<bool, Error> {
        self.read(permit.op().into(), |table, key| Ok(table.version(key)?.is_some())).await
    }

    async fn set(&self, permit: &Permitted<WriteKey>, value: Vec<u8>) -> Result<(), Error> {
        let key = Key::from(permit.op());
        self.write(move |table| table.put(&key, &value)).await
    }

    async fn delete(&self, permit: &Permitted<WriteKey>) -> Result<(), Error> {
        let key = Key::from(permit.op());
        self.write(move |table| table.delete(&key)).await
    }

    async fn keys(&self, permit: &Permitted<OpenBucket>, from: Option<&Cursor>) -> Result<Page, Error> {
        let bucket = permit.op().bucket().to_owned();
        let after = from.map(|Cursor(last)| last.clone()).unwrap_or_default();
        let key = Key { bucket, key: after };
        self.aside(move |inner| inner.read_patiently(&key, |table, key| table.page_after(key))).await
    }

    async fn increment(&self, permit: &Permitted<WriteKey>, delta: i64) -> Result<i64, Error> {
        let key = Key::from(permit.op());
        self.write(move |table| table.increment(&key, delta)).await
    }

    async fn look(&self, permit: &Permitted<ReadKey>) -> Result<Seen, Error> {
        self.read(permit.op().into(), |table, key| table.look(key)).await
    }

    async fn swap(&self, permit: &Permitted<WriteKey>, seen: &Seen, value: Vec<u8>) -> Result<bool, Error> {
        let key = Key::from(permit.op());
        let version = seen.version;
        self.write(move |table| table.swap(&key, version, &value)).await
    }

    fn describe(&self) -> String {
        format!("SQLite file {}", self.inner.path.display())
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { path, options, reader: _, writer: _ } = &*self.inner;
        f.debug_struct("SqliteStore").field("path", path).field("options", options).finish_non_exhaustive()
    }
}
