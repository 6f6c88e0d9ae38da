//! Changes as a unified diff, as `git` writes it and `patch` reads it.
//!
//! Names are quoted as `git` quotes them. Content is written as it is: whoever shows it on a terminal has to escape it.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use similar::TextDiff;

use super::changes::{Change, ChangeKind, Version};
use super::ledger::pieces;
use super::shared::Shared;
use super::view::View;
use super::{OverlayError, OverlayStore};
use crate::{EntryKind, FsError, Name, NodeRef};

/// Files larger than this are not shown, but said to differ: a megabyte is more than anybody reads.
const SHOWN_BYTES: u64 = 1 << 20;

/// How long lines of one file are compared; after that the diff is a coarse one.
const COMPARE_TIME: Duration = Duration::from_secs(2);

/// Lines of context around a change, as everywhere.
const CONTEXT_LINES: usize = 3;

/// One side of a change, to be shown.
enum Side {
    Nothing,
    Text(String),
    Binary,
    Large,
}

impl OverlayStore {
    /// Writes `changes` as a unified diff. What has changed since is shown as it is now.
    ///
    /// A directory is one line. Of binary and very large files it is only said that they differ.
    ///
    /// # Errors
    ///
    /// When a store fails, or `out` does.
    pub fn diff(&self, changes: &[Change], out: &mut dyn Write) -> Result<(), OverlayError> {
        for change in changes {
            self.diff_one(change, out)?;
        }
        Ok(())
    }

    fn diff_one(&self, change: &Change, out: &mut dyn Write) -> Result<(), OverlayError> {
        let path = quoted("", &change.path);
        match (change.what, change.kind) {
            (EntryKind::Directory, ChangeKind::Removed) => return Ok(writeln!(out, "removed directory {path}")?),
            (EntryKind::Directory, _) => return Ok(writeln!(out, "new directory {path}")?),
            (EntryKind::File | EntryKind::Link, _) => {}
        }
        let failed = || OverlayError::new(format!("{} cannot be read", change.path));
        let names = self.shared.reading();
        let before = match change.kind {
            ChangeKind::Added => Side::Nothing,
            _ => self.shared.lower_side(&change.path).map_err(failed())?,
        };
        let after = match change.kind {
            ChangeKind::Removed => Side::Nothing,
            _ => self.shared.upper_side(&change.path).map_err(failed())?,
        };
        drop(names);
        let (old, new) = (quoted("a/", &change.path), quoted("b/", &change.path));
        writeln!(out, "diff --git {old} {new}")?;
        out.write_all(modes(change).as_bytes())?;
        let old = if change.kind == ChangeKind::Added { "/dev/null".to_owned() } else { old };
        let new = if change.kind == ChangeKind::Removed { "/dev/null".to_owned() } else { new };
        match (before, after) {
            (Side::Large, _) | (_, Side::Large) => {
                let size = |side: Option<Version>| side.map_or(0, |side| side.size);
                let (before, after) = (size(change.before), size(change.after));
                writeln!(out, "Files {old} and {new} differ: {before} bytes and {after} bytes, too many to be shown")?;
            }
            (Side::Binary, _) | (_, Side::Binary) => writeln!(out, "Binary files {old} and {new} differ")?,
            (before, after) => {
                let (before, after) = (before.text(), after.text());
                // With a space in it, a name goes as far as the tab.
                let [old, new] = [old, new].map(|name| if name.contains(' ') { name + "\t" } else { name });
                // By line feeds alone: what else ends a line somewhere is content for `patch`.
                let lines = [&before, &after].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
                let mut config = TextDiff::configure();
                let diff = config.timeout(COMPARE_TIME).newline_terminated(true).diff_slices(&lines[0], &lines[1]);
                diff.unified_diff().context_radius(CONTEXT_LINES).header(&old, &new).to_writer(out)?;
            }
        }
        Ok(())
    }
}

impl Side {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Nothing | Self::Binary | Self::Large => String::new(),
        }
    }
}

/// What `git` says about permissions and kinds.
fn modes(change: &Change) -> String {
    let mode = |version: Option<Version>| match (change.what, version.and_then(|version| version.mode)) {
        (EntryKind::Link, _) => "120000",
        (_, Some(mode)) if mode & 0o100 != 0 => "100755",
        _ => "100644",
    };
    let (before, after) = (mode(change.before), mode(change.after));
    match change.kind {
        ChangeKind::Added => format!("new file mode {after}\n"),
        ChangeKind::Removed => format!("deleted file mode {before}\n"),
        ChangeKind::Changed if before != after => format!("old mode {before}\nnew mode {after}\n"),
        ChangeKind::Changed => String::new(),
    }
}

impl Shared {
    fn lower_side(&self, path: &str) -> Result<Side, FsError> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = match above {
            "" => Some(NodeRef::clone(&self.lower)),
            above => self.lower_at(above)?,
        };
        match directory {
            Some(directory) => self.side(self.find(&directory, name)?.as_ref()),
            None => Ok(Side::Nothing),
        }
    }

    fn upper_side(&self, path: &str) -> Result<Side, FsError> {
        let mut view: View = self.top();
        for name in path.split('/') {
            view = view.find(self, Name::parse(name)?)?;
        }
        self.side(view.node())
    }

    fn side(&self, node: Option<&NodeRef>) -> Result<Side, FsError> {
        let Some(node) = node else { return Ok(Side::Nothing) };
        match node.kind() {
            EntryKind::Directory => Ok(Side::Nothing),
            EntryKind::Link => Ok(Side::Text(node.read_link(self.known())?)),
            EntryKind::File => {
                let file = self.read(node)?;
                if file.size()? > SHOWN_BYTES {
                    return Ok(Side::Large);
                }
                let mut content = Vec::new();
                pieces(&file, SHOWN_BYTES, |bytes| {
                    content.extend_from_slice(bytes);
                    Ok(())
                })?;
                Ok(match String::from_utf8(content) {
                    // A carriage return in place of the last line feed cannot be said in a diff of lines.
                    Ok(text) if !text.contains('\0') && !text.ends_with('\r') => Side::Text(text),
                    _ => Side::Binary,
                })
            }
        }
    }
}

/// A name as `git` shows it: in quotes, with escapes, where it has anything that is not to be seen as it is.
fn quoted(before: &str, path: &str) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !path.contains(|c| hidden(c) || matches!(c, '"' | '\\')) {
        return format!("{before}{path}");
    }
    let mut text = format!("\"{before}");
    for c in path.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if hidden(c) => {
                for byte in c.to_string().bytes() {
                    // A string takes everything that is written to it.
                    let _ = write!(text, "\\{byte:03o}");
                }
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
