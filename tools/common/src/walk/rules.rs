//! One directory's `.gitignore`, and those of the directories above a walk's root.
//!
//! A file is read only if a listing shows it, so that looking for one is never a refused operation.

use std::io::Read;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{Entry, Kind};
use crate::path::GuestPath;
use crate::store;

/// The name of the files that hold the rules.
pub(super) const FILE: &str = ".gitignore";
/// What is read of one such file, in bytes: the largest in public use are a tenth of this.
const MAX_RULES: u64 = 1 << 20;
/// Entries looked at in a directory above the root.
const MAX_LOOKED_AT: usize = 20_000;

/// The rules of one directory.
#[derive(Debug)]
pub(super) struct Rules(Gitignore);

impl Rules {
    /// Reads the rules of `directory`; a file that cannot be read and a line that is no pattern count as absent, as in git.
    pub(super) fn read(directory: &GuestPath) -> Option<Self> {
        let mut bytes = Vec::new();
        store::open(&directory.child(FILE)).ok()?.take(MAX_RULES).read_to_end(&mut bytes).ok()?;
        let mut builder = GitignoreBuilder::new(directory);
        for line in String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').lines() {
            drop(builder.add_line(None, line));
        }
        builder.build().ok().filter(|rules| !rules.is_empty()).map(Self)
    }

    /// Whether the entry is excluded; none if no line of this file says.
    pub(super) fn excludes(&self, entry: &Entry) -> Option<bool> {
        match self.0.matched(&entry.path, entry.kind == Kind::Directory) {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        }
    }
}

/// The rules of the directories above `root`, nearest first: up to the one that holds `.git`, or else up to `cwd`.
pub(super) fn above(root: &GuestPath, cwd: &GuestPath) -> Vec<Rules> {
    let mut found = Vec::new();
    let mut within_cwd = 0;
    let mut here = (!look(root).1).then(|| root.parent()).flatten();
    while let Some(directory) = here {
        let (has_rules, is_top) = look(&directory);
        if has_rules {
            found.extend(Rules::read(&directory));
        }
        if directory.below(cwd).is_some() {
            within_cwd = found.len();
        }
        if is_top {
            return found;
        }
        here = directory.parent();
    }
    found.truncate(within_cwd);
    found
}

/// Whether a directory holds a `.gitignore`, and whether it is the top of a repository.
fn look(directory: &GuestPath) -> (bool, bool) {
    let (mut has_rules, mut is_top) = (false, false);
    let mut looked_at = 0;
    // A directory that cannot be listed has neither, as far as this tool may know.
    drop(store::list(directory, |name, _| {
        looked_at += 1;
        has_rules |= name == FILE;
        is_top |= name == ".git";
        looked_at < MAX_LOOKED_AT && !(has_rules && is_top)
    }));
    (has_rules, is_top)
}
