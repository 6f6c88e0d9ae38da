//! The answer as it grows: lines under their files, until the page is full.

use grep_matcher::Matcher;
use grep_regex::RegexMatcher;

use crate::{Found, Output};

/// Bytes of text on a page: about 64,000 tokens, what a model's context takes well.
const MAX_TEXT: usize = 256 * 1024;
/// Bytes shown of one line.
const MAX_LINE: usize = 500;
/// Bytes shown before a match in a line that is cut.
const LEAD: usize = 100;

/// A place in the order of the search: a path below the root and, with `content`, a line in it (else 0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    line: u64,
}

impl Place {
    /// Reads a cursor, `LINE:PATH`.
    pub(crate) fn parse(cursor: &str) -> Result<Self, String> {
        let parts = cursor.split_once(':').and_then(|(line, path)| Some((line.parse().ok()?, path)));
        let (line, path) = parts.filter(|(_, path)| !path.is_empty()).ok_or_else(|| {
            "cursor is not one that file-grep gave: pass next_cursor unchanged, or leave it out to start again."
                .to_owned()
        })?;
        Ok(Self { path: path.to_owned(), line })
    }
}

/// A page under construction.
#[derive(Debug)]
pub(crate) struct Report {
    output: Output,
    limit: u32,
    start: Option<Place>,
    found: Found,
    /// The file being searched: how it is shown, its place, its matches here, and the lines that wait for the next match.
    shown: String,
    place: String,
    here: u32,
    waiting: String,
    last_line: u64,
    full: bool,
}

impl Report {
    pub(crate) fn new(output: Output, limit: u32, start: Option<Place>) -> Self {
        Self {
            output,
            limit,
            start,
            found: Found::default(),
            shown: String::new(),
            place: String::new(),
            here: 0,
            waiting: String::new(),
            last_line: 0,
            full: false,
        }
    }

    /// Starts a file.
    pub(crate) fn begin(&mut self, shown: String, place: &str) {
        self.shown = shown;
        place.clone_into(&mut self.place);
        self.here = 0;
        self.waiting.clear();
    }

    /// Ends a file; false when the page is full.
    pub(crate) fn end(&mut self) -> bool {
        if self.here > 0 {
            match self.output {
                Output::Content => {}
                Output::Files => self.found.text.push_str(&format!("{}\n", self.shown)),
                Output::Count => self.found.text.push_str(&format!("{}:{}\n", self.shown, self.here)),
            }
            if self.output != Output::Content {
                self.found.files += 1;
                self.found.next_cursor = Some(format!("0:{}", self.place));
            }
        }
        !self.full
    }

    /// Takes a match; false to search no further in this file.
    pub(crate) fn matched(&mut self, matcher: &RegexMatcher, number: u64, bytes: &[u8]) -> bool {
        if self.is_before_start(number) {
            return self.output == Output::Content;
        }
        let shown = if self.output == Output::Content { self.found.matches } else { self.found.files };
        if self.here == 0 || self.output == Output::Content {
            self.full = shown >= self.limit || self.found.text.len() >= MAX_TEXT;
        }
        if self.full {
            return false;
        }
        self.here += 1;
        self.found.matches = self.found.matches.saturating_add(1);
        if self.output == Output::Content {
            self.show(matcher, number, bytes);
        }
        self.output != Output::Files
    }

    /// Takes a line around a match.
    pub(crate) fn context(&mut self, number: u64, bytes: &[u8], before: bool) {
        if self.is_before_start(number) {
            return;
        }
        let line = format!("{number}-{}\n", cut(bytes, 0));
        if before {
            self.waiting.push_str(&line);
        } else if self.here > 0 {
            self.found.text.push_str(&line);
        }
    }

    /// Lines are left out here.
    pub(crate) fn context_break(&mut self) {
        if self.here > 0 {
            self.waiting.push_str("--\n");
        }
    }

    pub(crate) fn finish(mut self) -> Found {
        if !self.full {
            self.found.next_cursor = None;
        } else if self.output == Output::Content {
            // What was full is known only at the next match; the place to go on is the last line shown.
            self.found.next_cursor = self.start.map(|place| format!("{}:{}", place.line, place.path));
        }
        self.found
    }

    /// Whether an earlier page has shown this line already.
    fn is_before_start(&self, number: u64) -> bool {
        self.start
            .as_ref()
            .is_some_and(|start| start.path == self.place && (self.output != Output::Content || number <= start.line))
    }

    fn show(&mut self, matcher: &RegexMatcher, number: u64, bytes: &[u8]) {
        if self.here == 1 {
            self.found.files += 1;
            let gap = if self.found.text.is_empty() { "" } else { "\n" };
            self.found.text.push_str(&format!("{gap}{}\n", self.shown));
        }
        self.found.text.push_str(&self.waiting);
        self.waiting.clear();
        self.last_line = number;
        for (line, number) in bytes.split_inclusive(|byte| *byte == b'\n').zip(number..) {
            let at = matcher.find(line).ok().flatten().map_or(0, |found| found.start());
            self.found.text.push_str(&format!("{number}:{}\n", cut(line, at)));
            self.last_line = number;
        }
        self.start = Some(Place { path: self.place.clone(), line: self.last_line });
    }
}

/// A line without its ending, as text; of a long one the part around the byte `at`.
fn cut(line: &[u8], at: usize) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\n', '\r']);
    if text.len() <= MAX_LINE {
        return text.to_owned();
    }
    let from = text.floor_char_boundary(at.saturating_sub(LEAD).min(text.len().saturating_sub(MAX_LINE)));
    let to = text.floor_char_boundary(from + MAX_LINE);
    let (head, tail) = (if from > 0 { "…" } else { "" }, if to < text.len() { "…" } else { "" });
    format!("{head}{}{tail} [line of {} bytes cut]", text.get(from..to).unwrap_or_default(), text.len())
}
