//! The changes that calls left aside, for whoever looks at them, applies them or drops them.

use std::path::Path;

use caplet_vfs::host::HostStore;
use caplet_vfs::overlay::{OverlayError, OverlayStore};

use crate::error::Error;
use crate::shared::{QUOTA, overlay_folder};

/// The overlay of the directory `lower`, whose changes calls with `overlay:DIR` left below `state`, the folder that was given to
/// [`Builder::state`](crate::Builder::state). `None` where nothing was ever changed.
///
/// # Errors
///
/// When there is no such directory, or a call that runs at this moment uses the overlay.
pub fn open_overlay(state: &Path, lower: &Path) -> Result<Option<OverlayStore>, Error> {
    let refuse = |reason: String, hint: Option<&str>| Error::Grant {
        asked: format!("the overlay of {}", lower.display()),
        reason,
        hint: hint.map(str::to_owned),
    };
    let real = std::fs::canonicalize(lower).map_err(|error| refuse(error.to_string(), Some("name a directory")))?;
    let folder = overlay_folder(state, &real);
    match std::fs::symlink_metadata(&folder) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(error.to_string(), None)),
    }
    let open = |path: &Path| HostStore::open(path).map_err(|error| refuse(error.to_string(), None));
    let overlay = OverlayStore::new(open(&real)?.into(), std::sync::Arc::new(open(&folder)?), QUOTA);
    overlay.map(Some).map_err(|error| {
        let hint = matches!(error, OverlayError::InUse(_)).then_some("wait for the call that uses it, or end it");
        refuse(error.to_string(), hint)
    })
}
