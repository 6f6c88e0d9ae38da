//! What an automaton over guest paths says about everything at and below a path.
//!
//! For each state of the automaton this finds, once, whether some path that continues the text read so far has a property. A
//! continuation is a real one: whole names, none empty, `.` or `..`, no NUL, valid UTF-8. The answer is exact.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use regex_syntax::hir::Hir;

use super::automaton::{Automaton, DEAD, Size};
use super::language::{literal, many, repeated, without};

/// All guest paths.
static PATHS: LazyLock<Option<Automaton>> = LazyLock::new(|| Automaton::build(&[paths()], Size::ONE_PATTERN).ok());

/// The language of all guest paths.
pub(crate) fn paths() -> Hir {
    let names = repeated(Hir::concat(vec![literal("/"), name()]), 1, None);
    Hir::alternation(vec![literal("/"), names])
}

/// One name: no slash, no NUL, not empty, not `.` and not `..`.
fn name() -> Hir {
    let any = || without(&['/', '\0']);
    let no_dot = || without(&['/', '\0', '.']);
    Hir::alternation(vec![
        Hir::concat(vec![no_dot(), many(any())]),
        Hir::concat(vec![literal("."), no_dot(), many(any())]),
        Hir::concat(vec![literal(".."), any(), many(any())]),
    ])
}

/// For each state, something about the paths at and below.
#[derive(Debug)]
pub(crate) struct Below<L> {
    /// By the state after a path that is not the root.
    labels: Vec<Option<L>>,
    root: Option<L>,
}

impl<L: Copy> Below<L> {
    /// What was found at or below the path that led to `state`.
    pub(crate) fn at(&self, state: u32, is_root: bool) -> Option<L> {
        if is_root { self.root } else { self.labels.get(state as usize).copied().flatten() }
    }
}

/// Pairs of states that a path can lead to. Made once for an automaton; each question to it is one [`Continuations::find`].
pub(crate) struct Continuations<'a> {
    automaton: &'a Automaton,
    paths: &'a Automaton,
    numbers: HashMap<(u32, u32), u32>,
    nodes: Vec<(u32, u32)>,
    /// For each node, the nodes from which one byte leads to it.
    sources: Vec<Vec<u32>>,
    /// One byte of each joint class.
    bytes: Vec<u8>,
    /// For each state of the automaton, the node behind a slash; for the root, the node behind its own.
    starts: Vec<u32>,
    root: (u32, u32),
}

impl<'a> Continuations<'a> {
    /// All continuations in `automaton`; `None` if the automaton of paths cannot be built, which its fixed size rules out.
    pub(crate) fn new(automaton: &'a Automaton) -> Option<Self> {
        let paths = PATHS.as_ref()?;
        let mut seen = HashSet::new();
        let bytes = (0..=u8::MAX).filter(|&byte| seen.insert((automaton.class(byte), paths.class(byte)))).collect();
        let mut graph = Self {
            automaton,
            paths,
            numbers: HashMap::new(),
            nodes: Vec::new(),
            sources: Vec::new(),
            bytes,
            starts: Vec::new(),
            root: (automaton.run(automaton.start(), b"/"), 0),
        };
        // Behind a path and a slash comes another name; which names may come is the same everywhere.
        let slash = paths.run(paths.start(), b"/x/");
        for state in 0..automaton.len() {
            let behind = automaton.step(u32::try_from(state).unwrap_or(DEAD), b'/');
            let start = graph.node(behind, slash);
            graph.starts.push(start);
        }
        graph.root.1 = graph.node(graph.root.0, slash);
        graph.explore();
        Some(graph)
    }

    /// For each state, the label of some path at or below that has one. `label` gives the label of a set of patterns.
    pub(crate) fn find<L: Copy>(&self, label: impl Fn(usize) -> Option<L>) -> Below<L> {
        let found = self.propagate(&label);
        let at = |state: u32, below: u32| {
            label(self.automaton.set(state)).or_else(|| found.get(below as usize).copied().flatten())
        };
        Below {
            labels: (0..).zip(&self.starts).map(|(state, &below)| at(state, below)).collect(),
            root: at(self.root.0, self.root.1),
        }
    }

    fn node(&mut self, state: u32, path: u32) -> u32 {
        let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry((state, path)).or_insert(next);
        if number == next {
            self.nodes.push((state, path));
            self.sources.push(Vec::new());
        }
        number
    }

    fn explore(&mut self) {
        let mut from = 0;
        while let Some(&(state, path)) = self.nodes.get(from) {
            for index in 0..self.bytes.len() {
                let Some(&byte) = self.bytes.get(index) else { continue };
                let target = self.paths.step(path, byte);
                if target == DEAD {
                    continue;
                }
                let target = self.node(self.automaton.step(state, byte), target);
                let source = u32::try_from(from).unwrap_or(u32::MAX);
                if let Some(sources) = self.sources.get_mut(target as usize)
                    && sources.last() != Some(&source)
                {
                    sources.push(source);
                }
            }
            from += 1;
        }
    }

    /// Hands labels back from the nodes where a path ends to all nodes that lead there.
    fn propagate<L: Copy>(&self, label: &impl Fn(usize) -> Option<L>) -> Vec<Option<L>> {
        let ends = |&(state, path): &(u32, u32)| {
            if self.paths.matches(path).is_empty() { None } else { label(self.automaton.set(state)) }
        };
        let mut found: Vec<Option<L>> = self.nodes.iter().map(ends).collect();
        let mut queue: Vec<u32> =
            (0..).zip(&found).filter(|(_, label)| label.is_some()).map(|(node, _)| node).collect();
        let mut at = 0;
        while let Some(&node) = queue.get(at) {
            let label = found.get(node as usize).copied().flatten();
            for &source in self.sources.get(node as usize).map_or(&[][..], |sources| sources) {
                if let Some(slot @ None) = found.get_mut(source as usize) {
                    *slot = label;
                    queue.push(source);
                }
            }
            at += 1;
        }
        found
    }
}
