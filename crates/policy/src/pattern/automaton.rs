//! Deterministic automata over bytes: which of several patterns match a whole text, in one pass.
//!
//! In: languages as `regex-syntax` expressions. Out: a table. Building is bounded in size, and so in time; running cannot fail.

use std::collections::HashMap;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

/// The state from which nothing matches any more.
pub(crate) const DEAD: u32 = 0;

/// A table of states. State 0 is dead.
#[derive(Debug)]
pub(crate) struct Automaton {
    /// For each byte, its class: bytes of one class lead to the same states.
    classes: Box<[u8; 256]>,
    class_count: usize,
    /// The next state, by state and class.
    next: Vec<u32>,
    /// For each state, the index of its set in `sets`.
    set_of: Vec<u32>,
    /// Sets of patterns, each ascending. The first is empty.
    sets: Vec<Box<[u32]>>,
    start: u32,
}

/// How much an automaton may take while it is built and when it is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Bytes of the finished table and, once more, of what is needed to make it.
    bytes: usize,
}

/// States of any automaton. What is computed for each state stays within some tens of megabytes.
const MOST_STATES: usize = 1 << 16;

impl Size {
    /// One pattern alone. The longest path, every character of it different, needs about 2 MiB.
    pub(crate) const ONE_PATTERN: Self = Self { bytes: 2 << 20 };
    /// All patterns of a section together, so that every answer about them is exact.
    pub(crate) const TOGETHER: Self = Self { bytes: 4 << 20 };
    /// Some patterns together, where all of them do not fit. Larger tables than this leave the processor's caches.
    pub(crate) const GROUP: Self = Self { bytes: 1 << 20 };

    /// What a pattern with wildcards of so many bytes may need by itself: what its text needs, and 256 KiB for what the wildcards
    /// add. A thousand patterns made to be costly are then read in seconds.
    pub(crate) fn of_wildcards(text_bytes: usize) -> Self {
        Self { bytes: (256 << 10) + text_bytes.saturating_mul(512) }
    }
}

/// The automaton would be larger than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Automaton {
    /// An automaton that tells which of `patterns` match; they are numbered from 0.
    pub(crate) fn build(patterns: &[Hir], size: Size) -> Result<Self, TooLarge> {
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(size.bytes)),
            )
            .build_many_from_hir(patterns)
            .map_err(|_| TooLarge)?;
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Anchored)
                    .accelerate(false)
                    .dfa_size_limit(Some(size.bytes))
                    .determinize_size_limit(Some(size.bytes)),
            )
            .build_from_nfa(&nfa)
            .map_err(|_| TooLarge)?;
        Self::from_dfa(&dfa)
    }

    fn from_dfa(dfa: &dense::DFA<Vec<u32>>) -> Result<Self, TooLarge> {
        let (classes, representatives) = classes(dfa);
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).map_err(|_| TooLarge)?;
        let mut copy = Copy::new(dfa);
        let start = copy.number(start);
        let mut next = vec![DEAD; representatives.len()];
        // States are numbered in the order in which they are found, so this loop meets each of them once.
        while let Some(&state) = copy.states.get(next.len() / representatives.len()) {
            for &byte in &representatives {
                let target = dfa.next_state(state, byte);
                next.push(copy.number(target));
            }
            if copy.states.len() > MOST_STATES {
                return Err(TooLarge);
            }
        }
        let Copy { sets, set_of, .. } = copy;
        Ok(Self { classes, class_count: representatives.len(), next, set_of, sets, start })
    }

    /// The state in which every text begins.
    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    /// The state after one more byte.
    pub(crate) fn step(&self, state: u32, byte: u8) -> u32 {
        let class = self.class(byte);
        self.next.get(state as usize * self.class_count + usize::from(class)).copied().unwrap_or(DEAD)
    }

    /// The state after `text`, from `state` on.
    pub(crate) fn run(&self, mut state: u32, text: &[u8]) -> u32 {
        for &byte in text {
            state = self.step(state, byte);
            if state == DEAD {
                break;
            }
        }
        state
    }

    /// The patterns that match the text that led to `state`.
    pub(crate) fn matches(&self, state: u32) -> &[u32] {
        self.sets.get(self.set(state)).map_or(&[], |set| set)
    }

    /// The number of the set of patterns that match the text that led to `state`.
    pub(crate) fn set(&self, state: u32) -> usize {
        self.set_of.get(state as usize).map_or(0, |&set| set as usize)
    }

    /// All sets of patterns that match some text together.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &[u32]> {
        self.sets.iter().map(|set| &**set)
    }

    /// The class of a byte. Bytes of one class lead to the same states.
    pub(crate) fn class(&self, byte: u8) -> u8 {
        self.classes.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// How many states there are.
    pub(crate) fn len(&self) -> usize {
        self.set_of.len()
    }

    /// About how much memory the table takes.
    pub(crate) fn bytes(&self) -> usize {
        let sets: usize = self.sets.iter().map(|set| set.len()).sum();
        (self.next.len() + self.set_of.len() + sets) * size_of::<u32>()
    }
}

/// The class of each byte, and one byte of each class.
fn classes(dfa: &dense::DFA<Vec<u32>>) -> (Box<[u8; 256]>, Vec<u8>) {
    let mut classes = Box::new([0; 256]);
    let mut representatives: Vec<u8> = Vec::new();
    for byte in 0..=u8::MAX {
        let class = dfa.byte_classes().get(byte);
        if usize::from(class) == representatives.len() {
            representatives.push(byte);
        }
        if let Some(slot) = classes.get_mut(usize::from(byte)) {
            *slot = class;
        }
    }
    (classes, representatives)
}

/// Numbers the states of another automaton as they are found.
struct Copy<'a> {
    dfa: &'a dense::DFA<Vec<u32>>,
    /// By the place of a state in the other table; dead where it was not found yet.
    numbers: Vec<u32>,
    states: Vec<StateID>,
    set_of: Vec<u32>,
    set_numbers: HashMap<Box<[u32]>, u32>,
    sets: Vec<Box<[u32]>>,
}

impl<'a> Copy<'a> {
    fn new(dfa: &'a dense::DFA<Vec<u32>>) -> Self {
        let empty: Box<[u32]> = Box::new([]);
        Self {
            dfa,
            numbers: Vec::new(),
            // The dead state of the other automaton is 0 too.
            states: vec![StateID::ZERO],
            set_of: vec![0],
            set_numbers: HashMap::from([(empty.clone(), 0)]),
            sets: vec![empty],
        }
    }

    fn number(&mut self, state: StateID) -> u32 {
        if self.dfa.is_dead_state(state) {
            return DEAD;
        }
        let place = state.as_usize() >> self.dfa.stride2();
        if self.numbers.len() <= place {
            self.numbers.resize(place + 1, DEAD);
        }
        let next = count(self.states.len());
        match self.numbers.get_mut(place) {
            Some(number @ &mut DEAD) => *number = next,
            Some(number) => return *number,
            None => return DEAD,
        }
        self.states.push(state);
        let set = self.set_at_end(state);
        self.set_of.push(set);
        next
    }

    /// The set of patterns that match when the text ends in `state`.
    fn set_at_end(&mut self, state: StateID) -> u32 {
        let end = self.dfa.next_eoi_state(state);
        let mut set: Vec<u32> = Vec::new();
        if self.dfa.is_match_state(end) {
            set.extend((0..self.dfa.match_len(end)).map(|index| self.dfa.match_pattern(end, index).as_u32()));
        }
        set.sort_unstable();
        let set = set.into_boxed_slice();
        if let Some(&number) = self.set_numbers.get(&set) {
            return number;
        }
        let number = count(self.sets.len());
        self.set_numbers.insert(set.clone(), number);
        self.sets.push(set);
        number
    }
}

/// A count that the size limits keep far below what fits.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
