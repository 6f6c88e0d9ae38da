//! POSIX regular expressions, matched in linear time.
//!
//! The text is translated for an automaton. What POSIX leaves to backtracking (back-references) is refused. Of matches that
//! begin at the same place the longest counts, as POSIX wants.

mod translate;

use std::cell::{OnceCell, RefCell};
use std::ops::Range;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind, meta};

/// How large a compiled expression may be.
const SIZE_MAX: usize = 10 << 20;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Regex {
    meta: meta::Regex,
    /// For expressions whose first match need not be the longest.
    longest: Option<(DFA, RefCell<Cache>)>,
    /// The same expression up to the end of the text, for the groups of the longest match.
    exact: OnceCell<Option<meta::Regex>>,
    translated: String,
    flags: Flags,
}

/// How an expression is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// Upper and lower case are equal.
    pub(crate) fold: bool,
    /// `^` and `$` match at lines.
    pub(crate) lines: bool,
}

/// Where the groups of a match are; the first is the match itself.
pub(crate) type Groups = Vec<Option<Range<usize>>>;

/// A POSIX expression in the automaton's syntax.
pub(crate) fn translated(pattern: &[u8], extended: bool) -> Result<String, String> {
    if extended { translate::extended(pattern) } else { translate::basic(pattern) }
}

/// Text that matches itself, in the automaton's syntax.
pub(crate) fn escaped(text: &[u8]) -> String {
    let mut out = String::new();
    for letter in String::from_utf8_lossy(text).chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

impl Regex {
    /// An extended expression (ERE).
    pub(crate) fn extended(pattern: &[u8], fold: bool) -> Result<Self, String> {
        Self::new(translate::extended(pattern)?, Flags { fold, lines: false })
    }

    /// An expression of either kind.
    pub(crate) fn posix(pattern: &[u8], extended: bool, flags: Flags) -> Result<Self, String> {
        Self::new(translated(pattern, extended)?, flags)
    }

    /// What was translated already.
    pub(crate) fn translated(pattern: String, flags: Flags) -> Result<Self, String> {
        Self::new(pattern, flags)
    }

    /// An expression in the automaton's own syntax, which is near to that of Perl: of alternatives the first counts, not the longest.
    pub(crate) fn perl(pattern: &str, flags: Flags) -> Result<Self, String> {
        let meta = build(pattern, flags)?;
        Ok(Self { meta, longest: None, exact: OnceCell::new(), translated: pattern.to_owned(), flags })
    }

    fn new(translated: String, flags: Flags) -> Result<Self, String> {
        let meta = build(&translated, flags)?;
        let longest = if translated.contains('|') { Some(longest(&translated, flags)?) } else { None };
        Ok(Self { meta, longest, exact: OnceCell::new(), translated, flags })
    }

    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.meta.is_match(text)
    }

    /// The first match from `from` on.
    pub(crate) fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        if from > text.len() {
            return None;
        }
        let found = self.meta.search(&Input::new(text).range(from..))?;
        let end = self.longest_end(text, found.start()).unwrap_or(found.end());
        Some(found.start()..end.max(found.end()))
    }

    /// The first match from `from` on, with its groups.
    pub(crate) fn captures(&self, text: &[u8], from: usize) -> Option<Groups> {
        if from > text.len() {
            return None;
        }
        let mut captures = self.meta.create_captures();
        self.meta.search_captures(&Input::new(text).range(from..), &mut captures);
        let found = captures.get_match()?;
        if let Some(end) = self.longest_end(text, found.start())
            && end > found.end()
            && let Some(exact) =
                self.exact.get_or_init(|| build(&format!("(?:{})\\z", self.translated), self.flags).ok())
        {
            let cut = text.get(..end).unwrap_or(text);
            let input = Input::new(cut).range(found.start()..).anchored(Anchored::Yes);
            exact.search_captures(&input, &mut captures);
        }
        captures.get_match()?;
        Some(captures.iter().map(|span| span.map(|span| span.start..span.end)).collect())
    }

    fn longest_end(&self, text: &[u8], start: usize) -> Option<usize> {
        let (automaton, cache) = self.longest.as_ref()?;
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let end = automaton.try_search_fwd(&mut cache.borrow_mut(), &input).ok()??;
        Some(end.offset())
    }
}

fn syntax_of(flags: Flags) -> syntax::Config {
    syntax::Config::new()
        .case_insensitive(flags.fold)
        .multi_line(flags.lines)
        .dot_matches_new_line(true)
        .utf8(false)
        .nest_limit(100)
}

fn build(pattern: &str, flags: Flags) -> Result<meta::Regex, String> {
    let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(SIZE_MAX));
    meta::Regex::builder().syntax(syntax_of(flags)).configure(config).build(pattern).map_err(|error| reason(&error))
}

/// The error's text in one line.
fn reason(error: &meta::BuildError) -> String {
    match error.syntax_error() {
        Some(syntax) => {
            let text = syntax.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
        None if error.size_limit().is_some() => "Regular expression too big".to_owned(),
        None => error.to_string(),
    }
}

fn longest(pattern: &str, flags: Flags) -> Result<(DFA, RefCell<Cache>), String> {
    let automaton = DFA::builder()
        .syntax(syntax_of(flags))
        .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(SIZE_MAX)))
        .configure(DFA::config().match_kind(MatchKind::All).skip_cache_capacity_check(true))
        .build(pattern)
        .map_err(|error| error.to_string())?;
    let cache = RefCell::new(automaton.create_cache());
    Ok((automaton, cache))
}
