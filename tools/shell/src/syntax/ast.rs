//! The tree of a script.

use std::rc::Rc;

/// A row of bytes: what the shell calls a string. It need not be UTF-8.
pub(crate) type Text = Vec<u8>;

/// A list of commands.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) items: Vec<Item>,
}

/// Pipelines joined by `&&` and `||`, up to a `;`, `&` or the line's end.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) first: Pipeline,
    pub(crate) rest: Vec<(Join, Pipeline)>,
    pub(crate) background: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    And,
    Or,
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) negated: bool,
    pub(crate) timed: bool,
    pub(crate) stages: Vec<Rc<Command>>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) kind: Kind,
    pub(crate) redirects: Vec<Redirect>,
    /// The line it starts on, from 1.
    pub(crate) line: usize,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Simple { assigns: Vec<Assign>, words: Vec<Argument> },
    Group(Script),
    Subshell(Rc<Script>),
    If { arms: Vec<(Script, Script)>, otherwise: Option<Script> },
    For { name: Text, words: Option<Vec<Word>>, body: Script },
    Counted { start: Word, condition: Word, step: Word, body: Script },
    While { until: bool, condition: Script, body: Script },
    Case { word: Word, arms: Vec<Arm> },
    Function { name: Text, body: Rc<Command> },
    Arithmetic(Word),
    Test(Test),
}

#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) patterns: Vec<Word>,
    pub(crate) body: Script,
    pub(crate) next: Next,
}

/// What comes after the body of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// `;;`
    End,
    /// `;&`
    Fall,
    /// `;;&`
    Test,
}

/// An argument of a simple command.
#[derive(Debug)]
pub(crate) enum Argument {
    Word(Word),
    /// An assignment after a command that declares, such as `local x=1` or `declare -a list=(1 2)`.
    Assign(Assign),
}

#[derive(Debug)]
pub(crate) struct Assign {
    pub(crate) name: Text,
    pub(crate) index: Option<Word>,
    pub(crate) append: bool,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Word(Word),
    Array(Vec<(Option<Word>, Word)>),
}

#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) from: Target,
    pub(crate) kind: RedirectKind,
}

/// The descriptor that a redirection is about.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// What the operator implies.
    Default,
    Number(u32),
    /// `{name}`: a free one, whose number the variable gets.
    Variable(Text),
}

#[derive(Debug)]
pub(crate) enum RedirectKind {
    Read(Word),
    Write {
        word: Word,
        clobber: bool,
    },
    Append(Word),
    ReadWrite(Word),
    /// `&>`, `>&word` and `&>>`: output and errors.
    Both {
        word: Word,
        append: bool,
    },
    /// `<&word` and `>&word` with a number or `-`.
    Duplicate {
        word: Word,
        output: bool,
    },
    /// A here-document; its text comes with the lines after.
    Document(Rc<std::cell::RefCell<Word>>),
    /// `<<<`
    String(Word),
}

/// A word before expansion.
#[derive(Clone, Debug, Default)]
pub(crate) struct Word {
    pub(crate) parts: Vec<Part>,
    /// An unquoted `{` is in it, so that braces may expand.
    pub(crate) braces: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Unquoted text: patterns in it are active.
    Bare(Text),
    /// Quoted text: nothing in it is active.
    Quoted(Text),
    /// What stands in double quotes.
    Double(Vec<Part>),
    Parameter(Rc<Parameter>),
    Command(Rc<Script>),
    Arithmetic(Rc<Word>),
    /// `<(…)`, or with `true` `>(…)`.
    Process(Rc<Script>, bool),
    /// `~` or `~name` at a place where it expands.
    Tilde(Text),
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: Name,
    pub(crate) index: Option<Index>,
    /// `${!name…}`
    pub(crate) indirect: bool,
    pub(crate) operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Variable(Text),
    Position(usize),
    /// One of `@*#?-$!0_`.
    Special(u8),
}

#[derive(Debug)]
pub(crate) enum Index {
    /// `[@]`
    All,
    /// `[*]`
    Joined,
    At(Word),
}

#[derive(Debug)]
pub(crate) enum Operator {
    None,
    /// `${#name}`
    Length,
    /// `-`, `=`, `?`, `+`, with a colon or without.
    Missing {
        kind: u8,
        colon: bool,
        word: Word,
    },
    Trim {
        suffix: bool,
        longest: bool,
        pattern: Word,
    },
    Replace {
        kind: Replace,
        pattern: Word,
        with: Word,
    },
    Case {
        kind: CaseChange,
        all: bool,
        pattern: Word,
    },
    Slice {
        offset: Word,
        length: Option<Word>,
    },
    /// `${name@Q}` and its like.
    Transform(u8),
    /// `${!name[@]}`
    Keys,
    /// `${!prefix*}`, `${!prefix@}`
    Names,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    First,
    All,
    Prefix,
    Suffix,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaseChange {
    Upper,
    Lower,
    Toggle,
}

/// What `[[ … ]]` asks.
#[derive(Debug)]
pub(crate) enum Test {
    Word(Word),
    Unary(Text, Word),
    Binary(Word, Text, Word),
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}
