//! Globs over paths: `*` and `?` stay within one name, `**` crosses names, `[a-z]` is one character, `{a,b}` either.
//!
//! A glob is matched against a whole path, character by character (not byte by byte: `?` is one letter of any script), in time
//! linear in the path. Everything that is not as it is meant to be is an error, never a literal.

use std::iter::Peekable;
use std::str::Chars;

use regex_automata::meta::{Config, Regex};

/// Longer globs are not written by hand; the bound keeps what is compiled small.
pub const MAX_GLOB: usize = 4096;
/// Bytes that a compiled glob may take.
const MAX_COMPILED: usize = 1 << 20;

/// A compiled glob.
#[derive(Clone, Debug)]
pub struct Glob(Regex);

impl Glob {
    /// Compiles `text`, which matches paths without a leading `/`.
    ///
    /// # Errors
    /// What is wrong with it, to be put after "pattern is no glob: ".
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_GLOB {
            return Err(format!("it is longer than {MAX_GLOB} bytes"));
        }
        let mut translation =
            Translation { source: text.chars().peekable(), regex: r"(?s)\A(?:".to_owned(), depth: 0, last: '/' };
        translation.run()?;
        translation.regex.push_str(r")\z");
        let limits = Config::new()
            .nfa_size_limit(Some(MAX_COMPILED))
            .onepass_size_limit(Some(MAX_COMPILED))
            .hybrid_cache_capacity(MAX_COMPILED);
        let regex = Regex::builder().configure(limits).build(&translation.regex);
        regex.map(Self).map_err(|_| "it is too large: use a simpler one".to_owned())
    }

    /// Whether the whole of `path` matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

struct Translation<'a> {
    source: Peekable<Chars<'a>>,
    regex: String,
    /// Open braces.
    depth: usize,
    /// The character before, `/` at the start and where an alternative begins.
    last: char,
}

impl Translation<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(letter) = self.source.next() {
            let before = std::mem::replace(&mut self.last, letter);
            match letter {
                '*' if self.source.next_if_eq(&'*').is_some() => self.two_stars(before)?,
                '*' => self.regex.push_str("[^/]*"),
                '?' => self.regex.push_str("[^/]"),
                '[' => self.class()?,
                '{' => self.open(),
                ',' if self.depth > 0 => self.between("|"),
                '}' if self.depth > 0 => {
                    self.depth -= 1;
                    self.regex.push(')');
                }
                '\\' => {
                    let escaped = self.source.next().ok_or("it ends with a single `\\`")?;
                    self.literal(escaped);
                }
                letter => self.literal(letter),
            }
        }
        if self.depth > 0 { Err("a `{` has no `}` (to mean the character, write `\\{`)".to_owned()) } else { Ok(()) }
    }

    fn open(&mut self) {
        self.depth += 1;
        self.between("(?:");
    }

    fn between(&mut self, regex: &str) {
        self.regex.push_str(regex);
        self.last = '/';
    }

    fn two_stars(&mut self, before: char) -> Result<(), String> {
        let after = self.source.peek().copied();
        let ends = after.is_none() || self.depth > 0 && matches!(after, Some(',' | '}'));
        if before != '/' || !(ends || after == Some('/')) {
            return Err("`**` has to stand alone between slashes: write `**/*.rs`, not `**.rs`".to_owned());
        }
        if ends {
            self.regex.push_str(".+");
        } else {
            self.source.next();
            self.last = '/';
            self.regex.push_str("(?:[^/]+/)*");
        }
        Ok(())
    }

    fn literal(&mut self, letter: char) {
        // By number, so that no character has a meaning of its own.
        self.regex.push_str(&format!("\\x{{{:x}}}", u32::from(letter)));
    }

    /// A class after its `[`. A `]` that comes first is a character of it.
    fn class(&mut self) -> Result<(), String> {
        let negated = self.source.next_if(|letter| matches!(letter, '!' | '^')).is_some();
        self.regex.push_str(if negated { "[^/" } else { "[[" });
        let mut first = true;
        loop {
            let low = self.source.next().ok_or("a `[` has no `]` (to mean the character, write `\\[`)")?;
            if low == ']' && !first {
                break;
            }
            first = false;
            let low = self.class_member(low)?;
            self.literal(low);
            if self.source.peek() != Some(&'-') || self.source.clone().nth(1).is_none_or(|next| next == ']') {
                continue;
            }
            self.source.next();
            let high = self.source.next().ok_or("a `[` has no `]`")?;
            let high = self.class_member(high)?;
            if high < low {
                return Err(format!("the range `{low}-{high}` is empty"));
            }
            self.regex.push('-');
            self.literal(high);
        }
        self.regex.push_str(if negated { "]" } else { "]&&[^/]]" });
        self.last = ']';
        Ok(())
    }

    fn class_member(&mut self, letter: char) -> Result<char, String> {
        if letter == '\\' {
            self.source.next().ok_or_else(|| "it ends with a single `\\`".to_owned())
        } else {
            Ok(letter)
        }
    }
}
