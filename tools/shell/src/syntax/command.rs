//! Lists, pipelines and commands.

use std::rc::Rc;

use super::ast::{Command, Item, Join, Kind, Part, Pipeline, Redirect, RedirectKind, Script, Target, Word};
use super::cursor::{Parsed, Parser, is_meta};

/// Words that are no commands where a command could begin, because they end or continue another.
const CLOSING: [&[u8]; 10] = [b"then", b"else", b"elif", b"fi", b"do", b"done", b"esac", b"}", b"in", b"]]"];

impl Parser<'_> {
    /// Commands up to one of the `ends`, which are not taken, or to something that is no command.
    pub(super) fn script(&mut self, ends: &[&[u8]]) -> Parsed<Script> {
        self.nested(|parser| parser.script_inner(ends))
    }

    fn script_inner(&mut self, ends: &[&[u8]]) -> Parsed<Script> {
        let mut script = Script::default();
        loop {
            self.lines()?;
            if ends.iter().any(|end| self.at_end(end)) || self.peek().is_none() {
                break;
            }
            let Some(mut item) = self.item()? else { break };
            self.blanks();
            if self.peek() == Some(b'&') && self.peek_at(1) != Some(b'&') {
                self.at += 1;
                item.background = true;
                script.items.push(item);
                continue;
            }
            script.items.push(item);
            if self.peek() == Some(b';') && !matches!(self.peek_at(1), Some(b';' | b'&')) {
                self.at += 1;
            } else if !self.newline()? {
                break;
            }
        }
        Ok(script)
    }

    fn at_end(&self, end: &[u8]) -> bool {
        match end.first() {
            Some(first) if is_meta(*first) => self.starts(end),
            _ => self.at_keyword(end),
        }
    }

    /// Commands up to the closing `end`, which is taken.
    pub(super) fn enclosed(&mut self, end: &[u8]) -> Parsed<Script> {
        let script = self.script(&[end])?;
        self.lines()?;
        if self.at_end(end) {
            self.at += end.len();
            // A document whose line ends with the substitution has its text after it, or none.
            Ok(script)
        } else if self.peek().is_none() {
            Err(self.problem(format!("unexpected EOF while looking for matching `{}'", String::from_utf8_lossy(end))))
        } else {
            Err(self.unexpected())
        }
    }

    fn item(&mut self) -> Parsed<Option<Item>> {
        let Some(first) = self.pipeline()? else { return Ok(None) };
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let join = if self.take(b"&&") {
                Join::And
            } else if self.take(b"||") {
                Join::Or
            } else {
                return Ok(Some(Item { first, rest, background: false }));
            };
            self.lines()?;
            let Some(next) = self.pipeline()? else { return Err(self.unexpected()) };
            rest.push((join, next));
        }
    }

    fn pipeline(&mut self) -> Parsed<Option<Pipeline>> {
        let (mut negated, mut timed, mut prefixed) = (false, false, false);
        loop {
            self.blanks();
            if self.keyword(b"!") {
                negated = !negated;
            } else if self.keyword(b"time") {
                timed = true;
                self.blanks();
                self.keyword(b"-p");
            } else {
                break;
            }
            prefixed = true;
        }
        let mut stages = Vec::new();
        loop {
            let Some(mut command) = self.command()? else {
                if stages.is_empty() && prefixed && self.peek().is_none_or(|byte| matches!(byte, b'\n' | b';')) {
                    break;
                }
                return if stages.is_empty() && !prefixed { Ok(None) } else { Err(self.unexpected()) };
            };
            self.blanks();
            let both = self.starts(b"|&");
            if both {
                let word = Word { parts: vec![Part::Bare(b"1".to_vec())], braces: false };
                let kind = RedirectKind::Duplicate { word, output: true };
                command.redirects.push(Redirect { from: Target::Number(2), kind });
            }
            stages.push(Rc::new(command));
            if both {
                self.at += 2;
            } else if self.peek() == Some(b'|') && self.peek_at(1) != Some(b'|') {
                self.at += 1;
            } else {
                break;
            }
            self.lines()?;
        }
        Ok(Some(Pipeline { negated, timed, stages }))
    }

    fn command(&mut self) -> Parsed<Option<Command>> {
        self.blanks();
        let line = self.line;
        if let Some(kind) = self.nested(Self::compound)? {
            let mut redirects = Vec::new();
            loop {
                self.blanks();
                let Some(redirect) = self.redirect()? else { break };
                redirects.push(redirect);
            }
            return Ok(Some(Command { kind, redirects, line }));
        }
        if CLOSING.iter().any(|word| self.at_keyword(word)) {
            return Ok(None);
        }
        if let Some(name) = self.function_name() {
            let body = self.function_body()?;
            return Ok(Some(Command {
                kind: Kind::Function { name, body: Rc::new(body) },
                redirects: Vec::new(),
                line,
            }));
        }
        self.simple()
    }

    /// The name of a function, in `name ()`; both taken.
    fn function_name(&mut self) -> Option<Vec<u8>> {
        let rest = self.rest();
        let length = rest.iter().position(|byte| is_meta(*byte) || b"'\"\\$`=".contains(byte))?;
        let after = rest.get(length..)?;
        let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let inside = after.get(blanks..)?.strip_prefix(b"(")?;
        let inner = inside.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if length == 0 || inside.get(inner) != Some(&b')') {
            return None;
        }
        self.at += length + blanks + 1 + inner + 1;
        rest.get(..length).map(<[u8]>::to_vec)
    }

    pub(super) fn function_body(&mut self) -> Parsed<Command> {
        self.lines()?;
        let line = self.line;
        let Some(kind) = self.nested(Self::compound)? else { return Err(self.unexpected()) };
        let mut redirects = Vec::new();
        loop {
            self.blanks();
            let Some(redirect) = self.redirect()? else { break };
            redirects.push(redirect);
        }
        Ok(Command { kind, redirects, line })
    }
}
