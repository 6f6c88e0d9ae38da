//! Automata that read one text side by side: every joint state that some text leads to, the shortest texts first.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::budget::{Budget, GaveUp, Obstacle};
use crate::class::Class;
use crate::pattern::automaton::{Automaton, DEAD};

/// Automata side by side. The first reads the texts that there are; the others may be asked about each of them.
pub(super) struct Product<'a> {
    class: Class,
    universe: &'a Automaton,
    machines: Vec<&'a Automaton>,
    /// One byte of each joint class, the most readable.
    bytes: Vec<u8>,
}

/// A joint state, and how it was first reached.
struct Node {
    states: Box<[u32]>,
    before: usize,
    byte: u8,
}

impl<'a> Product<'a> {
    pub(super) fn new(class: Class, universe: &'a Automaton, machines: impl Iterator<Item = &'a Automaton>) -> Self {
        let machines: Vec<&Automaton> = machines.collect();
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        let mut bytes: Vec<u8> = (0..=u8::MAX).collect();
        bytes.sort_by_key(|byte| preference(*byte));
        bytes.retain(|&byte| {
            let mut key = vec![universe.class(byte)];
            key.extend(machines.iter().map(|machine| machine.class(byte)));
            seen.insert(key)
        });
        Self { class, universe, machines, bytes }
    }

    /// Visits every text's joint state once. `is_hopeless` says of states, without that of the universe, that no text which goes on
    /// from there matters; `visit` gets the states and a way to their text.
    pub(super) fn explore(
        &self,
        budget: &Budget,
        is_hopeless: impl Fn(&[u32]) -> bool,
        mut visit: impl FnMut(&[u32], &dyn Fn() -> Option<String>) -> ControlFlow<()>,
    ) -> Result<(), GaveUp> {
        let start: Box<[u32]> =
            std::iter::once(self.universe.start()).chain(self.machines.iter().map(|machine| machine.start())).collect();
        let mut known: HashSet<Box<[u32]>> = HashSet::from([start.clone()]);
        let mut next: Vec<u32> = Vec::with_capacity(start.len());
        let mut nodes = vec![Node { states: start, before: usize::MAX, byte: 0 }];
        let node_bytes = (self.machines.len() + 1) * size_of::<u32>() * 2 + 3 * size_of::<Node>();
        let steps_at_once = u64::try_from(self.machines.len()).unwrap_or(u64::MAX).saturating_add(1);
        let mut steps: u64 = 0;
        let mut at = 0;
        while at < nodes.len() {
            let states = nodes.get(at).map(|node| node.states.clone()).unwrap_or_default();
            let (universe, machines) = states.split_first().map_or((DEAD, &[][..]), |(first, rest)| (*first, rest));
            if !self.universe.matches(universe).is_empty() && visit(machines, &|| text(&nodes, at)).is_break() {
                return Ok(());
            }
            for &byte in &self.bytes {
                steps = steps.saturating_add(steps_at_once);
                if !self.step(&states, byte, &mut next) || known.contains(next.as_slice()) {
                    continue;
                }
                if !is_hopeless(next.get(1..).unwrap_or(&[])) {
                    let states: Box<[u32]> = next.as_slice().into();
                    known.insert(states.clone());
                    nodes.push(Node { states, before: at, byte });
                }
            }
            self.check(budget, nodes.len(), nodes.len() * node_bytes, steps)?;
            at += 1;
        }
        Ok(())
    }

    fn check(&self, budget: &Budget, states: usize, bytes: usize, steps: u64) -> Result<(), GaveUp> {
        let obstacle = if states > budget.states {
            Obstacle::States
        } else if bytes > budget.bytes {
            Obstacle::Memory
        } else if steps > budget.steps {
            Obstacle::Steps
        } else {
            return Ok(());
        };
        Err(GaveUp::new(self.class, obstacle))
    }

    /// Puts the joint state after `byte` into `next`; false where no text goes on like that.
    fn step(&self, states: &[u32], byte: u8, next: &mut Vec<u32>) -> bool {
        let Some((universe, machines)) = states.split_first() else { return false };
        let universe = self.universe.step(*universe, byte);
        next.clear();
        next.push(universe);
        next.extend(self.machines.iter().zip(machines).map(|(machine, &state)| machine.step(state, byte)));
        universe != DEAD
    }
}

/// The text that leads to a node.
fn text(nodes: &[Node], mut at: usize) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some(node) = nodes.get(at).filter(|node| node.before != usize::MAX) {
        bytes.push(node.byte);
        at = node.before;
    }
    bytes.reverse();
    String::from_utf8(bytes).ok()
}

/// Bytes in the order in which a reader likes to see them in an example.
fn preference(byte: u8) -> (u8, u8) {
    let group = match byte {
        b'a'..=b'z' => 0,
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'-' | b'_' | b'.' | b'/' => 3,
        b'!'..=b'~' => 4,
        b' ' => 5,
        _ => 6,
    };
    (group, byte)
}
