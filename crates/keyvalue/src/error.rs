//! What goes wrong with buckets.

/// Why an operation on a bucket failed. A guest is told the kind alone; texts are for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store has no such bucket and does not make one.
    #[error("there is no bucket of this name")]
    NoBucket,
    /// The store would hold more than it may.
    #[error("the store is full")]
    Full,
    /// What the key has is no whole number, or the sum would be none.
    #[error("the value is no whole number, or the sum is too large")]
    NotANumber,
    /// The cursor is none that the store could have given.
    #[error("the cursor of the listing is not one of this store")]
    BadCursor,
    /// The store cannot be reached, or failed before it did anything.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// The connection broke before the store answered: what was asked for may have been done or not.
    #[error("the store did not answer, and may have done it or not: {0}")]
    Unsure(String),
}

/// Why a store cannot be opened. Texts are for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The path is a symbolic link, which is never followed.
    #[error("{0} is a link, and links are not followed: name the file itself")]
    Link(String),
    /// The path, or a file that SQLite keeps beside it, is a directory, FIFO, socket or device.
    #[error("{0} is not a file")]
    NotAFile(String),
    /// The file is something else, and stays as it is.
    #[error("{0} is not a key-value store of Caplet: name another file")]
    Foreign(String),
    /// A later release wrote the file, and it stays as it is.
    #[error(
        "{path} was written by a later release (its format is {found}, this release knows {known}): use that release"
    )]
    Newer {
        /// The file.
        path: String,
        /// The format that it has.
        found: i64,
        /// The latest format that this release reads.
        known: i64,
    },
    /// The file is no whole store any more.
    #[error("{path} is damaged ({why}): take a copy of it from before")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file cannot be read or made.
    #[error("{path} cannot be used: {why}")]
    Io {
        /// The file.
        path: String,
        /// What the system or SQLite says.
        why: String,
    },
    /// The address is none that this store takes. It is not repeated: it may have a password.
    #[error("the address of the server is not usable: {0}")]
    Address(String),
    /// An option is out of its bounds.
    #[error("{0}")]
    Option(String),
}
