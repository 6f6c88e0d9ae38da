//! Here-documents: their text, which stands after the line that names them.

use super::ast::{Part, Text, Word};
use super::cursor::{Parsed, Parser, Pending};

impl Parser<'_> {
    /// Reads the documents that the line before has begun.
    pub(super) fn documents(&mut self) -> Parsed<()> {
        for pending in std::mem::take(&mut self.pending) {
            let line = self.line;
            let text = self.lines_up_to(&pending);
            let word = if pending.quoted {
                Word { parts: vec![Part::Quoted(text)], braces: false }
            } else {
                self.nested(|parser| {
                    let mut inner = Parser { text: &text, at: 0, line, depth: parser.depth, pending: Vec::new() };
                    inner.document()
                })?
            };
            *pending.into.borrow_mut() = word;
        }
        Ok(())
    }

    /// The lines before the delimiter; without one, all there are.
    fn lines_up_to(&mut self, pending: &Pending) -> Text {
        let mut text = Text::new();
        while let Some(_more) = self.peek() {
            let rest = self.rest();
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let mut row = rest.get(..end).unwrap_or_default();
            self.at = (self.at + end + 1).min(self.text.len());
            self.line += 1;
            if pending.strip_tabs {
                row = row.get(row.iter().take_while(|byte| **byte == b'\t').count()..).unwrap_or_default();
            }
            if row == pending.delimiter {
                break;
            }
            text.extend_from_slice(row);
            text.push(b'\n');
        }
        text
    }

    /// The whole rest as the text of a document.
    pub(super) fn document(&mut self) -> Parsed<Word> {
        let mut parts = Vec::new();
        let mut text = Text::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => match self.peek_at(1) {
                    Some(b'\n') => {
                        self.at += 2;
                        self.line += 1;
                    }
                    Some(next @ (b'$' | b'`' | b'\\')) => {
                        text.push(next);
                        self.at += 2;
                    }
                    _ => {
                        text.push(byte);
                        self.at += 1;
                    }
                },
                b'$' | b'`' => self.dollar(&mut parts, &mut text, true)?,
                _ => text.extend(self.next()),
            }
        }
        flush(&mut parts, &mut text);
        Ok(Word { parts, braces: false })
    }
}

/// Moves what was gathered into a part of quoted text.
pub(super) fn flush(parts: &mut Vec<Part>, text: &mut Text) {
    if !text.is_empty() {
        parts.push(Part::Quoted(std::mem::take(text)));
    }
}
