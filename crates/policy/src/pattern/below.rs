//! What an automaton over guest paths says about everything at and below a path.
//!
//! For each state of the automaton this finds, once, whether some path that continues the text read so far has a property. A
//! continuation is a real one: whole names, none empty, `.` or `..`, no NUL, valid UTF-8. The answer is exact.

use std::collections::HashSet;
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

/// Pairs of states that a path can lead to, and how they lead to each other. Made once for an automaton; each question to it is one
/// [`Continuations::find`].
pub(crate) struct Continuations<'a> {
    automaton: &'a Automaton,
    paths: &'a Automaton,
    /// For each pair, where its sources begin in `sources`; one more at the end.
    first_source: Vec<u32>,
    /// Pairs from which one byte leads to a pair.
    sources: Vec<u32>,
    /// The state of `paths` behind a name and a slash.
    slash: u32,
}

impl<'a> Continuations<'a> {
    /// All continuations in `automaton`; `None` if the automaton of paths cannot be built, which its fixed size rules out.
    pub(crate) fn new(automaton: &'a Automaton) -> Option<Self> {
        let paths = PATHS.as_ref()?;
        // Behind a path and a slash comes another name; which names may come is the same everywhere.
        let slash = paths.run(paths.start(), b"/x/");
        let mut graph = Self { automaton, paths, first_source: Vec::new(), sources: Vec::new(), slash };
        let edges = graph.explore();
        graph.turn_round(&edges);
        Some(graph)
    }

    /// For each state, the label of some path at or below that has one. `label` gives the label of a set of patterns.
    pub(crate) fn find<L: Copy>(&self, label: impl Fn(usize) -> Option<L>) -> Below<L> {
        let found = self.propagate(&label);
        let at = |state: u32, behind: u32| {
            label(self.automaton.set(state)).or_else(|| found.get(self.pair(behind, self.slash)).copied().flatten())
        };
        let root = self.automaton.run(self.automaton.start(), b"/");
        Below {
            labels: self.states().map(|state| at(state, self.automaton.step(state, b'/'))).collect(),
            root: at(root, root),
        }
    }

    fn states(&self) -> impl Iterator<Item = u32> {
        (0..).take(self.automaton.len())
    }

    fn pair(&self, state: u32, path: u32) -> usize {
        state as usize * self.paths.len() + path as usize
    }

    /// All steps from pair to pair that a continuation can take, each once.
    fn explore(&self) -> Vec<(u32, u32)> {
        let mut seen = HashSet::new();
        let is_new = |byte: &u8| seen.insert((self.automaton.class(*byte), self.paths.class(*byte)));
        let bytes: Vec<u8> = (0..=u8::MAX).filter(is_new).collect();
        let starts = self.states().map(|state| self.automaton.step(state, b'/'));
        let starts = starts.chain([self.automaton.run(self.automaton.start(), b"/")]);

        let mut is_reached = vec![false; self.automaton.len() * self.paths.len()];
        let mut open: Vec<(u32, u32)> = starts.map(|state| (state, self.slash)).collect();
        let mut edges: Vec<(u32, u32)> = Vec::new();
        let mut targets: Vec<(u32, u32)> = Vec::new();
        while let Some((state, path)) = open.pop() {
            let source = self.pair(state, path);
            match is_reached.get_mut(source) {
                Some(reached @ false) => *reached = true,
                Some(true) | None => continue,
            }
            let next = |&byte: &u8| (self.automaton.step(state, byte), self.paths.step(path, byte));
            targets.clear();
            targets.extend(bytes.iter().map(next).filter(|(_, path)| *path != DEAD));
            targets.sort_unstable();
            targets.dedup();
            edges.extend(targets.iter().map(|&(state, path)| (number(self.pair(state, path)), number(source))));
            open.extend_from_slice(&targets);
        }
        edges
    }

    /// Sorts steps by where they lead.
    fn turn_round(&mut self, edges: &[(u32, u32)]) {
        let mut first = vec![0_u32; self.automaton.len() * self.paths.len() + 1];
        for (target, _) in edges {
            if let Some(count) = first.get_mut(*target as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for count in &mut first {
            sum += *count;
            *count = sum;
        }
        let mut free = first.clone();
        self.sources = vec![0; edges.len()];
        for (target, source) in edges {
            if let Some(slot) = free.get_mut(*target as usize)
                && let Some(place) = self.sources.get_mut(*slot as usize)
            {
                *place = *source;
                *slot += 1;
            }
        }
        self.first_source = first;
    }

    fn sources(&self, pair: usize) -> &[u32] {
        let range = self.first_source.get(pair).zip(self.first_source.get(pair + 1));
        range.and_then(|(from, to)| self.sources.get(*from as usize..*to as usize)).unwrap_or(&[])
    }

    /// Hands labels back from the pairs where a path ends to all pairs that lead there.
    fn propagate<L: Copy>(&self, label: &impl Fn(usize) -> Option<L>) -> Vec<Option<L>> {
        let mut found: Vec<Option<L>> = vec![None; self.automaton.len() * self.paths.len()];
        let mut queue: Vec<usize> = Vec::new();
        let ends: Vec<u32> =
            (0..).take(self.paths.len()).filter(|&path| !self.paths.matches(path).is_empty()).collect();
        for state in self.states() {
            let Some(label) = label(self.automaton.set(state)) else { continue };
            for &path in &ends {
                let pair = self.pair(state, path);
                if let Some(slot) = found.get_mut(pair) {
                    *slot = Some(label);
                    queue.push(pair);
                }
            }
        }
        while let Some(pair) = queue.pop() {
            let label = found.get(pair).copied().flatten();
            for &source in self.sources(pair) {
                if let Some(slot @ None) = found.get_mut(source as usize) {
                    *slot = label;
                    queue.push(source as usize);
                }
            }
        }
        found
    }
}

/// A number of a pair, which the size of automata keeps far below what fits.
fn number(pair: usize) -> u32 {
    u32::try_from(pair).unwrap_or(u32::MAX)
}
