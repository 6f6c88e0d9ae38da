//! Removes a note.

use crate::bucket::{Act, Bucket};
use crate::name::Name;

/// Removes what is kept under this name, also if it is no note. Says whether there was something.
///
/// # Errors
/// A sentence that says why it could not be removed.
pub fn forget<B: Bucket>(bucket: &B, name: &str) -> Result<bool, String> {
    let name = Name::parse(name)?;
    let name = name.as_str();
    let existed = bucket.exists(name).map_err(|failure| failure.explain(Act::Read(name)))?;
    // Also where there is none: whether it is permitted does not depend on that.
    bucket.delete(name).map_err(|failure| failure.explain(Act::Write(name)))?;
    Ok(existed)
}
