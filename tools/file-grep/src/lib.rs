//! The built-in tool `file-grep`: a regular expression in, the lines that match out, page by page.
//!
//! Matching takes linear time in the text, whatever the pattern. Files are read in pieces (whole only with `multiline`, and then
//! bounded), in the order of their paths, so that a cursor is a place: nothing before it is read again.

mod filter;
#[cfg(target_family = "wasm")]
mod guest;
mod pattern;
mod report;
mod search;

use std::fs::Metadata;

use caplet_tool_common::text::plural;
use caplet_tool_common::walk::{Kind, Options, Tally, Walk};
use caplet_tool_common::{Access, GuestPath, explain};
use filter::Filter;
use report::{Place, Report};
use search::Search;

/// Matches or files on a page when the caller names no limit: about 10,000 tokens.
const DEFAULT_LIMIT: u32 = 250;
/// Matches or files on a page at most.
const MAX_LIMIT: u32 = 5_000;
/// Lines of context at most.
const MAX_CONTEXT: u32 = 100;

/// What the caller asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The regular expression.
    pub pattern: String,
    /// The file or directory to look in.
    pub path: Option<String>,
    /// Only files that match this glob.
    pub glob: Option<String>,
    /// Only files of this type.
    pub file_type: Option<String>,
    /// What to return.
    pub output: Output,
    /// Lines shown before a match.
    pub before: u32,
    /// Lines shown after a match.
    pub after: u32,
    /// Whether case does not matter.
    pub ignore_case: bool,
    /// Whether a match may span lines.
    pub multiline: bool,
    /// Matches or files at most.
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// What to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// The lines.
    #[default]
    Content,
    /// The files' paths.
    Files,
    /// The number of lines per file.
    Count,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The answer's text.
    pub text: String,
    /// Matching lines in it.
    pub matches: u32,
    /// Files in it.
    pub files: u32,
    /// Where to go on; none on the last page.
    pub next_cursor: Option<String>,
    /// What else the caller should know.
    pub notice: Option<String>,
}

/// Finds what matches; relative paths are taken from `cwd`.
///
/// # Errors
/// A sentence that says which argument is wrong and how to set it right.
pub fn grep(cwd: &str, request: &Request) -> Result<Found, String> {
    let cwd = GuestPath::resolve("/", cwd)?;
    let asked = request.path.as_deref().unwrap_or(".");
    let root = GuestPath::resolve(cwd.as_str(), asked)?;
    let mut search = Search::new(request)?;
    let filter = Filter::new(request)?;
    let start = request.cursor.as_deref().map(Place::parse).transpose()?;
    let report = Report::new(request.output, limit(request)?, start.clone());
    let facts = std::fs::metadata(&root).map_err(|error| explain(Access::Read, &root, &error))?;
    let mut run = Run { report, relative: !asked.starts_with('/'), cwd, root, binary: 0, searched: 0 };
    let tally = if facts.is_dir() { run.tree(&mut search, &filter, start)? } else { run.file(&mut search, &facts)? };
    Ok(run.finish(request, &tally))
}

fn limit(request: &Request) -> Result<u32, String> {
    if request.before > MAX_CONTEXT || request.after > MAX_CONTEXT {
        return Err(format!("before and after are at most {MAX_CONTEXT} lines; to see more of a file use file-read."));
    }
    let limit = request.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(format!("limit is {limit}: it must be from 1 to {MAX_LIMIT}; to see more, page with cursor."));
    }
    Ok(limit)
}

struct Run {
    cwd: GuestPath,
    root: GuestPath,
    relative: bool,
    report: Report,
    binary: u64,
    searched: u64,
}

impl Run {
    fn tree(&mut self, search: &mut Search, filter: &Filter, start: Option<Place>) -> Result<Tally, String> {
        let options = Options { from: start.map(|place| place.path), ..Options::default() };
        let mut walk =
            Walk::new(&self.root, &self.cwd, options).map_err(|error| explain(Access::List, &self.root, &error))?;
        while let Some(entry) = walk.next() {
            let path = entry.path.below(&self.root).unwrap_or_default();
            if entry.kind != Kind::File || !filter.wants(&entry.path, path) {
                continue;
            }
            match self.one(search, &entry.path, path) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => walk.tally().count(&entry.path, &error),
            }
        }
        Ok(walk.tally().clone())
    }

    fn file(&mut self, search: &mut Search, facts: &Metadata) -> Result<Tally, String> {
        if !facts.is_file() {
            return Err(format!("{} is no regular file.", self.root));
        }
        let path = self.root.clone();
        self.one(search, &path, path.name()).map_err(|error| explain(Access::Read, &path, &error))?;
        Ok(Tally::default())
    }

    /// Searches one file; false when the page is full. `place` is its path in cursors.
    fn one(&mut self, search: &mut Search, path: &GuestPath, place: &str) -> std::io::Result<bool> {
        self.report.begin(path.shown(&self.cwd, self.relative), place);
        let was_text = search.run(path, &mut self.report)?;
        self.searched += 1;
        self.binary += u64::from(!was_text);
        Ok(self.report.end())
    }

    fn finish(self, request: &Request, tally: &Tally) -> Found {
        let mut notices = tally.notices();
        if self.binary > 0 {
            notices.insert(0, format!("{} not searched.", plural(self.binary, "binary file")));
        }
        let mut found = self.report.finish();
        if found.files == 0 && request.cursor.is_none() {
            notices.insert(0, nothing(request, self.searched - self.binary));
        }
        found.notice = (!notices.is_empty()).then(|| notices.join(" "));
        found
    }
}

fn nothing(request: &Request, searched: u64) -> String {
    if searched == 0 {
        let filters =
            if request.glob.is_some() || request.file_type.is_some() { " that glob and type select" } else { "" };
        return format!("There is no text file{filters} here: check path. What .gitignore excludes is left out.");
    }
    let mut notice = format!("No match in {}.", plural(searched, "file"));
    if !request.ignore_case && request.pattern.chars().any(char::is_alphabetic) {
        notice.push_str(" Upper and lower case differ unless ignore_case is true.");
    }
    notice
}
