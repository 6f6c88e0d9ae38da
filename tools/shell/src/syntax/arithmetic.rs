//! Where arithmetic begins and ends in a text: `$((…))`, `((…))`, `$[…]`. What it means is found when it is computed.

use std::rc::Rc;

use super::ast::{Part, Text, Word};
use super::cursor::{Parsed, Parser};
use super::heredoc::flush;

impl Parser<'_> {
    /// `$((…))` or `$(…)`.
    pub(super) fn substitution(&mut self) -> Parsed<Part> {
        if self.starts(b"$((") {
            let (at, line) = (self.at, self.line);
            self.at += 3;
            if let Some(word) = self.arithmetic()? {
                return Ok(Part::Arithmetic(Rc::new(word)));
            }
            // It was a subshell in a command substitution after all.
            (self.at, self.line) = (at, line);
        }
        self.at += 2;
        Ok(Part::Command(Rc::new(self.enclosed(b")")?)))
    }

    /// The text up to `))`, both taken; none if the parentheses do not end as a pair.
    pub(super) fn arithmetic(&mut self) -> Parsed<Option<Word>> {
        let start = self.at;
        let mut open = 0_usize;
        let mut at = self.at;
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'(' => open += 1,
                b')' if open > 0 => open -= 1,
                b')' => break,
                b'\\' => at += 1,
                _ => {}
            }
            at += 1;
        }
        if self.text.get(at..).is_none_or(|rest| !rest.starts_with(b"))")) {
            return Ok(None);
        }
        let inside = self.text.get(start..at).unwrap_or_default();
        let word = self.expression(inside)?;
        self.line += inside.iter().filter(|byte| **byte == b'\n').count();
        self.at = at + 2;
        Ok(Some(word))
    }

    /// `$[…]`, the old form of `$((…))`; false, with nothing taken, if it is not closed.
    pub(super) fn old_arithmetic(&mut self, parts: &mut Vec<Part>, text: &mut Text) -> Parsed<bool> {
        let inside = self.rest().get(2..).unwrap_or_default();
        let mut open = 0_usize;
        let end = inside.iter().position(|byte| {
            match byte {
                b'[' => open += 1,
                b']' if open == 0 => return true,
                b']' => open -= 1,
                _ => {}
            }
            false
        });
        let Some(inside) = end.and_then(|end| inside.get(..end)) else { return Ok(false) };
        flush(parts, text);
        parts.push(Part::Arithmetic(Rc::new(self.expression(inside)?)));
        self.line += inside.iter().filter(|byte| **byte == b'\n').count();
        self.at += inside.len() + 3;
        Ok(true)
    }

    /// A piece of arithmetic: expansions are made in it before it is computed.
    pub(super) fn expression(&mut self, inside: &[u8]) -> Parsed<Word> {
        let text: Text = inside.iter().copied().filter(|byte| *byte != b'"').collect();
        let (line, depth) = (self.line, self.depth + 1);
        self.nested(|_| Parser { text: &text, at: 0, line, depth, pending: Vec::new() }.document())
    }
}
