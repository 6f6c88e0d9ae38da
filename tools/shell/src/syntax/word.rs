//! Words: quotes, and where expansions begin.

use std::rc::Rc;

use super::ast::{Part, Text, Word};
use super::cursor::{Parsed, Parser, is_meta, parse};
use super::heredoc::flush;

/// What ends a word besides its own grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A blank or an operator.
    Meta,
    /// As `Meta`; a `~` after `:` expands too.
    Assignment,
    /// One of these bytes, unquoted: the operand in `${…}`. Blanks are part of it.
    Any(&'static [u8]),
    /// As `Any`, inside double quotes: single quotes mean themselves.
    AnyQuoted(&'static [u8]),
    /// As `Meta`, but parentheses are part of it while they are balanced: the right side of `=~`.
    Regex,
}

impl Parser<'_> {
    /// A word that begins here. It may be empty, with no parts.
    pub(super) fn word(&mut self, end: End) -> Parsed<Word> {
        self.nested(|parser| parser.word_inner(end))
    }

    fn word_inner(&mut self, end: End) -> Parsed<Word> {
        let mut word = Word::default();
        let mut bare = Text::new();
        let mut open = 0_usize;
        self.tilde(&mut word.parts);
        while let Some(byte) = self.peek() {
            if self.ends(end, byte, &mut open) {
                if self.extended_glob(end, &mut word.parts, &mut bare)?
                    || self.process(end, &mut word.parts, &mut bare)?
                {
                    continue;
                }
                break;
            }
            match byte {
                b'\\' => self.escape(end, &mut word.parts, &mut bare),
                b'\'' if !matches!(end, End::AnyQuoted(_)) => {
                    self.at += 1;
                    push_bare(&mut word.parts, &mut bare);
                    word.parts.push(Part::Quoted(self.single()?));
                }
                b'"' => {
                    self.at += 1;
                    push_bare(&mut word.parts, &mut bare);
                    let parts = self.nested(Self::double)?;
                    word.parts.push(Part::Double(parts));
                }
                b'$' | b'`' => {
                    let mut none = Text::new();
                    push_bare(&mut word.parts, &mut bare);
                    let quoted = matches!(end, End::AnyQuoted(_));
                    self.dollar(&mut word.parts, &mut none, quoted)?;
                    bare.append(&mut none);
                }
                b':' if end == End::Assignment => {
                    bare.extend(self.next());
                    if self.peek() == Some(b'~') {
                        push_bare(&mut word.parts, &mut bare);
                        self.tilde(&mut word.parts);
                    }
                }
                _ => {
                    word.braces |= byte == b'{';
                    bare.extend(self.next());
                }
            }
        }
        push_bare(&mut word.parts, &mut bare);
        Ok(word)
    }

    /// Whether the word ends before `byte`; `open` counts the parentheses of a regular expression.
    fn ends(&self, end: End, byte: u8, open: &mut usize) -> bool {
        match end {
            End::Meta | End::Assignment => is_meta(byte),
            End::Any(set) | End::AnyQuoted(set) => set.contains(&byte),
            End::Regex => match byte {
                b'(' => {
                    *open += 1;
                    false
                }
                b')' if *open > 0 => {
                    *open -= 1;
                    false
                }
                b' ' | b'\t' | b'\n' => *open == 0,
                b'|' | b'<' | b'>' => *open == 0 && byte != b'|',
                _ => is_meta(byte) && *open == 0,
            },
        }
    }

    /// `+(…)` and its like, where the word would end at the parenthesis. Its text stays text: patterns are read when they match.
    fn extended_glob(&mut self, end: End, parts: &mut Vec<Part>, bare: &mut Text) -> Parsed<bool> {
        let opens = matches!(end, End::Meta | End::Assignment)
            && self.peek() == Some(b'(')
            && bare.last().is_some_and(|last| matches!(last, b'?' | b'*' | b'+' | b'@' | b'!'));
        if !opens {
            return Ok(false);
        }
        bare.extend(self.next());
        loop {
            let mut inner = self.word(End::Any(b"()"))?;
            push_bare(parts, bare);
            parts.append(&mut inner.parts);
            match self.peek() {
                Some(b')') => {
                    bare.extend(self.next());
                    return Ok(true);
                }
                Some(b'(') => {
                    let last = parts.pop();
                    if let Some(Part::Bare(text)) = last {
                        *bare = text;
                    } else {
                        parts.extend(last);
                    }
                    if !self.nested(|parser| parser.extended_glob(End::Meta, parts, bare))? {
                        bare.extend(self.next());
                        parts.push(Part::Bare(std::mem::take(bare)));
                    }
                }
                _ => return Err(self.problem("unexpected EOF while looking for matching `)'")),
            }
        }
    }

    /// `<(…)` and `>(…)`.
    fn process(&mut self, end: End, parts: &mut Vec<Part>, bare: &mut Text) -> Parsed<bool> {
        let output = self.starts(b">(");
        if !matches!(end, End::Meta | End::Assignment) || !(output || self.starts(b"<(")) {
            return Ok(false);
        }
        self.at += 2;
        push_bare(parts, bare);
        let script = self.nested(|parser| parser.enclosed(b")"))?;
        parts.push(Part::Process(Rc::new(script), output));
        Ok(true)
    }

    fn tilde(&mut self, parts: &mut Vec<Part>) {
        if self.peek() != Some(b'~') {
            return;
        }
        let rest = self.rest().get(1..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || b"_-+.".contains(byte)))
            .unwrap_or(rest.len());
        let ended = rest.get(length).is_none_or(|byte| is_meta(*byte) || matches!(byte, b'/' | b':' | b'}'));
        if ended {
            parts.push(Part::Tilde(rest.get(..length).unwrap_or_default().to_vec()));
            self.at += 1 + length;
        }
    }

    fn escape(&mut self, end: End, parts: &mut Vec<Part>, bare: &mut Text) {
        let next = self.peek_at(1);
        match next {
            Some(b'\n') => {
                self.at += 2;
                self.line += 1;
            }
            Some(byte) if matches!(end, End::AnyQuoted(_)) && !b"$`\"\\}/".contains(&byte) => {
                bare.push(b'\\');
                push_bare(parts, bare);
                self.at += 1;
            }
            Some(byte) => {
                push_bare(parts, bare);
                parts.push(Part::Quoted(vec![byte]));
                self.at += 2;
            }
            None => {
                bare.push(b'\\');
                self.at += 1;
            }
        }
    }

    /// The rest of a `'…'`.
    fn single(&mut self) -> Parsed<Text> {
        let rest = self.rest();
        let Some(end) = rest.iter().position(|byte| *byte == b'\'') else {
            return Err(self.problem("unexpected EOF while looking for matching `''"));
        };
        let text = rest.get(..end).unwrap_or_default();
        self.line += text.iter().filter(|byte| **byte == b'\n').count();
        self.at += end + 1;
        Ok(text.to_vec())
    }

    /// The rest of a `"…"`.
    pub(super) fn double(&mut self) -> Parsed<Vec<Part>> {
        let mut parts = Vec::new();
        let mut text = Text::new();
        loop {
            match self.peek() {
                None => return Err(self.problem("unexpected EOF while looking for matching `\"'")),
                Some(b'"') => {
                    self.at += 1;
                    flush(&mut parts, &mut text);
                    return Ok(parts);
                }
                Some(b'\\') => match self.peek_at(1) {
                    Some(b'\n') => {
                        self.at += 2;
                        self.line += 1;
                    }
                    Some(next @ (b'$' | b'`' | b'"' | b'\\')) => {
                        text.push(next);
                        self.at += 2;
                    }
                    _ => text.extend(self.next()),
                },
                Some(b'$' | b'`') => self.dollar(&mut parts, &mut text, true)?,
                Some(_) => text.extend(self.next()),
            }
        }
    }

    /// What begins with `$` or a backquote; a `$` that begins nothing is text.
    pub(super) fn dollar(&mut self, parts: &mut Vec<Part>, text: &mut Text, quoted: bool) -> Parsed<()> {
        if self.peek() == Some(b'`') {
            flush(parts, text);
            parts.push(Part::Command(Rc::new(self.backquoted(quoted)?)));
            return Ok(());
        }
        match self.peek_at(1) {
            Some(b'(') => {
                flush(parts, text);
                let part = self.nested(Self::substitution)?;
                parts.push(part);
            }
            Some(b'[') if self.old_arithmetic(parts, text)? => {}
            Some(b'\'') if !quoted => {
                flush(parts, text);
                self.at += 2;
                parts.push(Part::Quoted(self.ansi()?));
            }
            Some(b'"') if !quoted => {
                flush(parts, text);
                self.at += 2;
                parts.push(Part::Double(self.nested(Self::double)?));
            }
            Some(byte) if byte == b'{' || byte.is_ascii_alphanumeric() || b"_@*#?-$!".contains(&byte) => {
                flush(parts, text);
                let parameter = self.nested(|parser| parser.parameter(quoted))?;
                parts.push(Part::Parameter(Rc::new(parameter)));
            }
            _ => text.extend(self.next()),
        }
        Ok(())
    }

    fn backquoted(&mut self, quoted: bool) -> Parsed<super::ast::Script> {
        let line = self.line;
        self.at += 1;
        let mut inside = Text::new();
        loop {
            match self.next() {
                None => return Err(self.problem("unexpected EOF while looking for matching ``'")),
                Some(b'`') => break,
                Some(b'\\') => match self.peek() {
                    Some(next @ (b'$' | b'`' | b'\\')) => {
                        inside.push(next);
                        self.at += 1;
                    }
                    Some(b'"') if quoted => {
                        inside.push(b'"');
                        self.at += 1;
                    }
                    _ => inside.push(b'\\'),
                },
                Some(byte) => inside.push(byte),
            }
        }
        self.nested(|_| parse(&inside, line))
    }

    /// The rest of a `$'…'`.
    fn ansi(&mut self) -> Parsed<Text> {
        let mut raw = Text::new();
        loop {
            match self.next() {
                None => return Err(self.problem("unexpected EOF while looking for matching `''")),
                Some(b'\'') => break,
                Some(b'\\') => {
                    raw.push(b'\\');
                    raw.extend(self.next());
                }
                Some(byte) => raw.push(byte),
            }
        }
        Ok(crate::escape::ansi_c(&raw))
    }
}

fn push_bare(parts: &mut Vec<Part>, bare: &mut Text) {
    if !bare.is_empty() {
        parts.push(Part::Bare(std::mem::take(bare)));
    }
}
