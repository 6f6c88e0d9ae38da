//! The regular expression, compiled within bounds.

use grep_regex::{RegexMatcher, RegexMatcherBuilder};

use crate::Request;

/// Bytes that a compiled pattern may take: ten times what real ones need.
const MAX_COMPILED: usize = 10 << 20;
/// Longer patterns are machine-made lists of words, which belong into several calls.
const MAX_PATTERN: usize = 16 * 1024;

pub(crate) fn compile(request: &Request) -> Result<RegexMatcher, String> {
    if request.pattern.is_empty() {
        return Err("pattern is empty: give a regular expression; to read a whole file use file-read.".to_owned());
    }
    if request.pattern.len() > MAX_PATTERN {
        return Err(format!("pattern is longer than {MAX_PATTERN} bytes."));
    }
    let mut builder = RegexMatcherBuilder::new();
    builder
        .multi_line(true)
        .case_insensitive(request.ignore_case)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED);
    // `$` matches before CRLF too. Within one line a line terminator may not be matched, which makes matching faster.
    builder.crlf(true);
    if request.multiline {
        builder.dot_matches_new_line(true).line_terminator(None);
    } else {
        builder.line_terminator(Some(b'\n'));
    }
    builder.build(&request.pattern).map_err(|error| {
        let text = error.to_string();
        // The parser's message draws the place over several lines; what is wrong is on the last.
        let text = text.rsplit_once("error: ").map_or(text.as_str(), |(_, reason)| reason).trim();
        let help = if text.contains("not allowed in a regex") {
            "To match across lines set multiline to true."
        } else {
            r"To find such characters as they are, put a \ before each of .*+?()[]{}|^$\."
        };
        format!("pattern is no valid regular expression: {text}. {help}")
    })
}
