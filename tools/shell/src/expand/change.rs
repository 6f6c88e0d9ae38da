//! What the operators of `${…}` make of one text.

use bstr::ByteSlice;

use crate::pattern::Pattern;
use crate::stop::{Flow, Stop};
use crate::stream::CAPTURE_MAX;
use crate::syntax::ast::{CaseChange, Replace, Text};
use crate::text::characters;

/// A change of one text.
pub(super) enum Change {
    None,
    Trim { suffix: bool, longest: bool, pattern: Pattern },
    Replace { kind: Replace, empty: bool, pattern: Pattern, with: With },
    Case { kind: CaseChange, all: bool, pattern: Pattern },
}

impl Change {
    /// The text after the change.
    ///
    /// # Errors
    /// It is larger than a shell may hold.
    pub(super) fn apply(&self, text: Text) -> Flow<Text> {
        Ok(match self {
            Self::None => text,
            Self::Trim { suffix, longest, pattern } => trim(text, *suffix, *longest, pattern),
            Self::Replace { empty: true, .. } => text,
            Self::Replace { kind, pattern, with, .. } => replace(&text, *kind, pattern, with)?,
            Self::Case { kind, all, pattern } => change_case(&text, *kind, *all, pattern),
        })
    }
}

/// What comes in the place of a match: the texts between the places where the match itself stands.
pub(super) struct With(Vec<Text>);

impl With {
    /// Reads a replacement, in which `&` is the match unless a backslash stands before it.
    pub(super) fn new(text: &[u8]) -> Self {
        let (mut pieces, mut piece) = (Vec::new(), Text::new());
        let mut bytes = text.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'&' => pieces.push(std::mem::take(&mut piece)),
                b'\\' => piece.push(bytes.next_if(|next| matches!(next, b'&' | b'\\')).unwrap_or(byte)),
                _ => piece.push(byte),
            }
        }
        pieces.push(piece);
        Self(pieces)
    }

    fn push(&self, out: &mut Text, matched: &[u8]) {
        for (at, piece) in self.0.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(matched);
            }
            out.extend_from_slice(piece);
        }
    }
}

fn boundaries(text: &[u8]) -> Vec<usize> {
    let mut all: Vec<usize> = text.char_indices().map(|(from, _, _)| from).collect();
    all.push(text.len());
    all
}

fn trim(text: Text, suffix: bool, longest: bool, pattern: &Pattern) -> Text {
    if !suffix {
        let ends = pattern.ends(&text, 0);
        let end = if longest { ends.last() } else { ends.first() };
        return end.map_or(text.clone(), |end| text.get(*end..).unwrap_or_default().to_vec());
    }
    let places = boundaries(&text);
    let fits = |from: &usize| pattern.matches(text.get(*from..).unwrap_or_default());
    let start = if longest { places.iter().find(|at| fits(at)) } else { places.iter().rev().find(|at| fits(at)) };
    start.map_or(text.clone(), |start| text.get(..*start).unwrap_or_default().to_vec())
}

fn replace(text: &[u8], kind: Replace, pattern: &Pattern, with: &With) -> Flow<Text> {
    let mut out = Text::with_capacity(text.len());
    match kind {
        Replace::Prefix => {
            if let Some(end) = pattern.ends(text, 0).last() {
                with.push(&mut out, text.get(..*end).unwrap_or_default());
                out.extend_from_slice(text.get(*end..).unwrap_or_default());
                return Ok(out);
            }
            Ok(text.to_vec())
        }
        Replace::Suffix => {
            let start =
                boundaries(text).into_iter().find(|from| pattern.matches(text.get(*from..).unwrap_or_default()));
            let (before, matched) = text.split_at(start.unwrap_or(text.len()));
            out.extend_from_slice(before);
            if start.is_some() {
                with.push(&mut out, matched);
            }
            Ok(out)
        }
        Replace::First | Replace::All => {
            let mut at = 0;
            // Looked at anew after each match only: a text without one is not searched from each of its places.
            let mut more = pattern.may_match(text);
            while more && at < text.len() {
                if let Some(end) = pattern.ends(text, at).last().filter(|end| **end > at) {
                    with.push(&mut out, text.get(at..*end).unwrap_or_default());
                    if out.len() > CAPTURE_MAX {
                        return Err(Stop::Limit(format!("a text of more than {CAPTURE_MAX} bytes")));
                    }
                    at = *end;
                    if kind == Replace::First {
                        break;
                    }
                    more = pattern.may_match(text.get(at..).unwrap_or_default());
                } else {
                    let (_, size) = bstr::decode_utf8(text.get(at..).unwrap_or_default());
                    out.extend_from_slice(text.get(at..at + size.max(1)).unwrap_or_default());
                    at += size.max(1);
                }
            }
            out.extend_from_slice(text.get(at..).unwrap_or_default());
            Ok(out)
        }
    }
}

fn change_case(text: &[u8], kind: CaseChange, all: bool, pattern: &Pattern) -> Text {
    let mut out = Text::with_capacity(text.len());
    for (at, character) in characters(text).enumerate() {
        if at > 0 && !all || !pattern.matches(character) {
            out.extend_from_slice(character);
            continue;
        }
        out.extend(match kind {
            CaseChange::Upper => crate::text::upper(character),
            CaseChange::Lower => crate::text::lower(character),
            CaseChange::Toggle => {
                let upper = crate::text::upper(character);
                if upper == character { crate::text::lower(character) } else { upper }
            }
        });
    }
    out
}

/// The first character in upper case.
pub(super) fn first_upper(text: &[u8]) -> Text {
    change_case(text, CaseChange::Upper, false, &Pattern::new(b"?", false))
}
