//! From words to the tree.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::lex::{Token, tokens, unescaped};
use super::tree::{Builtin, Expr, Function, Out, Pattern, Program, Rule, Slot, Statement};
use crate::regex::Regex;
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

fn builtin(name: &[u8]) -> Option<Builtin> {
    Some(match name {
        b"length" => Builtin::Length,
        b"substr" => Builtin::Substr,
        b"index" => Builtin::Index,
        b"split" => Builtin::Split,
        b"sub" => Builtin::Sub,
        b"gsub" => Builtin::Gsub,
        b"gensub" => Builtin::Gensub,
        b"match" => Builtin::Match,
        b"sprintf" => Builtin::Sprintf,
        b"sin" => Builtin::Sin,
        b"cos" => Builtin::Cos,
        b"atan2" => Builtin::Atan2,
        b"exp" => Builtin::Exp,
        b"log" => Builtin::Log,
        b"sqrt" => Builtin::Sqrt,
        b"int" => Builtin::Int,
        b"rand" => Builtin::Rand,
        b"srand" => Builtin::Srand,
        b"tolower" => Builtin::Tolower,
        b"toupper" => Builtin::Toupper,
        b"system" => Builtin::System,
        b"close" => Builtin::Close,
        b"fflush" => Builtin::Fflush,
        b"systime" => Builtin::Systime,
        b"strftime" => Builtin::Strftime,
        b"strtonum" => Builtin::Strtonum,
        b"and" => Builtin::BitAnd,
        b"or" => Builtin::BitOr,
        b"xor" => Builtin::BitXor,
        b"lshift" => Builtin::ShiftLeft,
        b"rshift" => Builtin::ShiftRight,
        b"asort" => Builtin::Asort,
        b"asorti" => Builtin::Asorti,
        _ => return None,
    })
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

    fn expr(&mut self) -> Parsed<Expr> {
        self.deeper(Self::assignment)
    }

    fn assignment(&mut self) -> Parsed<Expr> {
        let left = self.ternary()?;
        if !matches!(left, Expr::Variable(_) | Expr::Field(_) | Expr::Element(..)) {
            return Ok(left);
        }
        for (symbol, operator) in [
            ("=", None),
            ("+=", Some(b'+')),
            ("-=", Some(b'-')),
            ("*=", Some(b'*')),
            ("/=", Some(b'/')),
            ("%=", Some(b'%')),
            ("^=", Some(b'^')),
        ] {
            if self.take(symbol) {
                self.newlines();
                return Ok(Expr::Assign(Box::new(left), operator, Box::new(self.expr()?)));
            }
        }
        Ok(left)
    }

    fn ternary(&mut self) -> Parsed<Expr> {
        let condition = self.or()?;
        if !self.take("?") {
            return Ok(condition);
        }
        self.newlines();
        let yes = self.expr()?;
        self.newlines();
        self.expect(":")?;
        self.newlines();
        Ok(Expr::Choose(Box::new(condition), Box::new(yes), Box::new(self.expr()?)))
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.take("||") {
            self.newlines();
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.membership()?;
        while self.take("&&") {
            self.newlines();
            left = Expr::And(Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expr> {
        let mut left = self.matching()?;
        while !self.no_in && self.word("in") {
            let Token::Name(array) = self.next() else {
                return self.error("syntax error: an array expected after `in'");
            };
            let slot = self.slot(&array);
            left = Expr::In(vec![left], slot);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Expr> {
        let mut left = self.comparison()?;
        loop {
            let negated = self.is("!~");
            if !self.take("~") && !self.take("!~") {
                return Ok(left);
            }
            left = Expr::Match(negated, Box::new(left), Box::new(self.comparison()?));
        }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.concatenation()?;
        for symbol in ["<=", ">=", "==", "!=", "<", ">"] {
            if symbol == ">" && self.printing {
                continue;
            }
            if self.take(symbol) {
                return Ok(Expr::Compare(symbol, Box::new(left), Box::new(self.concatenation()?)));
            }
        }
        // `command | getline`
        let mut left = left;
        while self.is("|") && matches!(self.tokens.get(self.at + 1), Some((Token::Name(name), _)) if name == b"getline")
        {
            self.at += 2;
            let into = self.target()?;
            left = Expr::Getline { from: Some((true, Box::new(left))), into };
        }
        Ok(left)
    }

    fn target(&mut self) -> Parsed<Option<Box<Expr>>> {
        let begins = matches!(self.peek(), Token::Name(name) if name != b"in") || self.is("$");
        if begins { Ok(Some(Box::new(self.primary()?))) } else { Ok(None) }
    }

    fn concatenation(&mut self) -> Parsed<Expr> {
        let mut left = self.additive()?;
        loop {
            let begins = match self.peek() {
                Token::Number(_) | Token::Text(_) | Token::Regex(_) | Token::Call(_) => true,
                Token::Name(name) => name != b"in" && name != b"getline",
                Token::Symbol(symbol) => matches!(*symbol, "$" | "!" | "(" | "-" | "+" | "++" | "--"),
                _ => false,
            };
            if !begins {
                return Ok(left);
            }
            left = Expr::Concat(Box::new(left), Box::new(self.additive()?));
        }
    }

    fn additive(&mut self) -> Parsed<Expr> {
        let mut left = self.multiplicative()?;
        loop {
            let operator = if self.take("+") {
                b'+'
            } else if self.take("-") {
                b'-'
            } else {
                return Ok(left);
            };
            left = Expr::Binary(operator, Box::new(left), Box::new(self.multiplicative()?));
        }
    }

    fn multiplicative(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let operator = if self.take("*") {
                b'*'
            } else if self.take("/") {
                b'/'
            } else if self.take("%") {
                b'%'
            } else {
                return Ok(left);
            };
            left = Expr::Binary(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.deeper(|parser| {
            if parser.take("!") {
                return Ok(Expr::Not(Box::new(parser.unary()?)));
            }
            if parser.take("-") {
                return Ok(Expr::Minus(Box::new(parser.unary()?)));
            }
            if parser.take("+") {
                return Ok(Expr::Plus(Box::new(parser.unary()?)));
            }
            parser.power()
        })
    }

    fn power(&mut self) -> Parsed<Expr> {
        let base = self.postfix()?;
        if self.take("^") {
            return Ok(Expr::Binary(b'^', Box::new(base), Box::new(self.unary()?)));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let target = self.primary()?;
        if matches!(target, Expr::Variable(_) | Expr::Field(_) | Expr::Element(..)) {
            for (symbol, up) in [("++", true), ("--", false)] {
                if self.take(symbol) {
                    return Ok(Expr::Step { target: Box::new(target), up, before: false });
                }
            }
        }
        Ok(target)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.next() {
            Token::Number(value) => Ok(Expr::Number(value)),
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Regex(text) => match Regex::extended(&unescaped(&text), false) {
                Ok(regex) => Ok(Expr::Regex(Rc::new(regex))),
                Err(error) => self.error(&error),
            },
            Token::Symbol("$") => {
                if self.is("++") || self.is("--") {
                    let up = self.is("++");
                    self.at += 1;
                    let target = Box::new(self.primary()?);
                    return Ok(Expr::Field(Box::new(Expr::Step { target, up, before: true })));
                }
                if self.take("-") {
                    let inner = self.deeper(Self::primary)?;
                    return Ok(Expr::Field(Box::new(Expr::Minus(Box::new(inner)))));
                }
                Ok(Expr::Field(Box::new(self.deeper(Self::primary)?)))
            }
            Token::Symbol(symbol @ ("++" | "--")) => {
                let target = Box::new(self.deeper(Self::primary)?);
                Ok(Expr::Step { target, up: symbol == "++", before: true })
            }
            Token::Symbol("(") => {
                let mut list = self.deeper(|parser| parser.list(")"))?;
                if list.len() > 1 || self.is_word("in") && !self.no_in {
                    if !self.word("in") {
                        return self.error("syntax error: `in' expected after a list");
                    }
                    let Token::Name(array) = self.next() else { return self.error("syntax error: an array expected") };
                    let slot = self.slot(&array);
                    return Ok(Expr::In(list, slot));
                }
                match list.pop() {
                    Some(inner) => Ok(Expr::Group(Box::new(inner))),
                    None => self.error("syntax error: `()'"),
                }
            }
            Token::Name(name) if name == b"getline" => {
                let into = self.target()?;
                let from = if self.take("<") { Some((false, Box::new(self.postfix()?))) } else { None };
                Ok(Expr::Getline { from, into })
            }
            Token::Name(name) if name == b"length" => Ok(Expr::Builtin(Builtin::Length, Vec::new())),
            Token::Name(name) => {
                if builtin(&name).is_some() && self.take("(") {
                    let arguments = self.list(")")?;
                    return Ok(Expr::Builtin(builtin(&name).unwrap_or(Builtin::Length), arguments));
                }
                let slot = self.slot(&name);
                if self.take("[") {
                    return Ok(Expr::Element(slot, self.list("]")?));
                }
                Ok(Expr::Variable(slot))
            }
            Token::Call(name) => {
                self.at += 1;
                let arguments = self.deeper(|parser| parser.list(")"))?;
                Ok(match builtin(&name) {
                    Some(builtin) => Expr::Builtin(builtin, arguments),
                    None => Expr::Call(name, arguments),
                })
            }
            _ => {
                self.at -= 1;
                self.error("syntax error")
            }
        }
    }
}
