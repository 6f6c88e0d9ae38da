//! From words to the tree: rules and statements.

mod expr;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::lex::{Token, tokens};
use super::tree::{Expr, Function, Out, Pattern, Program, Rule, Slot, Statement};
use crate::syntax::ast::Text;

/// How deep expressions and statements may nest.
const DEPTH_MAX: usize = 120;
/// The variables that awk itself sets, in the order of their slots.
pub(super) const SPECIAL: [&str; 17] = [
    "NR", "NF", "FNR", "FS", "OFS", "ORS", "RS", "FILENAME", "SUBSEP", "RSTART", "RLENGTH", "CONVFMT", "ENVIRON",
    "ARGC", "ARGV", "OFMT", "RT",
];

type Parsed<T> = Result<T, String>;

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    program: Program,
    /// The parameters of the function that is read.
    locals: BTreeMap<Text, usize>,
    depth: usize,
    /// `>` is a redirection here.
    printing: bool,
    /// `in` belongs to a `for` here.
    no_in: bool,
}

pub(super) fn parse(source: &[u8]) -> Parsed<Program> {
    let mut program = Program::default();
    for (at, name) in SPECIAL.iter().enumerate() {
        program.globals.insert(name.as_bytes().to_vec(), at);
    }
    let mut parser = Parser {
        tokens: tokens(source)?,
        at: 0,
        program,
        locals: BTreeMap::new(),
        depth: 0,
        printing: false,
        no_in: false,
    };
    loop {
        parser.skip();
        if parser.peek() == &Token::End {
            return Ok(parser.program);
        }
        parser.item()?;
    }
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |token| &token.0)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn error<T>(&self, what: &str) -> Parsed<T> {
        let line = self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |token| token.1);
        Err(format!("line {line}: {what}"))
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.take(symbol) { Ok(()) } else { self.error(&format!("syntax error: `{symbol}' expected")) }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Name(name) | Token::Call(name) if name == word.as_bytes())
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn newlines(&mut self) {
        while self.peek() == &Token::Newline {
            self.at += 1;
        }
    }

    fn skip(&mut self) {
        while self.peek() == &Token::Newline || self.is(";") {
            self.at += 1;
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            return self.error("too many levels of nesting");
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn item(&mut self) -> Parsed<()> {
        if self.word("BEGIN") {
            self.newlines();
            let mut body = self.block()?;
            self.program.begin.append(&mut body);
        } else if self.word("END") {
            self.newlines();
            let mut body = self.block()?;
            self.program.end.append(&mut body);
            self.program.reads = true;
        } else if self.word("function") || self.word("func") {
            self.function()?;
        } else {
            let pattern = if self.is("{") {
                Pattern::Always
            } else {
                let first = self.expr()?;
                if self.take(",") {
                    self.newlines();
                    Pattern::Range(first, self.expr()?)
                } else {
                    Pattern::When(first)
                }
            };
            let body = if self.is("{") { Some(self.block()?) } else { None };
            self.program.rules.push(Rule { pattern, body });
            self.program.reads = true;
        }
        Ok(())
    }

    fn function(&mut self) -> Parsed<()> {
        let (Token::Name(name) | Token::Call(name)) = self.next() else {
            return self.error("syntax error: a function's name expected");
        };
        self.expect("(")?;
        self.locals.clear();
        while !self.take(")") {
            match self.next() {
                Token::Name(parameter) => {
                    let at = self.locals.len();
                    self.locals.insert(parameter, at);
                }
                Token::Symbol(",") | Token::Newline => {}
                _ => return self.error("syntax error in the parameters of a function"),
            }
        }
        self.newlines();
        let parameters = self.locals.len();
        let body = self.block()?;
        self.locals.clear();
        self.program.functions.insert(name, Rc::new(Function { parameters, body }));
        Ok(())
    }

    fn block(&mut self) -> Parsed<Vec<Statement>> {
        self.expect("{")?;
        let mut all = Vec::new();
        loop {
            self.skip();
            if self.take("}") {
                return Ok(all);
            }
            if self.peek() == &Token::End {
                return self.error("syntax error: missing `}'");
            }
            all.push(self.deeper(Self::statement)?);
        }
    }

    fn body(&mut self) -> Parsed<Box<Statement>> {
        self.newlines();
        if self.take(";") {
            return Ok(Box::new(Statement::Block(Vec::new())));
        }
        Ok(Box::new(self.deeper(Self::statement)?))
    }

    fn ends(&self) -> bool {
        matches!(self.peek(), Token::Newline | Token::End) || self.is(";") || self.is("}")
    }

    fn statement(&mut self) -> Parsed<Statement> {
        if self.is("{") {
            return Ok(Statement::Block(self.block()?));
        }
        if self.word("if") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            let yes = self.body()?;
            let before = self.at;
            self.skip();
            if self.word("else") {
                return Ok(Statement::If(condition, yes, Some(self.body()?)));
            }
            self.at = before;
            return Ok(Statement::If(condition, yes, None));
        }
        if self.word("while") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            return Ok(Statement::While(condition, self.body()?));
        }
        if self.word("do") {
            let body = self.body()?;
            self.skip();
            if !self.word("while") {
                return self.error("syntax error: `while' expected");
            }
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            return Ok(Statement::Do(body, condition));
        }
        if self.word("for") {
            return self.for_();
        }
        let statement = self.simple()?;
        if !self.ends() {
            return self.error("syntax error");
        }
        Ok(statement)
    }

    fn for_(&mut self) -> Parsed<Statement> {
        self.expect("(")?;
        if let (
            Token::Name(name),
            Some((Token::Name(word), _)),
            Some((Token::Name(array), _)),
            Some((Token::Symbol(")"), _)),
        ) = (
            self.peek().clone(),
            self.tokens.get(self.at + 1).cloned(),
            self.tokens.get(self.at + 2).cloned(),
            self.tokens.get(self.at + 3),
        ) && word == b"in"
        {
            self.at += 4;
            let (name, array) = (self.slot(&name), self.slot(&array));
            return Ok(Statement::Each(name, array, self.body()?));
        }
        let start = if self.is(";") { None } else { Some(Box::new(self.simple()?)) };
        self.expect(";")?;
        self.newlines();
        let condition = if self.is(";") { None } else { Some(self.expr()?) };
        self.expect(";")?;
        self.newlines();
        let step = if self.is(")") { None } else { Some(Box::new(self.simple()?)) };
        self.expect(")")?;
        Ok(Statement::For(start, condition, step, self.body()?))
    }

    fn simple(&mut self) -> Parsed<Statement> {
        if self.is_word("print") || self.is_word("printf") {
            return self.print();
        }
        if self.word("next") {
            return Ok(Statement::Next);
        }
        if self.word("nextfile") {
            return Ok(Statement::NextFile);
        }
        if self.word("break") {
            return Ok(Statement::Break);
        }
        if self.word("continue") {
            return Ok(Statement::Continue);
        }
        if self.word("exit") {
            return Ok(Statement::Exit(if self.ends() { None } else { Some(self.expr()?) }));
        }
        if self.word("return") {
            return Ok(Statement::Return(if self.ends() { None } else { Some(self.expr()?) }));
        }
        if self.word("delete") {
            let (Token::Name(name) | Token::Call(name)) = self.next() else {
                return self.error("syntax error: an array expected");
            };
            let slot = self.slot(&name);
            let index = if self.take("[") { Some(self.list("]")?) } else { None };
            return Ok(Statement::Delete(slot, index));
        }
        Ok(Statement::Expr(self.expr()?))
    }

    /// Expressions up to a closing symbol, which is taken.
    fn list(&mut self, end: &str) -> Parsed<Vec<Expr>> {
        let (printing, no_in) = (std::mem::take(&mut self.printing), std::mem::take(&mut self.no_in));
        let mut all = Vec::new();
        self.newlines();
        while !self.take(end) {
            all.push(self.expr()?);
            self.newlines();
            if !self.take(",") && !self.is(end) {
                return self.error(&format!("syntax error: `{end}' expected"));
            }
            self.newlines();
        }
        (self.printing, self.no_in) = (printing, no_in);
        Ok(all)
    }

    fn print(&mut self) -> Parsed<Statement> {
        let format = self.is_word("printf");
        self.at += 1;
        self.printing = true;
        let mut values = Vec::new();
        let start = self.at;
        if self.take("(") {
            // A list in parentheses, or the first of a longer expression.
            let list = self.list(")")?;
            self.printing = true;
            if self.ends() || self.is(">") || self.is(">>") || self.is("|") {
                values = list;
            } else {
                self.at = start;
            }
        }
        if values.is_empty() && self.at == start {
            while !self.ends() && !self.is(">") && !self.is(">>") && !self.is("|") {
                values.push(self.expr()?);
                if !self.take(",") {
                    break;
                }
                self.newlines();
            }
        }
        let to = if self.take(">") {
            Some(Out::File)
        } else if self.take(">>") {
            Some(Out::Append)
        } else if self.take("|") {
            Some(Out::Command)
        } else {
            None
        };
        let to = match to {
            Some(kind) => Some((kind, self.concatenation()?)),
            None => None,
        };
        self.printing = false;
        Ok(Statement::Print { values, format, to })
    }

    fn slot(&mut self, name: &[u8]) -> Slot {
        if let Some(at) = self.locals.get(name) {
            return Slot::Local(*at);
        }
        let next = self.program.globals.len();
        Slot::Global(*self.program.globals.entry(name.to_vec()).or_insert(next))
    }
}
