//! Paths as a guest writes them. Nothing here touches a store.

use caplet_policy::GuestPath;

use super::{MAX_PATH_BYTES, MAX_PATH_NAMES};
use crate::{FsError, Name};

/// Refuses what is no path at all. What passes has at least one byte, no NUL, and bounded names.
pub(super) fn check(text: &str) -> Result<(), FsError> {
    if text.is_empty() {
        return Err(FsError::NoEntry);
    }
    if text.len() > MAX_PATH_BYTES {
        return Err(FsError::NameTooLong);
    }
    if text.contains('\0') {
        return Err(FsError::Invalid);
    }
    if names(text).any(|name| name.len() > Name::MAX_BYTES) || text.split('/').count() > MAX_PATH_NAMES {
        return Err(FsError::NameTooLong);
    }
    Ok(())
}

/// The names of a path, with `..` but without `.` and what lies between two slashes.
pub(super) fn names(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split('/').filter(|name| !matches!(*name, "" | "."))
}

/// Whether the path says that it means a directory.
pub(super) fn means_directory(text: &str) -> bool {
    matches!(text.rsplit('/').next(), Some("" | "." | ".."))
}

/// Whether the path, taken as text, leads above where it starts.
pub(super) fn climbs(text: &str) -> bool {
    let mut depth = 0usize;
    for name in names(text) {
        match (name, depth) {
            ("..", 0) => return true,
            ("..", _) => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// The path of `name` in the directory `parent`; bounded, also where handles lead deeper and deeper.
pub(super) fn join(parent: &GuestPath, name: &str) -> Result<GuestPath, FsError> {
    let path = parent.join(name).map_err(|_| FsError::NameTooLong)?;
    if path.as_str().len() > MAX_PATH_BYTES { Err(FsError::NameTooLong) } else { Ok(path) }
}

/// `from` and `names` joined as text: what the guest means, for a decision on something that is not to be looked up. `None`
/// where the result is no guest path, being too long.
pub(super) fn meant<'a>(from: &GuestPath, names: impl IntoIterator<Item = &'a str>) -> Option<GuestPath> {
    let mut path = from.clone();
    for name in names {
        path = if name == ".." { path.parent().unwrap_or(path) } else { join(&path, name).ok()? };
    }
    Some(path)
}
