//! Many globs at once: compiled together where that stays small, else in a few groups.

use regex_syntax::hir::Hir;

use super::automaton::{Automaton, Size};

/// Rules that one section of one layer may have. An honest one has a handful; each is compiled.
pub(crate) const MOST_RULES: usize = 4_096;
/// Bytes that all tables of one section may take together.
const MOST_BYTES: usize = 64 << 20;
/// How often patterns are tried together in vain before the rest are compiled one by one. It bounds the time.
const MOST_FAILURES: usize = 16;

/// Automata that together know all patterns of one list.
#[derive(Debug, Default)]
pub(crate) struct PatternSet {
    pub(crate) groups: Vec<Group>,
}

/// Patterns that were compiled together.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) automaton: Automaton,
    /// The pattern of the list that each pattern of the automaton is.
    pub(crate) members: Vec<u32>,
}

/// The patterns are more than can be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl PatternSet {
    /// Compiles `patterns`; each comes with the number by which matches name it.
    pub(crate) fn build(patterns: &[(u32, Hir)]) -> Result<Self, TooMany> {
        if patterns.len() > MOST_RULES {
            return Err(TooMany);
        }
        let mut builder = Builder { groups: Vec::new(), all: patterns.len(), bytes: 0, failures: 0 };
        builder.add(patterns)?;
        Ok(Self { groups: builder.groups })
    }

    /// Calls `found` with the number of each pattern that matches `text`.
    pub(crate) fn each_match(&self, text: &[u8], mut found: impl FnMut(u32)) {
        for group in &self.groups {
            let state = group.automaton.run(group.automaton.start(), text);
            for &pattern in group.automaton.matches(state) {
                if let Some(&member) = group.members.get(pattern as usize) {
                    found(member);
                }
            }
        }
    }
}

struct Builder {
    groups: Vec<Group>,
    /// How many patterns there are.
    all: usize,
    bytes: usize,
    failures: usize,
}

impl Builder {
    fn add(&mut self, patterns: &[(u32, Hir)]) -> Result<(), TooMany> {
        if patterns.is_empty() {
            return Ok(());
        }
        if self.bytes > MOST_BYTES {
            return Err(TooMany);
        }
        if patterns.len() > 1 && self.failures >= MOST_FAILURES {
            return patterns.chunks(1).try_for_each(|one| self.add(one));
        }
        let languages: Vec<Hir> = patterns.iter().map(|(_, hir)| hir.clone()).collect();
        let size = match patterns.len() {
            1 => Size::ONE_PATTERN,
            all if all == self.all => Size::TOGETHER,
            _ => Size::GROUP,
        };
        match Automaton::build(&languages, size) {
            Ok(automaton) => {
                self.bytes = self.bytes.saturating_add(automaton.bytes());
                self.groups.push(Group { automaton, members: patterns.iter().map(|(number, _)| *number).collect() });
                Ok(())
            }
            // Each pattern was tried alone when it was parsed; one that does not fit now permits nothing and refuses all.
            Err(_) if patterns.len() == 1 => Err(TooMany),
            Err(_) => {
                self.failures += 1;
                let (first, second) = patterns.split_at(patterns.len() / 2);
                self.add(first)?;
                self.add(second)
            }
        }
    }
}
