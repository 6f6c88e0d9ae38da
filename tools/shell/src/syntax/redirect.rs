//! Redirections.

use std::cell::RefCell;
use std::rc::Rc;

use super::ast::{Part, Redirect, RedirectKind, Target, Text, Word};
use super::cursor::{Parsed, Parser, Pending};
use super::word::End;

impl Parser<'_> {
    /// A redirection, if one begins here.
    pub(super) fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        let (at, line) = (self.at, self.line);
        let from = self.redirect_target();
        let Some(kind) = self.redirect_kind(&from)? else {
            (self.at, self.line) = (at, line);
            return Ok(None);
        };
        Ok(Some(Redirect { from, kind }))
    }

    fn redirect_target(&mut self) -> Target {
        let rest = self.rest();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0
            && matches!(rest.get(digits), Some(b'<' | b'>'))
            && let Some(number) =
                std::str::from_utf8(rest.get(..digits).unwrap_or_default()).ok().and_then(|text| text.parse().ok())
        {
            self.at += digits;
            return Target::Number(number);
        }
        if rest.first() == Some(&b'{') {
            let length = super::cursor::name_length(rest.get(1..).unwrap_or_default());
            if length > 0 && rest.get(1 + length) == Some(&b'}') && matches!(rest.get(2 + length), Some(b'<' | b'>')) {
                self.at += length + 2;
                return Target::Variable(rest.get(1..=length).unwrap_or_default().to_vec());
            }
        }
        Target::Default
    }

    fn redirect_kind(&mut self, from: &Target) -> Parsed<Option<RedirectKind>> {
        let default = matches!(from, Target::Default);
        if default && (self.starts(b"<(") || self.starts(b">(")) {
            return Ok(None);
        }
        let kind = if self.take(b"<<<") {
            RedirectKind::String(self.operand_word()?)
        } else if self.take(b"<<-") {
            self.document_start(true)?
        } else if self.take(b"<<") {
            self.document_start(false)?
        } else if self.take(b"<&") {
            RedirectKind::Duplicate { word: self.operand_word()?, output: false }
        } else if self.take(b"<>") {
            RedirectKind::ReadWrite(self.operand_word()?)
        } else if self.take(b"<") {
            RedirectKind::Read(self.operand_word()?)
        } else if default && self.take(b"&>>") {
            RedirectKind::Both { word: self.operand_word()?, append: true }
        } else if default && self.take(b"&>") {
            RedirectKind::Both { word: self.operand_word()?, append: false }
        } else if self.take(b">>") {
            RedirectKind::Append(self.operand_word()?)
        } else if self.take(b">&") {
            let word = self.operand_word()?;
            if default && !is_descriptor(&word) {
                RedirectKind::Both { word, append: false }
            } else {
                RedirectKind::Duplicate { word, output: true }
            }
        } else if self.take(b">|") {
            RedirectKind::Write { word: self.operand_word()?, clobber: true }
        } else if self.take(b">") {
            RedirectKind::Write { word: self.operand_word()?, clobber: false }
        } else {
            return Ok(None);
        };
        Ok(Some(kind))
    }

    fn operand_word(&mut self) -> Parsed<Word> {
        self.blanks();
        let word = self.word(End::Meta)?;
        if word.parts.is_empty() { Err(self.unexpected()) } else { Ok(word) }
    }

    fn document_start(&mut self, strip_tabs: bool) -> Parsed<RedirectKind> {
        let word = self.operand_word()?;
        let (mut delimiter, mut quoted) = (Text::new(), false);
        literal(&word.parts, &mut delimiter, &mut quoted);
        let into = Rc::new(RefCell::new(Word::default()));
        self.pending.push(Pending { delimiter, quoted, strip_tabs, into: Rc::clone(&into) });
        Ok(RedirectKind::Document(into))
    }
}

/// The text of a delimiter, and whether any of it was quoted.
fn literal(parts: &[Part], text: &mut Text, quoted: &mut bool) {
    for part in parts {
        match part {
            Part::Bare(bare) => text.extend_from_slice(bare),
            Part::Quoted(inner) => {
                *quoted = true;
                text.extend_from_slice(inner);
            }
            Part::Double(inner) => {
                literal(inner, text, quoted);
                *quoted = true;
            }
            _ => {}
        }
    }
}

/// Whether the word can name a descriptor: digits, `-`, or something to be expanded.
fn is_descriptor(word: &Word) -> bool {
    match word.parts.as_slice() {
        [Part::Bare(text)] => text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-'),
        _ => word.parts.iter().any(|part| matches!(part, Part::Parameter(_))),
    }
}
