//! Directories that take different spellings for one name.
//!
//! Rules compare names byte for byte, so a name must be the entry's own. Whether a directory folds names is found out once for each
//! handle, at the first name that exists in it, by asking for the same name with one letter in the other case: that costs one call
//! to the kernel and works for every file system that folds. Where it does, each name is compared with the listing.

use rustix::fs::{AtFlags, ioctl_getflags, statat};
use rustix::io::Errno;

use super::Identity;
use super::list::HostListing;
use super::node::HostNode;
use crate::{FsError, Name};

/// `FS_CASEFOLD_FL` of linux/fs.h.
const FOLDS: u32 = 0x4000_0000;

impl HostNode {
    /// Whether the entry found as `name` is spelled so.
    pub(super) fn spells(&self, name: Name<'_>, found: Identity) -> Result<bool, FsError> {
        let folds = match self.handle.folds.get() {
            Some(folds) => *folds,
            None => self.find_out(name, found)?,
        };
        Ok(!folds || self.lists(name)?)
    }

    fn find_out(&self, name: Name<'_>, found: Identity) -> Result<bool, FsError> {
        let Some(other) = other_case(name.as_str()) else { return self.ask_kernel() };
        let folds = match statat(&self.handle.fd, other.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            // Two hard links may be spelled so, too; then the listing has both.
            Ok(stat) => Identity::from(&stat) == found,
            Err(Errno::NOENT) => false,
            Err(_) => return Ok(true),
        };
        Ok(*self.handle.folds.get_or_init(|| folds))
    }

    /// For a name without a letter to turn: the flag that the file system keeps for this directory. Where there is none, whether
    /// it folds stays open, and the name is looked for in the listing.
    fn ask_kernel(&self) -> Result<bool, FsError> {
        match ioctl_getflags(self.open_directory()?) {
            Ok(flags) => Ok(*self.handle.folds.get_or_init(|| flags.bits() & FOLDS != 0)),
            Err(_) => Ok(true),
        }
    }

    fn lists(&self, name: Name<'_>) -> Result<bool, FsError> {
        HostListing::new(self.open_directory()?).has(name.as_str())
    }
}

/// `name` with its first ASCII letter in the other case.
fn other_case(name: &str) -> Option<String> {
    let at = name.find(|c: char| c.is_ascii_alphabetic())?;
    let (before, after) = name.split_at_checked(at)?;
    let mut rest = after.chars();
    let letter = rest.next()?;
    let turned = if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
    Some(format!("{before}{turned}{}", rest.as_str()))
}
