//! A file system inside one SQLite database.
//!
//! # What always holds
//!
//! **Every primitive is in one transaction.** A process that is killed at any moment leaves a whole file system; what it was doing
//! then happened entirely or not at all. Commits are not forced to the disk one by one: after a crash of the *host*, what came
//! after the last [`File::sync`](crate::File::sync) may be gone, in order, from the end. A sync that was answered is never gone.
//!
//! **Writes in a row share a transaction.** When a write goes on where the last one ended, it is committed with those that follow:
//! up to a megabyte, until anything else is done, the file is let go of, or 10 milliseconds have passed. Until then other processes
//! do not see it, and a process that is killed loses it.
//!
//! **The quota** counts logical bytes of all contents, targets of links, and 1 KiB and its name for each entry, over the whole
//! file. It is enforced in the transaction that writes, so it holds for all processes together. A sparse file costs what it
//! pretends to be.
//!
//! **The file is not trusted.** It is found without following a link, must be a regular file, and must have our mark and exactly
//! our schema: nothing that somebody else wrote into it is ever run. What its rows say is checked when they are read: what makes
//! no sense is [`FsError::Io`]. A file that is not ours is not written to, not even its log is.
//!
//! **Several processes** may use one file. Within a process it is opened once, and what is held is held by the process: a file
//! whose last name was removed lives on for the handles of the *process that removed it*, and goes with the last of them. Handles
//! that other processes have of it answer [`FsError::NoEntry`] from then on. What a killed process left without a name is
//! collected when the file is opened a day later or more, and until then is counted.
//!
//! The database is three files while it is in use (`FILE`, `FILE-wal`, `FILE-shm`) and one when it is not. SQLite's locks belong
//! to the process: if code of this process opens and closes `FILE` by itself, they are lost. Do not show a guest the directory that
//! it is in.

mod change;
mod check;
mod content;
mod error;
mod gather;
mod inode;
mod node;
mod open;
mod schema;
mod shared;
mod tree;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use crate::{FileSystem, FsError, NodeRef};
use node::SqliteNode;
use shared::Shared;

pub use check::{MAX_FINDINGS, Report};
pub use error::SqliteError;

/// A file system inside one SQLite database.
#[derive(Debug)]
pub struct SqliteStore(Arc<Store>);

/// What all handles of a store have in common.
#[derive(Debug)]
struct Store {
    shared: Arc<Shared>,
    /// `None` where nothing can be changed.
    quota: Option<u64>,
}

impl SqliteStore {
    /// Opens the file system in the file at `path`, or makes one where there is no file, or an empty one. A new file is only its
    /// owner's (mode 0600). Together, all that is in it takes at most `quota` bytes: contents by their size, and 1 KiB and its name
    /// for each entry; if it holds more already, it only shrinks.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] says what the file is instead, and nothing was written to it.
    pub fn open(path: impl AsRef<Path>, quota: u64) -> Result<Self, SqliteError> {
        let shared = open::open(path.as_ref(), open::Purpose::Use)?;
        Ok(Self(Arc::new(Store { shared, quota: Some(quota) })))
    }

    /// Opens the file system in the file at `path` to look at it: every change answers [`FsError::ReadOnly`], and the file is not
    /// written to. (Beside it, SQLite may leave `FILE-shm`, where a killed process left its log.)
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`]; [`SqliteError::Missing`] and [`SqliteError::Empty`].
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, SqliteError> {
        let shared = open::open(path.as_ref(), open::Purpose::Inspect)?;
        Ok(Self(Arc::new(Store { shared, quota: None })))
    }

    /// Looks for everything in the file that does not fit together. Writes nothing.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open_existing`]; what is wrong inside of a file system of ours is in the report.
    pub fn check(path: impl AsRef<Path>) -> Result<Report, SqliteError> {
        check::check(path.as_ref())
    }
}

impl FileSystem for SqliteStore {
    fn root(&self) -> Result<NodeRef, FsError> {
        self.0.shared.read(|connection| {
            let kind = inode::load(connection, schema::ROOT).map_err(|_| FsError::Io)?.kind;
            if kind != crate::EntryKind::Directory {
                return Err(FsError::Io);
            }
            Ok(Arc::new(SqliteNode::new(&self.0, schema::ROOT, kind)) as NodeRef)
        })
    }

    fn may_block(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("SQLite file {}", self.0.shared.path.display())
    }

    fn claim(&self) -> Result<Box<dyn Any + Send + Sync>, FsError> {
        Ok(Box::new(self.0.shared.claim()?))
    }
}
