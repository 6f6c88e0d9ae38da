//! From the text of a glob to its pieces. Strict: whatever could be read in two ways is an error that says how to write it.

use super::glob::{Part, Segment, is_empty_set, literal_segments};
use crate::error::RuleError;
use crate::path::GuestPath;

/// The longest glob in bytes; no path is longer.
const MAX_BYTES: usize = GuestPath::MAX_BYTES;
/// How deep braces may be nested. People write one level, rarely two.
const MAX_DEPTH: usize = 8;

/// What kind of text the glob is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dialect<'a> {
    /// Guest paths.
    Path { base: &'a GuestPath },
    /// The path of a URL.
    UrlPath,
    /// Keys.
    Key,
}

/// Reads `text`.
pub(super) fn parse(text: &str, dialect: Dialect<'_>) -> Result<Vec<Segment>, RuleError> {
    if text.is_empty() {
        return Err(RuleError::at(
            0,
            "",
            "the pattern is empty",
            "write a pattern; `**` for everything below a directory",
        ));
    }
    if text.len() > MAX_BYTES {
        let problem = format!("the pattern is {} bytes long; the limit is {MAX_BYTES} bytes", text.len());
        return Err(RuleError::at(0, text, problem, "name a directory above, with `/**`"));
    }
    let mut parser = Parser { text, at: 0 };
    let mut segments = match dialect {
        Dialect::Path { base } => parser.path(base)?,
        Dialect::UrlPath => {
            if !parser.eat('/') {
                return Err(RuleError::at(0, text, "the path does not start with a slash", format!("write `/{text}`")));
            }
            parser.segments()?
        }
        Dialect::Key => parser.segments()?,
    };
    segments.dedup_by(|second, first| *first == Segment::Any && *second == Segment::Any);
    if matches!(dialect, Dialect::UrlPath) && segments == [Segment::Parts(Vec::new())] {
        // The URL path `/`.
        segments.clear();
    }
    Ok(segments)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// An error about the text from `start` to here.
    fn error(&self, start: usize, problem: &str, fix: &str) -> RuleError {
        RuleError::at(start, self.text.get(start..self.at).unwrap_or_default(), problem, fix)
    }

    /// A guest path glob: absolute, or joined to `base`; `.` and `..` are folded while what they fold is plain text.
    fn path(&mut self, base: &GuestPath) -> Result<Vec<Segment>, RuleError> {
        if self.text == "~" || self.text.starts_with("~/") {
            let fix = "write the directory's full path, or `./~` for a name that is a tilde";
            return Err(RuleError::at(0, "~", "a tilde is not expanded here", fix));
        }
        let mut segments = Vec::new();
        if self.eat('/') {
            if self.peek().is_none() {
                return Ok(segments);
            }
        } else {
            segments.extend(literal_segments(base));
        }
        loop {
            let start = self.at;
            let segment = self.segment()?;
            self.add(&mut segments, segment, start)?;
            if !self.eat('/') {
                return Ok(segments);
            }
        }
    }

    fn add(&self, segments: &mut Vec<Segment>, segment: Segment, start: usize) -> Result<(), RuleError> {
        let name = match &segment {
            Segment::Any => None,
            Segment::Parts(parts) => literal_text(parts),
        };
        match name.as_deref() {
            Some("") => {
                let fix = "write single slashes, and none at the end; `/**` at the end for everything below";
                Err(RuleError::at(start, self.rest(), "the pattern has an empty segment", fix))
            }
            Some(".") => Ok(()),
            Some("..") => match segments.pop() {
                Some(Segment::Parts(parts)) if literal_text(&parts).is_some() => Ok(()),
                Some(_) => Err(self.error(start, "`..` after a wildcard", "write the path that is meant")),
                None => Err(self.error(start, "the pattern climbs above the root", "write the path that is meant")),
            },
            _ => {
                segments.push(segment);
                Ok(())
            }
        }
    }

    fn segments(&mut self) -> Result<Vec<Segment>, RuleError> {
        let mut segments = vec![self.segment()?];
        while self.eat('/') {
            segments.push(self.segment()?);
        }
        Ok(segments)
    }

    fn segment(&mut self) -> Result<Segment, RuleError> {
        if self.rest().starts_with("**") {
            let start = self.at;
            self.at += 2;
            return match self.peek() {
                None | Some('/') => Ok(Segment::Any),
                Some(_) => {
                    self.next();
                    Err(self.whole_segment(start))
                }
            };
        }
        self.parts(0).map(Segment::Parts)
    }

    fn whole_segment(&self, start: usize) -> RuleError {
        let fix = "write `/**/` or `/**` at the end, or a single `*` within a name";
        self.error(start, "`**` must stand alone between slashes", fix)
    }

    /// Pieces up to the end of the segment; inside braces, up to a comma or the closing brace.
    fn parts(&mut self, depth: usize) -> Result<Vec<Part>, RuleError> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            let start = self.at;
            match c {
                '/' if depth == 0 => break,
                ',' | '}' if depth > 0 => break,
                _ => {}
            }
            self.next();
            parts.push(match c {
                '*' if self.peek() == Some('*') => {
                    self.next();
                    return Err(self.whole_segment(start));
                }
                '*' => Part::Many,
                '?' => Part::One,
                '[' => self.set(start)?,
                '{' => self.either(start, depth + 1)?,
                '}' => {
                    return Err(self.error(start, "a closing brace without an opening one", "write `\\}` for a brace"));
                }
                '\\' => self.escaped(start)?,
                c => Part::Literal(c),
            });
        }
        Ok(parts)
    }

    fn escaped(&mut self, start: usize) -> Result<Part, RuleError> {
        match self.next() {
            Some('/') => Err(self.error(start, "a slash cannot be escaped", "remove the backslash")),
            Some(c) => Ok(Part::Literal(c)),
            None => Err(self.error(start, "the pattern ends in a backslash", "write `\\\\` for a backslash")),
        }
    }

    fn either(&mut self, start: usize, depth: usize) -> Result<Part, RuleError> {
        if depth > MAX_DEPTH {
            let problem = format!("braces are nested deeper than {MAX_DEPTH}");
            return Err(self.error(start, &problem, "write several rules"));
        }
        let mut alternatives = Vec::new();
        loop {
            let from = self.at;
            let parts = self.parts(depth)?;
            let slash = Part::Literal('/');
            if parts.first() == Some(&slash) || parts.last() == Some(&slash) {
                let fix = "put the slash outside of the braces, or write several rules";
                return Err(self.error(from, "a slash begins or ends an alternative", fix));
            }
            alternatives.push(parts);
            match self.next() {
                Some(',') => {}
                Some(_) => break,
                None => {
                    return Err(self.error(start, "the braces are not closed", "add `}`, or write `\\{` for a brace"));
                }
            }
        }
        if alternatives.iter().all(Vec::is_empty) {
            return Err(self.error(start, "the braces are empty", "name the alternatives, as in `{a,b}`"));
        }
        Ok(Part::Either(alternatives))
    }

    fn set(&mut self, start: usize) -> Result<Part, RuleError> {
        let negated = self.eat('!') || self.eat('^');
        let mut ranges: Vec<(char, char)> = Vec::new();
        loop {
            let unclosed = || "add `]`, or write `\\[` for a bracket";
            if self.peek() == Some(']') && !ranges.is_empty() {
                self.next();
                break;
            }
            let Some(first) = self.set_char(start)? else {
                return Err(self.error(start, "the set of characters is not closed", unclosed()));
            };
            let is_range = self.rest().starts_with('-') && !self.rest().starts_with("-]");
            let last = if is_range {
                self.next();
                match self.set_char(start)? {
                    Some(last) => last,
                    None => return Err(self.error(start, "the set of characters is not closed", unclosed())),
                }
            } else {
                first
            };
            if last < first {
                return Err(self.error(
                    start,
                    "a range of characters runs backwards",
                    "write the lower character first",
                ));
            }
            ranges.push((first, last));
        }
        if is_empty_set(negated, &ranges) {
            return Err(self.error(start, "a set never matches a slash", "write the slash outside of the brackets"));
        }
        Ok(Part::Set { negated, ranges })
    }

    fn set_char(&mut self, start: usize) -> Result<Option<char>, RuleError> {
        match self.next() {
            Some('\\') => match self.next() {
                Some(c) => Ok(Some(c)),
                None => Err(self.error(start, "the pattern ends in a backslash", "write `\\\\` for a backslash")),
            },
            c => Ok(c),
        }
    }
}

/// The text of `parts` if they have no wildcard.
fn literal_text(parts: &[Part]) -> Option<String> {
    parts
        .iter()
        .map(|part| match part {
            Part::Literal(c) => Some(*c),
            Part::Many | Part::One | Part::Set { .. } | Part::Either(_) => None,
        })
        .collect()
}
