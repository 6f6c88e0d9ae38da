//! The built-in tool `file-glob`: a pattern in, the paths that match out, newest first, page by page.
//!
//! A page holds in memory only its own paths, however many match. A cursor names the last path shown, so that pages stay right
//! when files come and go between them.

#[cfg(target_family = "wasm")]
mod guest;
mod page;
mod pattern;

use std::io::ErrorKind;

use caplet_tool_common::store;
use caplet_tool_common::walk::{Entry, Kind, Options, Walk};
use caplet_tool_common::{Access, GuestPath, explain};
use page::{Key, Page};
use pattern::Pattern;

/// Paths on a page when the caller names no limit: about 5,000 tokens.
const DEFAULT_LIMIT: u32 = 250;
/// Paths on a page at most.
const MAX_LIMIT: u32 = 5_000;

/// What the caller asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The glob.
    pub pattern: String,
    /// The directory to look in.
    pub path: Option<String>,
    /// Also what `.gitignore` excludes.
    pub ignored: bool,
    /// Paths at most.
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The paths of this page.
    pub paths: Vec<String>,
    /// How many match in all.
    pub total: u32,
    /// Where to go on; none on the last page.
    pub next_cursor: Option<String>,
    /// What else the caller should know.
    pub notice: Option<String>,
}

/// Finds what matches; relative paths are taken from `cwd`.
///
/// # Errors
/// A sentence that says what is wrong with the pattern, the path or the cursor.
pub fn glob(cwd: &str, request: &Request) -> Result<Found, String> {
    let cwd = GuestPath::resolve("/", cwd)?;
    let pattern = Pattern::parse(&request.pattern)?;
    let limit = limit(request.limit)?;
    let after = request.cursor.as_deref().map(Key::parse).transpose()?;
    let asked = request.path.as_deref().unwrap_or(".");
    let relative = !asked.starts_with('/') && !request.pattern.starts_with('/');
    if request.path.is_some() && request.pattern.starts_with('/') {
        return Err(
            "pattern is absolute, so path has no meaning: leave one of the two out, or make pattern relative to path."
                .to_owned(),
        );
    }
    let top = GuestPath::resolve(cwd.as_str(), asked)?;
    let base = if pattern.base.is_empty() { top } else { GuestPath::resolve(top.as_str(), &pattern.base)? };
    let options = Options { ignored: request.ignored, max_depth: pattern.max_depth, from: None };
    let mut walk = Walk::new(&base, &cwd, options).map_err(|error| match error.kind() {
        ErrorKind::NotADirectory if base.as_ref().is_file() => {
            format!("{base} is a file: to read it use file-read; path has to be a directory.")
        }
        _ => explain(Access::List, &base, &error),
    })?;
    let mut page = Page::new(limit, after);
    while let Some(entry) = walk.next() {
        if !pattern.wants(entry.kind) || !entry.path.below(&base).is_some_and(|path| pattern.matches(path)) {
            continue;
        }
        match store::changed_ms(&entry.path) {
            Ok(changed_ms) => page.add(changed_ms, || shown(&entry, &cwd, relative)),
            Err(error) => walk.tally().count(&entry.path, &error),
        }
    }
    let mut notices = walk.tally().notices();
    if page.total() == 0 {
        notices.insert(0, nothing(request, &pattern));
    }
    Ok(page.finish((!notices.is_empty()).then(|| notices.join(" "))))
}

fn limit(asked: Option<u32>) -> Result<usize, String> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(format!("limit is {limit}: it must be from 1 to {MAX_LIMIT}; to see more, page with cursor."));
    }
    Ok(limit as usize)
}

fn shown(entry: &Entry, cwd: &GuestPath, relative: bool) -> String {
    let mut text = entry.path.shown(cwd, relative);
    if entry.kind == Kind::Directory {
        text.push('/');
    }
    text
}

fn nothing(request: &Request, pattern: &Pattern) -> String {
    let mut notice = format!("Nothing matches `{}`.", request.pattern);
    if pattern.max_depth == Some(1) && !pattern.rest.contains("**") {
        notice.push_str(&format!(" It looks in one directory only: to look below it too, use `**/{}`.", pattern.rest));
    }
    if !request.ignored {
        notice.push_str(" What .gitignore excludes is left out: set ignored to true to find it.");
    }
    notice
}
