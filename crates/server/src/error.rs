//! Why the server cannot start. Once it runs, what it refuses is an answer to a request, and never ends it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server cannot start, or a file of its cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Others could reach it, and it would not ask who they are.
    #[error("refused to listen on {0} without authentication: whoever reaches that address could call every tool")]
    NoAuthentication(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be used as it is.
    #[error("cannot use {what} {}: {reason}", path.display())]
    File {
        /// What it holds.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting means nothing.
    #[error("{what} {value:?} cannot be used: {reason}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A profile is named that there is none of.
    #[error("{by} is for the profile {profile:?}, and there is none of that name")]
    UnknownProfile {
        /// What names it.
        by: String,
        /// Its name.
        profile: String,
    },
}

impl ServerError {
    /// What would put it right.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoAuthentication(_) => Some(
                "listen on 127.0.0.1, or make a token with `caplet token new NAME` and pass the file with --tokens"
                    .to_owned(),
            ),
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program listens there: choose another port".to_owned())
            }
            Self::Listen { .. } | Self::File { .. } | Self::Setting { .. } | Self::UnknownProfile { .. } => None,
        }
    }

    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self::File { what, path: path.into(), reason: reason.to_string() }
    }

    pub(crate) fn setting(what: &'static str, value: impl Into<String>, reason: impl ToString) -> Self {
        Self::Setting { what, value: value.into(), reason: reason.to_string() }
    }
}
