//! The built-in tool `file-edit`: exact replacements in one text file, all or none, and the diff.
//!
//! The file is opened once, for reading and writing, so that what was matched is what is changed. Nothing is written before every
//! edit has found its place. Writing starts at the first byte that differs and is in place, for the reasons given in `file-write`.

mod apply;
mod closest;
mod diff;
#[cfg(target_family = "wasm")]
mod guest;
mod places;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};

use caplet_tool_common::text::size;
use caplet_tool_common::{Access, GuestPath, explain};

/// The largest file that is changed: it is held in memory a few times over.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// One replacement.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// The text to replace.
    pub old: String,
    /// The text to put in its place.
    pub new: String,
    /// Every occurrence, not the only one.
    pub all: bool,
}

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The absolute path.
    pub path: String,
    /// How many places.
    pub replacements: u32,
    /// A unified diff.
    pub diff: String,
}

/// Makes the edits; a relative path is taken from `cwd`.
///
/// # Errors
/// A sentence that says which edit found no place, why, what the file has instead, and that nothing was changed.
pub fn edit(cwd: &str, path: &str, edits: &[Edit]) -> Result<Edited, String> {
    let path = GuestPath::resolve(cwd, path)?;
    if edits.is_empty() {
        return Err("edits is empty: give at least one {old_string, new_string}.".to_owned());
    }
    let (mut file, before) = open(&path)?;
    let (after, replacements) = apply::all(&path, &before, edits)?;
    if after == before {
        return Err(format!("the edits leave {path} as it is: each one is undone by a later one."));
    }
    // The diff comes first: if it took more memory than there is, the file would still be as it was.
    let diff = diff::unified(&path, &before, &after);
    store(&path, &mut file, &before, &after)?;
    Ok(Edited { path: path.to_string(), replacements, diff })
}

fn open(path: &GuestPath) -> Result<(File, String), String> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let mut file = file.map_err(|error| explain(Access::Write, path, &error))?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file)
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| explain(Access::Read, path, &error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("{path} is larger than {}, the most that file-edit changes.", size(MAX_FILE)));
    }
    if bytes.is_empty() {
        return Err(format!("{path} is empty, so there is nothing to replace: use file-write."));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("{path} is not UTF-8 text (byte {at}), and file-edit changes text only: use file-write with base64 to replace it.")
    })?;
    Ok((file, text))
}

/// Puts `after` in the place of `before`.
fn store(path: &GuestPath, file: &mut File, before: &str, after: &str) -> Result<(), String> {
    let same = before.bytes().zip(after.bytes()).take_while(|(old, new)| old == new).count();
    let changed = after.as_bytes().get(same..).unwrap_or_default();
    let result = file
        .seek(SeekFrom::Start(same as u64))
        .and_then(|_| file.write_all(changed))
        .and_then(|()| if after.len() < before.len() { file.set_len(after.len() as u64) } else { Ok(()) });
    result.map_err(|error| {
        format!(
            "{} Writing had begun at byte {same}: read the file again, it may hold a part of the change.",
            explain(Access::Write, path, &error)
        )
    })
}
