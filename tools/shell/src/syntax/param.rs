//! Parameter expansions: `$name` and `${…}` with its operators.

use super::ast::{CaseChange, Index, Name, Operator, Parameter, Replace, Word};
use super::cursor::{Parsed, Parser, name_length};
use super::word::End;

impl Parser<'_> {
    /// What stands at a `$` that begins a parameter.
    pub(super) fn parameter(&mut self, quoted: bool) -> Parsed<Parameter> {
        self.at += 1;
        if self.take(b"{") {
            return self.braced(quoted);
        }
        let name = match self.name() {
            Some(name) => Name::Variable(name.to_vec()),
            None => match self.next() {
                Some(digit) if digit.is_ascii_digit() => position(usize::from(digit - b'0')),
                Some(special) => Name::Special(special),
                None => return Err(self.unexpected()),
            },
        };
        Ok(Parameter { name, index: None, indirect: false, operator: Operator::None })
    }

    fn braced(&mut self, quoted: bool) -> Parsed<Parameter> {
        let line = self.line;
        if self.peek() == Some(b'#')
            && !matches!(self.peek_at(1), Some(b'}' | b'#' | b'%' | b':' | b'-' | b'=' | b'?' | b'+' | b'/'))
            || self.starts(b"##}")
            || self.starts(b"#-}")
            || self.starts(b"#?}")
        {
            self.at += 1;
            let name = self.parameter_name()?;
            let index = self.index()?;
            self.close(line)?;
            return Ok(Parameter { name, index, indirect: false, operator: Operator::Length });
        }
        let indirect =
            self.peek() == Some(b'!') && !matches!(self.peek_at(1), Some(b'}' | b':' | b'-' | b'=' | b'?' | b'+'));
        if indirect {
            self.at += 1;
        }
        let name = self.parameter_name()?;
        let index = self.index()?;
        if indirect && (self.starts(b"*}") || self.starts(b"@}")) {
            let joined = self.peek() == Some(b'*');
            self.at += 2;
            let index = Some(if joined { Index::Joined } else { Index::All });
            return Ok(Parameter { name, index, indirect: false, operator: Operator::Names });
        }
        if indirect && matches!(index, Some(Index::All | Index::Joined)) && self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Parameter { name, index, indirect: false, operator: Operator::Keys });
        }
        let operator = self.operator(quoted)?;
        self.close(line)?;
        Ok(Parameter { name, index, indirect, operator })
    }

    fn close(&mut self, line: usize) -> Parsed<()> {
        if self.take(b"}") {
            return Ok(());
        }
        let mut problem = match self.peek() {
            None => self.problem("unexpected EOF while looking for matching `}'"),
            Some(_) => self.problem("bad substitution"),
        };
        problem.line = line;
        Err(problem)
    }

    fn parameter_name(&mut self) -> Parsed<Name> {
        if let Some(name) = self.name() {
            return Ok(Name::Variable(name.to_vec()));
        }
        let rest = self.rest();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 {
            self.at += digits;
            let number = std::str::from_utf8(rest.get(..digits).unwrap_or_default()).unwrap_or_default();
            return Ok(position(number.parse().unwrap_or(usize::MAX)));
        }
        match self.next() {
            Some(special) if b"@*#?-$!_".contains(&special) => Ok(Name::Special(special)),
            _ => Err(self.problem("bad substitution")),
        }
    }

    /// `[…]` after a name.
    pub(super) fn index(&mut self) -> Parsed<Option<Index>> {
        if self.take(b"[@]") {
            return Ok(Some(Index::All));
        }
        if self.take(b"[*]") {
            return Ok(Some(Index::Joined));
        }
        if !self.take(b"[") {
            return Ok(None);
        }
        let word = self.subscript()?;
        Ok(Some(Index::At(word)))
    }

    /// The text up to the `]` that closes a subscript, taken too. Brackets in it nest.
    pub(super) fn subscript(&mut self) -> Parsed<Word> {
        let mut whole = self.word(End::Any(b"[]"))?;
        while self.peek() == Some(b'[') {
            self.at += 1;
            let inner = self.nested(Self::subscript)?;
            whole.parts.push(super::ast::Part::Bare(b"[".to_vec()));
            whole.parts.extend(inner.parts);
            whole.parts.push(super::ast::Part::Bare(b"]".to_vec()));
            let mut more = self.word(End::Any(b"[]"))?;
            whole.parts.append(&mut more.parts);
        }
        if self.take(b"]") { Ok(whole) } else { Err(self.problem("bad substitution: no closing `]'")) }
    }

    fn default_word(&mut self, quoted: bool) -> Parsed<Word> {
        self.word(if quoted { End::AnyQuoted(b"}") } else { End::Any(b"}") })
    }

    fn operator(&mut self, quoted: bool) -> Parsed<Operator> {
        let missing = |byte: Option<u8>| byte.filter(|byte| b"-=?+".contains(byte));
        let colon = self.peek() == Some(b':');
        if let Some(kind) = missing(if colon { self.peek_at(1) } else { self.peek() }) {
            self.at += if colon { 2 } else { 1 };
            return Ok(Operator::Missing { kind, colon, word: self.default_word(quoted)? });
        }
        match self.peek() {
            Some(b':') => self.slice(),
            Some(byte @ (b'#' | b'%')) => {
                self.at += 1;
                let longest = self.peek() == Some(byte);
                self.at += usize::from(longest);
                Ok(Operator::Trim { suffix: byte == b'%', longest, pattern: self.word(End::Any(b"}"))? })
            }
            Some(b'/') => self.replace(),
            Some(byte @ (b'^' | b',' | b'~')) => {
                self.at += 1;
                let all = self.peek() == Some(byte);
                self.at += usize::from(all);
                let kind = match byte {
                    b'^' => CaseChange::Upper,
                    b',' => CaseChange::Lower,
                    _ => CaseChange::Toggle,
                };
                Ok(Operator::Case { kind, all, pattern: self.word(End::Any(b"}"))? })
            }
            Some(b'@') => {
                self.at += 1;
                match self.next() {
                    Some(kind) if b"QEPAaUuLKk".contains(&kind) => Ok(Operator::Transform(kind)),
                    _ => Err(self.problem("bad substitution")),
                }
            }
            _ => Ok(Operator::None),
        }
    }

    fn replace(&mut self) -> Parsed<Operator> {
        self.at += 1;
        let kind = match self.peek() {
            Some(b'/') => Replace::All,
            Some(b'#') => Replace::Prefix,
            Some(b'%') => Replace::Suffix,
            _ => Replace::First,
        };
        self.at += usize::from(kind != Replace::First);
        // A slash right after the operator begins the pattern.
        let mut pattern = Word::default();
        if self.peek() == Some(b'/') && matches!(kind, Replace::First | Replace::All) {
            self.at += 1;
            pattern.parts.push(super::ast::Part::Bare(b"/".to_vec()));
        }
        let mut rest = self.word(End::Any(b"/}"))?;
        pattern.parts.append(&mut rest.parts);
        let with = if self.take(b"/") {
            // Quotes are quotes here, also within double quotes.
            self.word(End::Any(b"}"))?
        } else {
            Word::default()
        };
        Ok(Operator::Replace { kind, pattern, with })
    }

    fn slice(&mut self) -> Parsed<Operator> {
        self.at += 1;
        let offset = self.slice_part(true)?;
        let length = if self.take(b":") { Some(self.slice_part(false)?) } else { None };
        Ok(Operator::Slice { offset, length })
    }

    /// An expression up to `}` or, if `colon`, a `:` that belongs to no `?`.
    fn slice_part(&mut self, colon: bool) -> Parsed<Word> {
        let rest = self.rest();
        let (mut deep, mut asked, mut at) = (0_usize, 0_usize, 0_usize);
        while let Some(byte) = rest.get(at) {
            match byte {
                b'{' | b'(' | b'[' => deep += 1,
                b'}' if deep == 0 => break,
                b'}' | b')' | b']' => deep = deep.saturating_sub(1),
                b'?' if deep == 0 => asked += 1,
                b':' if deep == 0 && asked > 0 => asked -= 1,
                b':' if deep == 0 && colon => break,
                _ => {}
            }
            at += 1;
        }
        let inside = rest.get(..at).unwrap_or_default();
        let word = self.expression(inside)?;
        self.at += at;
        Ok(word)
    }
}

fn position(number: usize) -> Name {
    if number == 0 { Name::Special(b'0') } else { Name::Position(number) }
}

/// Whether the whole text is a variable's name.
pub(crate) fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && name_length(text) == text.len()
}
