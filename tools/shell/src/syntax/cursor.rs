//! Where the parser stands in the text, and what its parts share.

use std::cell::RefCell;
use std::rc::Rc;

use super::ast::{Script, Text, Word};

/// How deep commands, substitutions and expressions may nest. Each level takes a few stack frames, here and when it runs.
const DEPTH_MAX: usize = 100;

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The line where it shows, from 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

pub(super) type Parsed<T> = Result<T, Problem>;

/// A here-document whose text has not been reached.
pub(super) struct Pending {
    pub(super) delimiter: Text,
    pub(super) quoted: bool,
    pub(super) strip_tabs: bool,
    pub(super) into: Rc<RefCell<Word>>,
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) depth: usize,
    pub(super) pending: Vec<Pending>,
}

/// Parses a whole script.
pub(crate) fn parse(text: &[u8], line: usize) -> Parsed<Script> {
    let mut parser = Parser { text, at: 0, line, depth: 0, pending: Vec::new() };
    let script = parser.script(&[])?;
    parser.blanks();
    match parser.peek() {
        None => Ok(script),
        Some(_) => Err(parser.unexpected()),
    }
}

impl<'a> Parser<'a> {
    /// Runs `inner` one level deeper.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            return Err(self.problem(format!("syntax error: more than {DEPTH_MAX} levels of nesting")));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
        }
        Some(byte)
    }

    pub(super) fn starts(&self, with: &[u8]) -> bool {
        self.rest().starts_with(with)
    }

    /// Goes past `with` if it comes next.
    pub(super) fn take(&mut self, with: &[u8]) -> bool {
        let found = self.starts(with);
        if found {
            self.at += with.len();
            self.line += with.iter().filter(|byte| **byte == b'\n').count();
        }
        found
    }

    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { line: self.line, message: message.into() }
    }

    /// The error for what stands here.
    pub(super) fn unexpected(&self) -> Problem {
        let rest = self.rest();
        let token = match rest.first() {
            None => return self.problem("syntax error: unexpected end of file"),
            Some(b'\n') => "newline".to_owned(),
            Some(_) => {
                let operators: [&[u8]; 12] =
                    [b";;&", b";;", b";&", b"&&", b"||", b"|&", b"((", b">>", b"<<", b"&>", b">&", b"<&"];
                let known = operators.iter().find(|operator| rest.starts_with(operator)).map_or(1, |found| found.len());
                let word = rest.iter().position(|byte| is_meta(*byte)).unwrap_or(rest.len());
                let length = if word == 0 { known } else { word };
                String::from_utf8_lossy(rest.get(..length).unwrap_or(rest)).into_owned()
            }
        };
        self.problem(format!("syntax error near unexpected token `{token}'"))
    }

    /// Skips blanks, joined lines and a comment; not the line's end.
    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => {
                    self.at += 2;
                    self.line += 1;
                }
                Some(b'#') if self.at == 0 || self.text.get(self.at - 1).is_none_or(|before| is_meta(*before)) => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Goes past a line's end, and reads the here-documents that begin after it.
    pub(super) fn newline(&mut self) -> Parsed<bool> {
        if self.peek() != Some(b'\n') {
            return Ok(false);
        }
        self.next();
        self.documents()?;
        Ok(true)
    }

    /// Skips blanks and line ends.
    pub(super) fn lines(&mut self) -> Parsed<()> {
        loop {
            self.blanks();
            if !self.newline()? {
                return Ok(());
            }
        }
    }

    /// Whether this reserved word comes next, as a whole word.
    pub(super) fn at_keyword(&self, word: &[u8]) -> bool {
        self.starts(word) && self.peek_at(word.len()).is_none_or(is_meta)
    }

    pub(super) fn keyword(&mut self, word: &[u8]) -> bool {
        let found = self.at_keyword(word);
        if found {
            self.at += word.len();
        }
        found
    }

    pub(super) fn expect_keyword(&mut self, word: &[u8]) -> Parsed<()> {
        self.lines()?;
        if self.keyword(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes a variable's name, if one comes next.
    pub(super) fn name(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let length = name_length(rest);
        self.at += length;
        rest.get(..length).filter(|name| !name.is_empty())
    }
}

/// Whether the byte ends a word.
pub(super) fn is_meta(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'|' | b'&' | b';' | b'<' | b'>' | b'(' | b')')
}

/// How many bytes at the start are a variable's name.
pub(super) fn name_length(text: &[u8]) -> usize {
    if text.first().is_none_or(|first| !(first.is_ascii_alphabetic() || *first == b'_')) {
        return 0;
    }
    text.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')).unwrap_or(text.len())
}
