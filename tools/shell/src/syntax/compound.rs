//! Compound commands.

use std::rc::Rc;

use super::ast::{Arm, Kind, Next, Script, Word};
use super::cursor::{Parsed, Parser, is_meta};
use super::word::End;

impl Parser<'_> {
    /// A compound command, if one begins here.
    pub(super) fn compound(&mut self) -> Parsed<Option<Kind>> {
        let kind = if self.starts(b"((") {
            let (at, line) = (self.at, self.line);
            self.at += 2;
            if let Some(word) = self.arithmetic()? {
                Kind::Arithmetic(word)
            } else {
                (self.at, self.line) = (at + 1, line);
                Kind::Subshell(Rc::new(self.enclosed(b")")?))
            }
        } else if self.take(b"(") {
            Kind::Subshell(Rc::new(self.enclosed(b")")?))
        } else if self.keyword(b"{") {
            Kind::Group(self.enclosed(b"}")?)
        } else if self.keyword(b"if") {
            self.conditional()?
        } else if self.keyword(b"while") {
            self.repeated(false)?
        } else if self.keyword(b"until") {
            self.repeated(true)?
        } else if self.keyword(b"for") {
            self.counted_or_each()?
        } else if self.keyword(b"case") {
            self.case()?
        } else if self.at_keyword(b"[[") {
            self.at += 2;
            let test = self.test()?;
            Kind::Test(test)
        } else if self.keyword(b"function") {
            self.function()?
        } else if self.at_keyword(b"select") || self.at_keyword(b"coproc") {
            return Err(self.problem("`select' and `coproc' are not available in the sandbox"));
        } else {
            return Ok(None);
        };
        Ok(Some(kind))
    }

    /// A list that must not be empty.
    fn commands(&mut self, ends: &[&[u8]]) -> Parsed<Script> {
        let script = self.script(ends)?;
        if script.items.is_empty() { Err(self.unexpected()) } else { Ok(script) }
    }

    fn conditional(&mut self) -> Parsed<Kind> {
        let mut arms = Vec::new();
        loop {
            let condition = self.commands(&[b"then"])?;
            self.expect_keyword(b"then")?;
            let body = self.commands(&[b"elif", b"else", b"fi"])?;
            arms.push((condition, body));
            self.lines()?;
            if self.keyword(b"elif") {
                continue;
            }
            let otherwise = if self.keyword(b"else") { Some(self.commands(&[b"fi"])?) } else { None };
            self.expect_keyword(b"fi")?;
            return Ok(Kind::If { arms, otherwise });
        }
    }

    fn repeated(&mut self, until: bool) -> Parsed<Kind> {
        let condition = self.commands(&[b"do"])?;
        let body = self.body()?;
        Ok(Kind::While { until, condition, body })
    }

    /// `do … done`
    fn body(&mut self) -> Parsed<Script> {
        self.expect_keyword(b"do")?;
        let body = self.commands(&[b"done"])?;
        self.expect_keyword(b"done")?;
        Ok(body)
    }

    /// The body of a `for`, which may stand in braces.
    fn loop_body(&mut self) -> Parsed<Script> {
        self.lines()?;
        if self.keyword(b"{") { self.enclosed(b"}") } else { self.body() }
    }

    fn counted_or_each(&mut self) -> Parsed<Kind> {
        self.blanks();
        if self.starts(b"((") {
            return self.counted();
        }
        let Some(name) = self.name().map(<[u8]>::to_vec) else { return Err(self.unexpected()) };
        if self.peek().is_some_and(|byte| !is_meta(byte)) {
            return Err(self.problem("not a valid identifier"));
        }
        self.lines()?;
        let words = if self.keyword(b"in") {
            let mut words = Vec::new();
            loop {
                self.blanks();
                let word = self.word(End::Meta)?;
                if word.parts.is_empty() {
                    break;
                }
                words.push(word);
            }
            Some(words)
        } else {
            None
        };
        self.blanks();
        if self.peek() == Some(b';') {
            self.at += 1;
        }
        let body = self.loop_body()?;
        Ok(Kind::For { name, words, body })
    }

    fn counted(&mut self) -> Parsed<Kind> {
        self.at += 2;
        let start = self.at;
        if self.arithmetic()?.is_none() {
            return Err(self.unexpected());
        }
        let inside = self.text.get(start..self.at - 2).unwrap_or_default();
        let pieces: Vec<&[u8]> = inside.split(|byte| *byte == b';').collect();
        let [start, condition, step] = pieces.as_slice() else {
            return Err(self.problem("syntax error: arithmetic expression required"));
        };
        let (start, condition, step) = (self.expression(start)?, self.expression(condition)?, self.expression(step)?);
        self.blanks();
        if self.peek() == Some(b';') {
            self.at += 1;
        }
        let body = self.loop_body()?;
        Ok(Kind::Counted { start, condition, step, body })
    }

    fn case(&mut self) -> Parsed<Kind> {
        self.blanks();
        let word = self.word(End::Meta)?;
        self.expect_keyword(b"in")?;
        let mut arms = Vec::new();
        loop {
            self.lines()?;
            if self.keyword(b"esac") {
                return Ok(Kind::Case { word, arms });
            }
            let patterns = self.patterns()?;
            let body = self.script(&[b";;", b";&", b"esac"])?;
            self.lines()?;
            let next = if self.take(b";;&") {
                Next::Test
            } else if self.take(b";;") {
                Next::End
            } else if self.take(b";&") {
                Next::Fall
            } else if self.at_keyword(b"esac") {
                Next::End
            } else {
                return Err(self.unexpected());
            };
            arms.push(Arm { patterns, body, next });
        }
    }

    fn patterns(&mut self) -> Parsed<Vec<Word>> {
        self.take(b"(");
        let mut patterns = Vec::new();
        loop {
            self.blanks();
            let word = self.word(End::Meta)?;
            if word.parts.is_empty() {
                return Err(self.unexpected());
            }
            patterns.push(word);
            self.blanks();
            if self.take(b")") {
                return Ok(patterns);
            }
            if !self.take(b"|") {
                return Err(self.unexpected());
            }
        }
    }

    fn function(&mut self) -> Parsed<Kind> {
        self.blanks();
        let rest = self.rest();
        let length = rest.iter().position(|byte| is_meta(*byte)).unwrap_or(rest.len());
        let name = rest.get(..length).unwrap_or_default().to_vec();
        if name.is_empty() {
            return Err(self.unexpected());
        }
        self.at += length;
        self.blanks();
        if self.take(b"(") {
            self.blanks();
            if !self.take(b")") {
                return Err(self.unexpected());
            }
        }
        let body = self.function_body()?;
        Ok(Kind::Function { name, body: Rc::new(body) })
    }
}
