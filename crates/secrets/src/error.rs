//! What can be wrong with secrets: what was asked, what refused it, and what would put it right.
//!
//! No error holds a value or a part of one.

use std::io;
use std::path::{Path, PathBuf};

use crate::name::SecretName;

/// Why something that was asked of the vault cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The text is no name. Holds what is wrong with it; the text itself may be a value in the wrong place.
    #[error("this cannot be the name of a secret: {0}")]
    Name(String),
    /// The bytes are no value.
    #[error("this cannot be the value of a secret: {0}")]
    Value(&'static str),
    /// The value could not be read.
    #[error("the value cannot be read: {0}")]
    Input(#[source] io::Error),
    /// No secret has this name.
    #[error("there is no secret called {0}")]
    Unknown(SecretName),
    /// A file or folder is not this user's alone, or not of its kind.
    #[error("{} cannot hold secrets: {reason}", path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
        /// What would put it right.
        hint: String,
    },
    /// The encrypted file is torn, or is none of ours.
    #[error("{} cannot be read: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key that the file was encrypted with is not there.
    #[error("{} cannot be decrypted: {reason}", path.display())]
    Key {
        /// The encrypted file.
        path: PathBuf,
        /// Where the key should be.
        key: PathBuf,
        /// What is wrong with the key.
        reason: &'static str,
    },
    /// There would be more than the vault keeps.
    #[error("{} would be larger than the {max_bytes} bytes that secrets may take", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// How large it may be.
        max_bytes: u64,
    },
    /// Another process has been changing secrets for too long.
    #[error("another process is changing secrets, and holds {}", .0.display())]
    Busy(PathBuf),
    /// The system refused something.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The platform's keyring refused something, or did not answer.
    #[error("the keyring {0}")]
    Keyring(String),
}

impl SecretError {
    pub(crate) fn io(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { path: path.to_owned(), source: source.into() }
    }

    pub(crate) fn not_safe(path: &Path, reason: &'static str, hint: String) -> Self {
        Self::Unsafe { path: path.to_owned(), reason, hint }
    }

    /// Whether what was asked is at fault, and not the host.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Value(_) | Self::Input(_) | Self::Unknown(_))
    }

    /// What would put it right, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Name(_) => Some("write a name such as GITHUB_TOKEN".to_owned()),
            Self::Value(_) => Some("give the value alone, on one line of standard input".to_owned()),
            Self::Unknown(name) => Some(format!("set it with `caplet secret set {name}`, or see `caplet secret list`")),
            Self::Unsafe { hint, .. } => Some(hint.clone()),
            Self::Damaged { path, .. } => {
                Some(format!("restore it, or remove {} and set its secrets again", path.display()))
            }
            Self::Key { path, key, .. } => Some(format!(
                "restore the key as {}, or remove {} and set its secrets again",
                key.display(),
                path.display()
            )),
            Self::Full { .. } => Some("remove secrets that are no longer needed with `caplet secret rm`".to_owned()),
            Self::Busy(_) => Some("try again when it is done".to_owned()),
            Self::Keyring(_) => Some(
                "unlock the keyring of your session; the first secret can also be set with --file, and then all are in a file"
                    .to_owned(),
            ),
            Self::Input(_) | Self::Io { .. } => None,
        }
    }
}
