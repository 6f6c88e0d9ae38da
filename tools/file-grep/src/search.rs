//! One file through the searcher.

use std::io::{self, Cursor, Read};

use caplet_tool_common::{GuestPath, store};
use grep_regex::RegexMatcher;
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkFinish, SinkMatch,
};

use crate::report::Report;
use crate::{Output, Request, pattern};

/// What is looked at to tell a binary file, in bytes: as git does.
const HEAD: usize = 8 * 1024;
/// Memory for one file's lines: a longer line (with `multiline`: a larger file) is reported, not searched.
const MAX_HEAP: usize = 64 << 20;

pub(crate) struct Search {
    matcher: RegexMatcher,
    searcher: Searcher,
}

impl Search {
    pub(crate) fn new(request: &Request) -> Result<Self, String> {
        let matcher = pattern::compile(request)?;
        let context = if request.output == Output::Content { (request.before, request.after) } else { (0, 0) };
        let searcher = SearcherBuilder::new()
            .line_number(true)
            .multi_line(request.multiline)
            .before_context(context.0 as usize)
            .after_context(context.1 as usize)
            .binary_detection(BinaryDetection::quit(0))
            .heap_limit(Some(MAX_HEAP))
            .build();
        Ok(Self { matcher, searcher })
    }

    /// Searches a file; false if it turned out to be binary.
    pub(crate) fn run(&mut self, path: &GuestPath, report: &mut Report) -> io::Result<bool> {
        let mut file = store::open(path)?;
        let (head, is_all) = store::head(&mut file, HEAD)?;
        let utf16 = matches!(head.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
        if head.contains(&0) && !utf16 {
            return Ok(false);
        }
        let mut sink = Lines { matcher: &self.matcher, report, text: true };
        if is_all {
            self.searcher.search_reader(&self.matcher, Cursor::new(head), &mut sink)?;
        } else {
            self.searcher.search_reader(&self.matcher, Cursor::new(head).chain(file), &mut sink)?;
        }
        Ok(sink.text)
    }
}

struct Lines<'a> {
    matcher: &'a RegexMatcher,
    report: &'a mut Report,
    text: bool,
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        Ok(self.report.matched(self.matcher, found.line_number().unwrap_or(0), found.bytes()))
    }

    fn context(&mut self, _: &Searcher, line: &SinkContext<'_>) -> io::Result<bool> {
        let before = matches!(line.kind(), SinkContextKind::Before);
        self.report.context(line.line_number().unwrap_or(0), line.bytes(), before);
        Ok(true)
    }

    fn context_break(&mut self, _: &Searcher) -> io::Result<bool> {
        self.report.context_break();
        Ok(true)
    }

    fn finish(&mut self, _: &Searcher, end: &SinkFinish) -> io::Result<()> {
        self.text = end.binary_byte_offset().is_none();
        Ok(())
    }
}
