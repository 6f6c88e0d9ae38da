//! Words to look for, and where a text has them.

use std::borrow::Cow;

/// Words of a query, and bytes of it: more would not make it more precise.
const MAX_WORDS: usize = 16;
const MAX_QUERY: usize = 1_000;
/// Characters of an excerpt, and how many of them stand before the word.
const EXCERPT: usize = 200;
const BEFORE: usize = 60;

/// The words of a query.
#[derive(Debug)]
pub(crate) struct Words(Vec<Word>);

#[derive(Debug)]
struct Word {
    /// As the caller wrote it.
    written: String,
    /// Without case.
    folded: String,
}

impl Words {
    /// # Errors
    /// A sentence for the caller.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        if query.len() > MAX_QUERY {
            return Err(format!("the query is longer than {MAX_QUERY} bytes: use fewer words."));
        }
        let mut words: Vec<Word> = Vec::new();
        for written in query.split_whitespace() {
            let bare = written.trim_matches(|c: char| c.is_ascii_punctuation());
            // What is punctuation alone may be meant: `->`.
            let written = if bare.is_empty() { written } else { bare };
            let folded = fold(written).into_owned();
            if !words.iter().any(|word| word.folded == folded) {
                words.push(Word { written: written.to_owned(), folded });
            }
        }
        match words.len() {
            0 => Err("the query has no words: say what to look for, or use list to see all notes.".to_owned()),
            1..=MAX_WORDS => Ok(Self(words)),
            more => Err(format!("the query has {more} words, and {MAX_WORDS} are the most: use those that matter.")),
        }
    }

    /// For each word whether `text` has it.
    pub(crate) fn found_in<'a>(&'a self, text: &str) -> impl Iterator<Item = bool> + use<'a> {
        let text = fold(text).into_owned();
        self.0.iter().map(move |word| text.contains(&word.folded))
    }

    /// The words for which `found` says yes, as the caller wrote them.
    pub(crate) fn written(&self, found: &[bool]) -> Vec<String> {
        self.0.iter().zip(found).filter(|(_, found)| **found).map(|(word, _)| word.written.clone()).collect()
    }

    /// The part of `text` around the first of the words, on one line.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        let folded = fold(text);
        let first = self.0.iter().filter_map(|word| folded.find(&word.folded)).min().unwrap_or(0);
        let at = unfolded(text, first);
        let start =
            text.get(..at).unwrap_or_default().char_indices().rev().nth(BEFORE - 1).map_or(0, |(start, _)| start);
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.char_indices().nth(EXCERPT).map_or(rest.len(), |(end, _)| end);
        let part = rest.get(..end).unwrap_or(rest);
        let line = part.split_whitespace().collect::<Vec<_>>().join(" ");
        let before = if start > 0 { "…" } else { "" };
        let after = if end < rest.len() { "…" } else { "" };
        format!("{before}{line}{after}")
    }
}

/// `text` in lower case, character by character, so that a place in it leads back to one in `text`.
fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else if text.is_ascii() {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
    }
}

/// Where in `text` the place `at` of its folded form is.
fn unfolded(text: &str, at: usize) -> usize {
    let mut folded = 0;
    for (place, c) in text.char_indices() {
        let length: usize = c.to_lowercase().map(char::len_utf8).sum();
        if folded + length > at {
            return place;
        }
        folded += length;
    }
    text.len()
}
