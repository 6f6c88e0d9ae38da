//! Expressions, from what binds least to what binds most.

use std::rc::Rc;

use super::{Parsed, Parser};
use crate::command::awk::lex::{Token, unescaped};
use crate::command::awk::tree::{Builtin, Expr};
use crate::regex::Regex;

impl Parser {
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
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

    pub(super) fn concatenation(&mut self) -> Parsed<Expr> {
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
