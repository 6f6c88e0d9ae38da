//! The names of the secrets that are in the keyring, beside it: keyrings list badly, some not at all.
//!
//! It holds names and times and no value: one line for each, `NAME SECONDS`, below a line that says what it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::error::SecretError;
use crate::folder::{Folder, Lock};
use crate::name::SecretName;

/// The file in the state folder.
pub(crate) const INDEX_FILE: &str = "secrets.index";

/// The first line. A change of the format changes the number.
const HEAD: &str = "caplet secret names 1";

/// Names, and when each was set in seconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Index(pub(crate) BTreeMap<SecretName, u64>);

impl Index {
    /// The index in the folder, if there is one.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>, SecretError> {
        let Some(bytes) = folder.read(INDEX_FILE)? else { return Ok(None) };
        let broken = || SecretError::Damaged { path: folder.path(INDEX_FILE), reason: "it is no list of names" };
        let mut lines = std::str::from_utf8(&bytes).map_err(|_| broken())?.lines();
        if lines.next() != Some(HEAD) {
            return Err(broken());
        }
        let entry = |line: &str| {
            let (name, set_at) = line.split_once(' ')?;
            Some((name.parse().ok()?, set_at.parse().ok()?))
        };
        let entries: Option<BTreeMap<_, _>> = lines.map(entry).collect();
        entries.map(|entries| Some(Self(entries))).ok_or_else(broken)
    }

    /// Puts this in the place of what the folder has.
    pub(crate) fn write(&self, folder: &Folder, lock: &Lock) -> Result<(), SecretError> {
        if self.0.is_empty() {
            return folder.remove(lock, INDEX_FILE);
        }
        let mut text = format!("{HEAD}\n");
        for (name, set_at) in &self.0 {
            // Memory takes all that is written to it.
            let _ = writeln!(text, "{name} {set_at}");
        }
        folder.replace(lock, INDEX_FILE, text.as_bytes())
    }
}
