//! Why a database file cannot be a store, and what SQLite says in our words.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::FsError;

/// Why a file cannot be used as a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteError {
    /// There is none, and none was to be made.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// A link, where none is to choose what is opened.
    #[error("{} is a symbolic link; name the file that it leads to", .0.display())]
    Link(PathBuf),
    /// No regular file.
    #[error("{} is {kind}, not a database file", .path.display())]
    NotFile {
        /// What was asked for.
        path: PathBuf,
        /// What it is: `a directory`, `a pipe`.
        kind: &'static str,
    },
    /// Nothing was ever stored in it.
    #[error("{} is empty: there is no file system in it yet", .0.display())]
    Empty(PathBuf),
    /// A file of another kind.
    #[error("{} is not an SQLite database; it was left as it is", .0.display())]
    NotDatabase(PathBuf),
    /// A database of another program.
    #[error("{} is a database of another program, not a file system of Caplet; it was left as it is", .0.display())]
    Foreign(PathBuf),
    /// Made by a later version.
    #[error("{} has format {found}, and this version of Caplet knows formats up to {known}", .path.display())]
    Newer {
        /// What was asked for.
        path: PathBuf,
        /// The format of the file.
        found: i64,
        /// The latest known format.
        known: i64,
    },
    /// It cannot be what Caplet wrote.
    #[error("{} is damaged: {why}", .path.display())]
    Damaged {
        /// What was asked for.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Another process holds it for longer than is waited.
    #[error("{} is in use by another process that does not let go of it", .0.display())]
    Busy(PathBuf),
    /// SQLite cannot work on it.
    #[error("{} cannot be used: {why}", .path.display())]
    Unusable {
        /// What was asked for.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// The operating system refuses.
    #[error("{} cannot be opened: {error}", .path.display())]
    Refused {
        /// What was asked for.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

impl SqliteError {
    /// Whether another FILE would have been right, or this one after a repair; otherwise the host failed.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Busy(_) | Self::Unusable { .. })
    }

    pub(super) fn new(path: &std::path::Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotDatabase(path),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(path),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::TooBig) => Self::Damaged { path, why: error.to_string() },
            // A value of a kind that we never write.
            None => Self::Damaged { path, why: error.to_string() },
            Some(_) => Self::Unusable { path, why: error.to_string() },
        }
    }

    pub(super) fn refused(path: &std::path::Path, error: impl Into<io::Error>) -> Self {
        let (path, error) = (path.to_owned(), error.into());
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing(path),
            _ => Self::Refused { path, error },
        }
    }
}

impl From<rusqlite::Error> for FsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::from_sqlite(&error)
    }
}

impl FsError {
    pub(super) fn from_sqlite(error: &rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, _) = error else { return Self::Io };
        match failure.code {
            // Somebody else writes for longer than is waited.
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::DiskFull => Self::NoSpace,
            ErrorCode::ReadOnly => Self::ReadOnly,
            ErrorCode::OutOfMemory => Self::NoMemory,
            ErrorCode::PermissionDenied => Self::Access,
            // The shared memory beside the file could not grow.
            ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Self::NoSpace,
            _ => Self::Io,
        }
    }
}
