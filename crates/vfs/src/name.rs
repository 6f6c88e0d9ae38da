//! One name of a path. What holds of a [`Name`]: it is not empty, not `.` or `..`, has no `/` and no NUL, and at most
//! [`Name::MAX_BYTES`] bytes. A store can hand it to its operating system as it is; it names an entry of one directory.

use crate::FsError;

/// A checked name of one directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name<'a>(&'a str);

impl<'a> Name<'a> {
    /// The longest name in bytes: what common file systems take (`NAME_MAX`).
    pub const MAX_BYTES: usize = 255;

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`FsError::NoEntry`] where it is empty, [`FsError::NameTooLong`], [`FsError::Invalid`] for anything else.
    pub fn parse(text: &'a str) -> Result<Self, FsError> {
        match text {
            "" => Err(FsError::NoEntry),
            "." | ".." => Err(FsError::Invalid),
            text if text.len() > Self::MAX_BYTES => Err(FsError::NameTooLong),
            text if text.contains(['/', '\0']) => Err(FsError::Invalid),
            text => Ok(Self(text)),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}
