//! What of a project's file is not applied, and why.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use super::file::File;
use crate::error::brief;

/// As many as a person reads. More of them are only counted, so that a hostile file costs no more than it should.
const MOST: usize = 64;

/// Something in a project's file that is not applied, because the file is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key, as in `tools.editor.mounts`.
    pub key: String,
    /// The tool that it is about, if it is about one.
    pub tool: Option<String>,
    /// Why it is not applied, or what holds instead.
    pub reason: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string_lossy();
        let (path, key) = (brief(&path), brief(&self.key));
        write!(f, "{path}:{}:{}: {key} is not applied: {}", self.line, self.column, brief(&self.reason))
    }
}

/// Collects notices about one file.
pub(super) struct Notices<'f> {
    file: &'f File,
    found: Vec<Notice>,
    more: usize,
}

impl<'f> Notices<'f> {
    pub(super) fn new(file: &'f File) -> Self {
        Self { file, found: Vec::new(), more: 0 }
    }

    /// `key`, which is at `span`, is not applied.
    pub(super) fn add(&mut self, span: &Range<usize>, tool: Option<&str>, key: String, reason: impl Into<String>) {
        if self.found.len() >= MOST {
            self.more += 1;
            return;
        }
        let (line, column) = position(&self.file.text, span.start);
        let (path, tool) = (self.file.path.to_path_buf(), tool.map(str::to_owned));
        self.found.push(Notice { path, line, column, key, tool, reason: reason.into() });
    }

    /// All of them, in the order of the file.
    pub(super) fn finish(self) -> Vec<Notice> {
        let Self { file, mut found, more } = self;
        found.sort_by_key(|notice| (notice.line, notice.column));
        if more > 0 {
            let (path, key) = (file.path.to_path_buf(), "what follows".to_owned());
            let (line, column) = found.last().map_or((1, 1), |last| (last.line, last.column));
            found.push(Notice {
                path,
                line,
                column,
                key,
                tool: None,
                reason: format!("there are {more} more such keys"),
            });
        }
        found
    }
}

/// Line and column of a place in bytes.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..text.floor_char_boundary(at)).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
