//! The expressions of `[[ … ]]`.

use super::ast::{Part, Test, Word};
use super::cursor::{Parsed, Parser};
use super::word::End;

/// Operators between two words, longest first.
const BINARY: [&[u8]; 15] =
    [b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge", b"-nt", b"-ot", b"-ef", b"==", b"=~", b"!=", b"=", b"<", b">"];

impl Parser<'_> {
    /// The expression and the closing `]]`.
    pub(super) fn test(&mut self) -> Parsed<Test> {
        let test = self.nested(Self::any)?;
        self.lines()?;
        if self.keyword(b"]]") { Ok(test) } else { Err(self.problem("syntax error in conditional expression")) }
    }

    fn any(&mut self) -> Parsed<Test> {
        let mut left = self.all()?;
        loop {
            self.lines()?;
            if !self.take(b"||") {
                return Ok(left);
            }
            left = Test::Or(Box::new(left), Box::new(self.all()?));
        }
    }

    fn all(&mut self) -> Parsed<Test> {
        let mut left = self.one()?;
        loop {
            self.lines()?;
            if !self.take(b"&&") {
                return Ok(left);
            }
            left = Test::And(Box::new(left), Box::new(self.one()?));
        }
    }

    fn one(&mut self) -> Parsed<Test> {
        self.lines()?;
        if self.keyword(b"!") {
            return Ok(Test::Not(Box::new(self.nested(Self::one)?)));
        }
        if self.take(b"(") {
            let inner = self.nested(Self::any)?;
            self.lines()?;
            return if self.take(b")") { Ok(inner) } else { Err(self.unexpected()) };
        }
        let left = self.operand()?;
        if let [Part::Bare(flag)] = left.parts.as_slice()
            && let [b'-', letter] = flag.as_slice()
            && letter.is_ascii_alphabetic()
        {
            self.blanks();
            let more = !self.at_keyword(b"]]") && !self.starts(b"&&") && !self.starts(b"||") && !self.starts(b")");
            if more && !BINARY.iter().any(|operator| self.at_keyword(operator)) {
                return Ok(Test::Unary(flag.clone(), self.operand()?));
            }
        }
        self.blanks();
        let Some(operator) = BINARY.iter().find(|operator| self.starts(operator)) else { return Ok(Test::Word(left)) };
        self.at += operator.len();
        self.blanks();
        let right = if *operator == b"=~" { self.word(End::Regex)? } else { self.operand()? };
        Ok(Test::Binary(left, operator.to_vec(), right))
    }

    fn operand(&mut self) -> Parsed<Word> {
        self.blanks();
        if self.at_keyword(b"]]") {
            return Err(self.problem("unexpected token `]]' in conditional command"));
        }
        let word = self.word(End::Meta)?;
        if word.parts.is_empty() { Err(self.unexpected()) } else { Ok(word) }
    }
}
