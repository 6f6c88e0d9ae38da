//! Globs: what they are, how they read, and the one translation into automata that both enforces and proves them.
//!
//! | piece | matches |
//! |---|---|
//! | `*` | any number of characters, none of them `/` |
//! | `?` | one character that is not `/` |
//! | `[ab]` `[a-z]` `[!a]` | one character of a set, or one outside of it; never `/` |
//! | `{a,b}` | either; may be nested |
//! | `\x` | the character `x` itself |
//! | `/**/` | any number of whole segments, also none |
//! | `/**` at the end | the directory itself and everything below |
//!
//! Everything else stands for itself. Every character can be matched, line breaks and leading dots included, and upper and lower
//! case differ. What a guest names is never read as a pattern.

use std::fmt;
use std::sync::Arc;

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir};

use super::automaton::{Automaton, Size};
use super::glob_parser::{self, Dialect};
use super::language::{any_byte, literal, many, optional};
use crate::error::RuleError;
use crate::path::GuestPath;
use crate::text::{is_hidden, visible};

/// Characters that mean something in a glob.
pub(crate) const SPECIAL: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// A pattern over `/`-separated text. Cheap to clone; two globs are equal when they read the same in canonical form.
#[derive(Clone)]
pub struct Glob {
    text: Arc<str>,
    segments: Arc<[Segment]>,
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// `**`: any number of segments.
    Any,
    /// One segment; more, where an alternative contains a slash.
    Parts(Vec<Part>),
}

/// A piece of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(char),
    /// `*`
    Many,
    /// `?`
    One,
    /// `[…]`
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// `{…,…}`
    Either(Vec<Vec<Part>>),
}

impl Glob {
    /// A glob on guest paths. A relative one is taken from `base`, whose characters stand for themselves.
    ///
    /// # Errors
    ///
    /// When the text is empty, not a glob, climbs above the root, can match no path, or would need an automaton without measure.
    pub fn parse(text: &str, base: &GuestPath) -> Result<Self, RuleError> {
        let segments = glob_parser::parse(text, Dialect::Path { base })?;
        Self::checked(segments, text, Self::path_text)
    }

    /// A glob on the path of a URL: it starts with a slash; segments may be empty, as in URLs.
    pub(crate) fn parse_url_path(text: &str) -> Result<Self, RuleError> {
        let segments = glob_parser::parse(text, Dialect::UrlPath)?;
        Self::checked(segments, text, Self::path_text)
    }

    /// A glob on keys: text in which `/` separates segments, without a slash before the first.
    pub(crate) fn parse_key(text: &str) -> Result<Self, RuleError> {
        let segments = glob_parser::parse(text, Dialect::Key)?;
        Self::checked(segments, text, Self::key_text)
    }

    /// A glob on single names, as a key of one segment: no `/` and no `**`.
    pub(crate) fn parse_name(text: &str) -> Result<Self, RuleError> {
        if let Some(at) = text.find('/') {
            let fix = "write the name alone; `*` for any name";
            return Err(RuleError::at(at, "/", "a name has no slash", fix));
        }
        if let Some(at) = text.find("**") {
            return Err(RuleError::at(at, "**", "a name has nothing to cross", "write a single `*` for any name"));
        }
        Self::parse_key(text)
    }

    /// `path` and everything below it.
    pub(crate) fn below(path: &GuestPath) -> Self {
        let mut segments = Self::exact(path).segments.to_vec();
        segments.push(Segment::Any);
        Self { text: Self::path_text(&segments).into(), segments: segments.into() }
    }

    /// `path` itself.
    pub(crate) fn exact(path: &GuestPath) -> Self {
        let segments: Vec<Segment> = literal_segments(path).collect();
        Self { text: Self::path_text(&segments).into(), segments: segments.into() }
    }

    /// Every key, or every path.
    pub(crate) fn every_key() -> Self {
        Self { text: "**".into(), segments: [Segment::Any].into() }
    }

    /// Every path of a URL.
    pub(crate) fn every_url_path() -> Self {
        Self { text: "/**".into(), segments: [Segment::Any].into() }
    }

    /// The canonical text: absolute, with escapes only where they are needed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern names no directory or file at all, as `/**`, `/*/**` and `/*` do.
    pub(crate) fn is_broad(&self) -> bool {
        !self.segments.is_empty()
            && self.segments.iter().all(|segment| match segment {
                Segment::Any => true,
                Segment::Parts(parts) => parts.iter().all(|part| *part == Part::Many) && !parts.is_empty(),
            })
    }

    /// The language of the glob, over text that starts with a slash.
    pub(crate) fn hir(&self) -> Hir {
        hir(&self.segments)
    }

    fn checked(segments: Vec<Segment>, text: &str, show: fn(&[Segment]) -> String) -> Result<Self, RuleError> {
        if !is_simple(&segments) {
            Automaton::build(&[hir(&segments)], Size::of_wildcards(text.len())).map_err(|_| {
                let fix = "use fewer wildcards in one name; `**` for any depth costs little";
                RuleError::at(0, text, "the pattern is too complex to decide on quickly", fix)
            })?;
        }
        Ok(Self { text: show(&segments).into(), segments: segments.into() })
    }

    fn path_text(segments: &[Segment]) -> String {
        format!("/{}", Self::key_text(segments))
    }

    fn key_text(segments: &[Segment]) -> String {
        let mut text = String::new();
        for (index, segment) in segments.iter().enumerate() {
            if index > 0 {
                text.push('/');
            }
            match segment {
                Segment::Any => text.push_str("**"),
                Segment::Parts(parts) => write_parts(&mut text, parts, false),
            }
        }
        text
    }
}

/// `text` as a pattern that matches it: special characters are escaped, and those that a reader could not see become `?`.
#[must_use]
pub fn escape_glob(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            escaped.push('?');
        } else {
            push_literal(&mut escaped, c, false);
        }
    }
    escaped
}

/// The names of `path` as segments that match only them.
pub(crate) fn literal_segments(path: &GuestPath) -> impl Iterator<Item = Segment> {
    path.components().map(|name| Segment::Parts(name.chars().map(Part::Literal).collect()))
}

/// The canonical text; what a reader could not see is written as `\u{…}`.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.text))
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

fn write_parts(text: &mut String, parts: &[Part], in_braces: bool) {
    for part in parts {
        match part {
            Part::Literal(c) => push_literal(text, *c, in_braces),
            Part::Many => text.push('*'),
            Part::One => text.push('?'),
            Part::Set { negated, ranges } => write_set(text, *negated, ranges),
            Part::Either(alternatives) => {
                text.push('{');
                for (index, alternative) in alternatives.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    write_parts(text, alternative, true);
                }
                text.push('}');
            }
        }
    }
}

fn push_literal(text: &mut String, c: char, in_braces: bool) {
    if SPECIAL.contains(&c) || (in_braces && c == ',') {
        text.push('\\');
    }
    text.push(c);
}

fn write_set(text: &mut String, negated: bool, ranges: &[(char, char)]) {
    text.push('[');
    if negated {
        text.push('!');
    }
    for &(first, last) in ranges {
        push_in_set(text, first);
        if last != first {
            text.push('-');
            push_in_set(text, last);
        }
    }
    text.push(']');
}

fn push_in_set(text: &mut String, c: char) {
    if matches!(c, '[' | ']' | '\\' | '!' | '^' | '-') {
        text.push('\\');
    }
    text.push(c);
}

/// Whether the automaton is surely small: text, and at most one wildcard that spans characters.
fn is_simple(segments: &[Segment]) -> bool {
    let mut wildcards = 0;
    for segment in segments {
        match segment {
            Segment::Any => wildcards += 1,
            Segment::Parts(parts) => {
                for part in parts {
                    match part {
                        Part::Literal(_) => {}
                        Part::Many => wildcards += 1,
                        Part::One | Part::Set { .. } | Part::Either(_) => return false,
                    }
                }
            }
        }
    }
    wildcards <= 1
}

fn hir(segments: &[Segment]) -> Hir {
    let mut parts = Vec::with_capacity(segments.len() + 1);
    if segments.is_empty() {
        parts.push(slash());
    }
    let last = segments.len().wrapping_sub(1);
    for (index, segment) in segments.iter().enumerate() {
        match segment {
            Segment::Any if index == last => parts.push(optional(Hir::concat(vec![slash(), many(any_byte())]))),
            Segment::Any => parts.push(many(Hir::concat(vec![slash(), many(no_slash_byte())]))),
            Segment::Parts(pieces) => {
                parts.push(slash());
                parts.extend(pieces.iter().map(part_hir));
            }
        }
    }
    Hir::concat(parts)
}

fn part_hir(part: &Part) -> Hir {
    match part {
        Part::Literal(c) => literal(c.encode_utf8(&mut [0; 4])),
        Part::Many => many(no_slash_byte()),
        Part::One => set_hir(true, &[]),
        Part::Set { negated, ranges } => set_hir(*negated, ranges),
        Part::Either(alternatives) => Hir::alternation(
            alternatives.iter().map(|parts| Hir::concat(parts.iter().map(part_hir).collect())).collect(),
        ),
    }
}

/// One character of `ranges`, or one outside of them, but never a slash.
fn set_hir(negated: bool, ranges: &[(char, char)]) -> Hir {
    let mut set = ClassUnicode::new(ranges.iter().map(|&(first, last)| ClassUnicodeRange::new(first, last)));
    if negated {
        set.negate();
    }
    set.difference(&ClassUnicode::new([ClassUnicodeRange::new('/', '/')]));
    Hir::class(Class::Unicode(set))
}

/// Whether a set could match anything.
pub(crate) fn is_empty_set(negated: bool, ranges: &[(char, char)]) -> bool {
    !negated && ranges.iter().all(|&range| range == ('/', '/'))
}

fn slash() -> Hir {
    literal("/")
}

/// Any byte but a slash.
fn no_slash_byte() -> Hir {
    let ranges = [ClassBytesRange::new(0, b'/' - 1), ClassBytesRange::new(b'/' + 1, 0xff)];
    Hir::class(Class::Bytes(ClassBytes::new(ranges)))
}
