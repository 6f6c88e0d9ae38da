//! What can be wrong with a cache, and with an entry.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a cache cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The system refused something.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: Arc<io::Error>,
    },
    /// The folder is not this user's alone.
    #[error("{} cannot hold compiled code: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key is not a key of this user's alone.
    #[error("the key {} is not a key that only its user can read", .0.display())]
    Key(PathBuf),
    /// The folder has no key, but holds something.
    #[error("{} cannot become a cache: it holds other files", .0.display())]
    Occupied(PathBuf),
    /// An entry is larger than the whole cache may be.
    #[error("an entry of {bytes} bytes is larger than the cache, which keeps {max_bytes} bytes")]
    TooLarge {
        /// The size of the entry.
        bytes: u64,
        /// The size of the cache.
        max_bytes: u64,
    },
    /// The name of an entry is none.
    #[error("{0:?} cannot be the name of an entry")]
    Name(String),
}

impl CacheError {
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        // Kind and text are all that is ever asked of it, and a copy keeps the error cheap to clone.
        Self::Io { path: path.to_owned(), source: Arc::new(io::Error::new(error.kind(), error.to_string())) }
    }

    pub(super) fn folder(path: &Path, reason: &'static str) -> Self {
        Self::Folder { path: path.to_owned(), reason }
    }

    /// What would put it right, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Folder { path, .. } => Some(format!("chmod 700 {}, or remove it", path.display())),
            Self::Occupied(path) => Some(format!("use an empty folder, or remove {}", path.display())),
            Self::Key(path) => {
                Some(format!("remove {} and all beside it; everything is compiled again", path.display()))
            }
            Self::Io { .. } | Self::TooLarge { .. } | Self::Name(_) => None,
        }
    }
}

/// Why an entry is not used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadEntry(pub(super) String);
