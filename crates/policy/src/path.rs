//! Guest paths: absolute, normalised, UTF-8.
//!
//! What always holds of a [`GuestPath`]: it starts with `/`; no component is empty, `.` or `..`; it has no NUL; it is at most
//! [`GuestPath::MAX_BYTES`] long. So two different paths are two different names, and text comparison is enough.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An absolute, normalised path in the guest's world. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GuestPath(Arc<str>);

/// Why a text is no guest path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It does not start with `/`.
    #[error("the path is relative: a guest path starts with /")]
    Relative,
    /// Two slashes follow each other, or one ends the path.
    #[error("the path has an empty component: write single slashes, and none at the end")]
    EmptyComponent,
    /// It has a component that is `.` or `..`.
    #[error("the path has a component {0:?}: write the path that is meant, without . and ..")]
    DotComponent(String),
    /// It has a NUL character.
    #[error("the path has a NUL character")]
    Nul,
    /// A name for a single component contains a slash.
    #[error("a single name must not contain a slash")]
    Slash,
    /// It is longer than [`GuestPath::MAX_BYTES`].
    #[error("the path is {0} bytes long; the limit is {max} bytes", max = GuestPath::MAX_BYTES)]
    TooLong(usize),
}

impl GuestPath {
    /// The longest path in bytes: what common systems take (`PATH_MAX`).
    pub const MAX_BYTES: usize = 4096;

    /// The path `/`.
    #[must_use]
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Reads an absolute path that is already in normal form.
    ///
    /// # Errors
    ///
    /// When it is relative, not in normal form, or too long.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let rest = text.strip_prefix('/').ok_or(PathError::Relative)?;
        if text.len() > Self::MAX_BYTES {
            return Err(PathError::TooLong(text.len()));
        }
        if !rest.is_empty() {
            rest.split('/').try_for_each(check_name)?;
        }
        Ok(Self(text.into()))
    }

    /// This path and one more name.
    ///
    /// # Errors
    ///
    /// When `name` is not a single proper name, or the result is too long.
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        if name.contains('/') {
            return Err(PathError::Slash);
        }
        check_name(name)?;
        let separator = if self.is_root() { "" } else { "/" };
        let joined = format!("{}{separator}{name}", self.0);
        if joined.len() > Self::MAX_BYTES {
            return Err(PathError::TooLong(joined.len()));
        }
        Ok(Self(joined.into()))
    }

    /// The path without its last name; `None` for `/`.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/').filter(|_| !self.is_root())?;
        Some(if parent.is_empty() { Self::root() } else { Self(parent.into()) })
    }

    /// The last name; `None` for `/`.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names from the root on; none for `/`.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// Whether this is `ancestor` or lies below it, by whole names: `/data2` is not below `/data`.
    #[must_use]
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        if ancestor.is_root() {
            return true;
        }
        let rest = self.0.strip_prefix(&*ancestor.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether this is `/`.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }
}

fn check_name(name: &str) -> Result<(), PathError> {
    match name {
        "" => Err(PathError::EmptyComponent),
        "." | ".." => Err(PathError::DotComponent(name.to_owned())),
        name if name.contains('\0') => Err(PathError::Nul),
        _ => Ok(()),
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for GuestPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}
