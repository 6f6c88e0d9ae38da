//! Where different things were asked for side by side: the rule of three.
//!
//! Names are a tree. A place in it makes a pattern when at least three different names directly in it lead to what was asked for, and at
//! least three different things were asked for below it. Two could be chance; with three, the next one is likely to be a fourth. The
//! outermost such place counts.

use std::collections::BTreeMap;

/// How many different things make a pattern.
const ENOUGH: usize = 3;
/// The longest ending that counts as one: those of common files are shorter.
const LONGEST_ENDING: usize = 12;

/// What was asked for, by name.
#[derive(Debug, Default)]
pub(super) struct Names {
    is_asked: bool,
    below: BTreeMap<String, Names>,
}

/// A pattern that the names below a place show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The names that lead to the place.
    pub(super) place: Vec<String>,
    /// Whether it is about everything below the place, and not only about what is directly in it.
    pub(super) is_deep: bool,
    /// What all names end in, behind a dot.
    pub(super) ending: Option<String>,
}

impl Names {
    /// Adds what `names` lead to: something that was asked for, or a place that was only looked into.
    pub(super) fn add<'a>(&mut self, names: impl Iterator<Item = &'a str>, is_asked: bool) {
        let mut here = self;
        for name in names {
            here = here.below.entry(name.to_owned()).or_default();
        }
        here.is_asked |= is_asked;
    }

    /// The outermost patterns that are accepted. What is not accepted may be shown by less.
    pub(super) fn shapes(&self, accept: &mut dyn FnMut(&Shape) -> bool) -> Vec<Shape> {
        let mut found = Vec::new();
        self.visit(&mut Vec::new(), accept, &mut found);
        found
    }

    fn visit(&self, place: &mut Vec<String>, accept: &mut dyn FnMut(&Shape) -> bool, found: &mut Vec<Shape>) {
        let is_deep = self.below.values().any(|name| !name.is_leaf());
        if self.below.len() >= ENOUGH && self.asked() >= ENOUGH {
            let ending = self.shared_ending();
            let shape = Shape { place: place.clone(), is_deep, ending };
            if accept(&shape) {
                return found.push(shape);
            }
        }
        if is_deep && self.leaves().count() >= ENOUGH {
            let ending = shared(self.leaves().map(|(name, _)| ending_of(name)));
            let shape = Shape { place: place.clone(), is_deep: false, ending };
            if accept(&shape) {
                found.push(shape);
            }
        }
        for (name, below) in &self.below {
            place.push(name.clone());
            below.visit(place, accept, found);
            place.pop();
        }
    }

    fn is_leaf(&self) -> bool {
        self.is_asked && self.below.is_empty()
    }

    fn leaves(&self) -> impl Iterator<Item = (&String, &Self)> {
        self.below.iter().filter(|(_, name)| name.is_leaf())
    }

    /// How many different things were asked for below.
    fn asked(&self) -> usize {
        self.below.values().map(|name| usize::from(name.is_asked) + name.asked()).sum()
    }

    /// What all that was asked for below ends in, if it is all at the ends of the tree.
    fn shared_ending(&self) -> Option<String> {
        let mut endings = Vec::new();
        self.endings(&mut endings).then(|| shared(endings.into_iter())).flatten()
    }

    /// The endings below; false where something was asked for that more is below.
    fn endings<'a>(&'a self, endings: &mut Vec<Option<&'a str>>) -> bool {
        self.below.iter().all(|(name, below)| {
            if below.is_leaf() {
                endings.push(ending_of(name));
            }
            (!below.is_asked || below.below.is_empty()) && below.endings(endings)
        })
    }
}

/// What stands behind the last dot of a name, where it looks like the kind of a file.
fn ending_of(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    let is_plain = ending.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    (!stem.is_empty() && (1..=LONGEST_ENDING).contains(&ending.len()) && is_plain).then_some(ending)
}

/// The ending that all have, if they all have it.
fn shared<'a>(mut endings: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    let first = endings.next()??;
    endings.all(|ending| ending == Some(first)).then(|| first.to_owned())
}
