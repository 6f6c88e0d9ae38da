//! The changes that calls left aside, for whoever looks at them, applies them or drops them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use caplet_vfs::host::HostStore;
use caplet_vfs::overlay::{Change, Choice, OverlayError, OverlayStore};

use crate::error::Error;
use crate::shared::{QUOTA, overlay_folder};

/// The overlay of the directory `lower`, whose changes calls with `overlay:DIR` left below `state`, the folder that was given to
/// [`Builder::state`](crate::Builder::state). `None` where nothing was ever changed.
///
/// # Errors
///
/// When there is no such directory, or a call that runs at this moment uses the overlay.
pub fn open_overlay(state: &Path, lower: &Path) -> Result<Option<OverlayStore>, Error> {
    let real = fs::canonicalize(lower).map_err(|error| refuse(lower, error.to_string(), Some("name a directory")))?;
    if !real.is_dir() {
        return Err(refuse(lower, "it is not a directory", Some("name the directory that calls used as overlay:DIR")));
    }
    let folder = overlay_folder(state, &real);
    if is_kept(lower, &folder)? { open(lower, &real, &folder).map(Some) } else { Ok(None) }
}

/// Forgets all changes that calls left to a directory that is gone, and gives them as they show without it. `None` where there are
/// none.
///
/// # Errors
///
/// As for [`open_overlay`], and when they cannot be forgotten.
pub fn discard_gone(state: &Path, lower: &Path) -> Result<Option<Vec<Change>>, Error> {
    let failed = |error: &dyn std::fmt::Display| refuse(lower, error.to_string(), None);
    let real = real_place(lower).map_err(|error| failed(&error))?;
    let folder = overlay_folder(state, &real);
    if !is_kept(lower, &folder)? {
        return Ok(None);
    }
    // Changes are to something: here, to an empty directory.
    let empty = folder.with_extension(format!("gone-{}", std::process::id()));
    fs::create_dir(&empty).map_err(|error| failed(&error))?;
    let dropped = open(lower, &empty, &folder)
        .and_then(|overlay| overlay.discard(Choice::All).map_err(|error| failed(&error)).map(Some));
    // Nothing is in it, and nobody else knows its name.
    let _ = fs::remove_dir(&empty);
    dropped
}

fn refuse(lower: &Path, reason: impl Into<String>, hint: Option<&str>) -> Error {
    let asked = format!("the overlay of {}", lower.display());
    Error::Grant { asked, reason: reason.into(), hint: hint.map(str::to_owned) }
}

/// Whether there are changes to `lower`, in `folder`.
fn is_kept(lower: &Path, folder: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(folder) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(refuse(lower, error.to_string(), None)),
    }
}

/// The overlay of `real`, whose changes are in `folder`; in errors it is that of `lower`.
fn open(lower: &Path, real: &Path, folder: &Path) -> Result<OverlayStore, Error> {
    let open = |path: &Path| HostStore::open(path).map_err(|error| refuse(lower, error.to_string(), None));
    OverlayStore::new(open(real)?.into(), Arc::new(open(folder)?), QUOTA).map_err(|error| {
        let hint = matches!(error, OverlayError::InUse(_)).then_some("wait for the call that uses it, or end it");
        refuse(lower, error.to_string(), hint)
    })
}

/// The path without links that a directory had which is gone, by the directories above it that are still there.
fn real_place(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (fs::canonicalize(above), path.strip_prefix(above)) {
            return Ok(real.join(rest));
        }
    }
    Ok(path)
}
