//! Simple commands: assignments, words and redirections.

use super::ast::{Argument, Assign, Command, Kind, Part, Redirect, Value, Word};
use super::cursor::{Parsed, Parser, name_length};
use super::word::End;

/// The commands whose arguments may be assignments, which are not split.
const DECLARING: [&[u8]; 5] = [b"declare", b"local", b"export", b"readonly", b"typeset"];

impl Parser<'_> {
    /// A simple command; none if nothing of one stands here.
    pub(super) fn simple(&mut self) -> Parsed<Option<Command>> {
        let line = self.line;
        let (mut assigns, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::<Redirect>::new());
        let mut declares = false;
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if (words.is_empty() || declares) && self.at_assignment() {
                let assign = self.assignment()?;
                if words.is_empty() {
                    assigns.push(assign);
                } else {
                    words.push(Argument::Assign(assign));
                }
                continue;
            }
            let word = self.word(End::Meta)?;
            if word.parts.is_empty() {
                break;
            }
            if words.is_empty() {
                declares = is_declaring(&word);
            }
            words.push(Argument::Word(word));
        }
        if assigns.is_empty() && words.is_empty() && redirects.is_empty() {
            return Ok(None);
        }
        Ok(Some(Command { kind: Kind::Simple { assigns, words }, redirects, line }))
    }

    /// Whether `name=`, `name+=` or `name[…]=` stands here.
    fn at_assignment(&self) -> bool {
        let rest = self.rest();
        let length = name_length(rest);
        if length == 0 {
            return false;
        }
        let mut after = rest.get(length..).unwrap_or_default();
        if after.first() == Some(&b'[') {
            let Some(end) = closing_bracket(after) else { return false };
            after = after.get(end + 1..).unwrap_or_default();
        }
        after.starts_with(b"=") || after.starts_with(b"+=")
    }

    fn assignment(&mut self) -> Parsed<Assign> {
        let name = self.name().unwrap_or_default().to_vec();
        let index = if self.take(b"[") { Some(self.subscript()?) } else { None };
        let append = self.take(b"+");
        self.at += 1;
        let value = if self.peek() == Some(b'(') {
            self.at += 1;
            Value::Array(self.nested(Self::elements)?)
        } else {
            Value::Word(self.word(End::Assignment)?)
        };
        Ok(Assign { name, index, append, value })
    }

    /// The elements of `(…)`, up to and with its end.
    pub(super) fn elements(&mut self) -> Parsed<Vec<(Option<Word>, Word)>> {
        let mut elements = Vec::new();
        loop {
            self.lines()?;
            if self.take(b")") {
                return Ok(elements);
            }
            let keyed = self.peek() == Some(b'[')
                && closing_bracket(self.rest()).is_some_and(|end| self.peek_at(end + 1) == Some(b'='));
            let key = if keyed {
                self.at += 1;
                let key = self.subscript()?;
                self.at += 1;
                Some(key)
            } else {
                None
            };
            let end = if keyed { End::Assignment } else { End::Meta };
            let word = self.word(end)?;
            if word.parts.is_empty() && !keyed {
                return Err(self.unexpected());
            }
            elements.push((key, word));
        }
    }
}

/// Where the bracket that begins the text is closed, on the same line.
fn closing_bracket(text: &[u8]) -> Option<usize> {
    let mut deep = 0_usize;
    let mut quote = None;
    for (at, byte) in text.iter().enumerate() {
        match (quote, byte) {
            (_, b'\n') => return None,
            (Some(open), _) if *byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(*byte),
            (None, b'[') => deep += 1,
            (None, b']') => {
                deep -= 1;
                if deep == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn is_declaring(word: &Word) -> bool {
    matches!(word.parts.as_slice(), [Part::Bare(name)] if DECLARING.contains(&name.as_slice()))
}
