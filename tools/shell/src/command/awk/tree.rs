//! The tree of an awk program.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::regex::Regex;
use crate::syntax::ast::Text;

#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) begin: Vec<Statement>,
    pub(super) end: Vec<Statement>,
    pub(super) rules: Vec<Rule>,
    pub(super) functions: BTreeMap<Text, Rc<Function>>,
    /// How many global variables there are, by name.
    pub(super) globals: BTreeMap<Text, usize>,
    pub(super) reads: bool,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    pub(super) body: Option<Vec<Statement>>,
}

#[derive(Debug)]
pub(super) enum Pattern {
    Always,
    When(Expr),
    Range(Expr, Expr),
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) parameters: usize,
    pub(super) body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) enum Statement {
    Expr(Expr),
    Print { values: Vec<Expr>, format: bool, to: Option<(Out, Expr)> },
    If(Expr, Box<Statement>, Option<Box<Statement>>),
    While(Expr, Box<Statement>),
    Do(Box<Statement>, Expr),
    For(Option<Box<Statement>>, Option<Expr>, Option<Box<Statement>>, Box<Statement>),
    Each(Slot, Slot, Box<Statement>),
    Block(Vec<Statement>),
    Next,
    NextFile,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Break,
    Continue,
    Delete(Slot, Option<Vec<Expr>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out {
    File,
    Append,
    Command,
}

/// A variable: a global one, or a parameter of the function that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Global(usize),
    Local(usize),
}

#[derive(Debug)]
pub(super) enum Expr {
    Number(f64),
    Text(Text),
    Regex(Rc<Regex>),
    Variable(Slot),
    Field(Box<Expr>),
    Element(Slot, Vec<Expr>),
    In(Vec<Expr>, Slot),
    Assign(Box<Expr>, Option<u8>, Box<Expr>),
    Step { target: Box<Expr>, up: bool, before: bool },
    Binary(u8, Box<Expr>, Box<Expr>),
    Compare(&'static str, Box<Expr>, Box<Expr>),
    Match(bool, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    Plus(Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
    Group(Box<Expr>),
    Builtin(Builtin, Vec<Expr>),
    Call(Text, Vec<Expr>),
    Getline { from: Option<(bool, Box<Expr>)>, into: Option<Box<Expr>> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    Length,
    Substr,
    Index,
    Split,
    Sub,
    Gsub,
    Match,
    Sprintf,
    Sin,
    Cos,
    Atan2,
    Exp,
    Log,
    Sqrt,
    Int,
    Rand,
    Srand,
    Tolower,
    Toupper,
    System,
    Close,
    Fflush,
    Systime,
    Strftime,
    Gensub,
    Strtonum,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
    Asort,
    Asorti,
}
