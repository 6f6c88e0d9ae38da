//! What the expression is made of.

use std::rc::Rc;
use std::time::Duration;

use crate::pattern::Pattern;
use crate::regex::Regex;
use crate::syntax::ast::Text;

/// A part of the expression.
pub(super) enum Test {
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
    Name(Pattern),
    Path(Pattern),
    Regex(Rc<Regex>),
    Kind(Text),
    /// The kind of what a link leads to.
    Target(Text),
    Link(Pattern),
    /// The permission bits: all of these, any of these, or just these.
    Mode(Option<bool>, u32),
    /// Both, and the second one counts.
    Both(Box<Test>, Box<Test>),
    Empty,
    Size(Ordering, u64, u64),
    /// By age in units of that many seconds.
    Age(Ordering, u64, u64),
    Newer(Duration),
    True,
    False,
    Print(u8),
    Printf(Text),
    Prune,
    Delete,
    Quit,
    Exec {
        command: Vec<Text>,
        batch: Option<usize>,
        directory: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ordering {
    Less,
    Equal,
    More,
}

impl Ordering {
    pub(super) fn holds(self, value: u64, bound: u64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::Equal => value == bound,
            Self::More => value > bound,
        }
    }
}

#[derive(Default)]
pub(super) struct Options {
    pub(super) least: usize,
    pub(super) most: Option<usize>,
    pub(super) depth_first: bool,
    pub(super) follow: bool,
    pub(super) acts: bool,
    pub(super) batches: usize,
}
