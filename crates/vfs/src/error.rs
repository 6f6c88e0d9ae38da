//! How a file operation fails.

use caplet_policy::{Denied, Question};

/// Why a file operation failed. The names are those of the standard's error codes; a guest is told no more than the name.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsError {
    /// The policy or a store refuses. Where a decision was made it comes along, for the host's eyes only.
    #[error("{}", refusal(.0.as_deref()))]
    NotPermitted(Option<Box<Denied>>),
    /// Nothing is decided yet, and nothing was done: somebody has to answer this first. Then the operation is tried again, from its
    /// start, and finds the answer. Whoever cannot wait for one treats it as a refusal.
    #[error("somebody has to be asked first")]
    Asks(Box<Question>),
    /// A store does not offer such an object, for the reason given. A [`Namespace`](crate::Namespace) never returns this: it
    /// records a decision and returns [`FsError::NotPermitted`].
    #[error("{0}")]
    Refused(&'static str),
    /// The operating system refuses.
    #[error("the operating system refuses access")]
    Access,
    /// There is nothing of that name.
    #[error("no such file or directory")]
    NoEntry,
    /// The name is taken.
    #[error("it exists already")]
    Exists,
    /// A directory is needed here.
    #[error("not a directory")]
    NotDirectory,
    /// A directory cannot be used so.
    #[error("it is a directory")]
    IsDirectory,
    /// The directory has entries.
    #[error("the directory is not empty")]
    NotEmpty,
    /// More than [`MAX_LINKS`](crate::MAX_LINKS) symbolic links on the way, or a link where none is to be followed.
    #[error("too many symbolic links")]
    Loop,
    /// The arguments make no sense together.
    #[error("invalid argument")]
    Invalid,
    /// A name that is not UTF-8.
    #[error("a name is not UTF-8")]
    IllegalByteSequence,
    /// A name or path beyond the limits.
    #[error("a name or path is too long")]
    NameTooLong,
    /// Source and target are on different mounts.
    #[error("source and target are on different mounts")]
    CrossDevice,
    /// There is nothing to write to.
    #[error("nothing can be changed here")]
    ReadOnly,
    /// The call has written all that it may, or the store is full.
    #[error("the quota is used up")]
    Quota,
    /// A number is out of range.
    #[error("a value is out of range")]
    Overflow,
    /// The handle was not opened for this.
    #[error("the handle was not opened for this")]
    BadDescriptor,
    /// The object is in use: a mount point, or a name that changed in the very moment.
    #[error("the object is in use")]
    Busy,
    /// The store cannot do this.
    #[error("not supported")]
    Unsupported,
    /// The file has as many names as the store allows.
    #[error("too many hard links")]
    TooManyLinks,
    /// The file would be larger than the store allows.
    #[error("the file would be too large")]
    FileTooLarge,
    /// The host's disk is full.
    #[error("no space is left")]
    NoSpace,
    /// The host has no memory left.
    #[error("no memory is left")]
    NoMemory,
    /// The host has no handle left.
    #[error("too many open files")]
    TooManyHandles,
    /// A signal came in between.
    #[error("interrupted")]
    Interrupted,
    /// Anything else that went wrong in the store.
    #[error("input or output failed")]
    Io,
}

impl From<Denied> for FsError {
    fn from(denied: Denied) -> Self {
        Self::NotPermitted(Some(Box::new(denied)))
    }
}

fn refusal(denied: Option<&Denied>) -> String {
    denied.map_or_else(|| "not permitted".to_owned(), ToString::to_string)
}
