//! Automata that read one text side by side: every joint state that some text leads to, the shortest texts first.

use std::collections::HashMap;
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
        let mut seen: HashMap<Vec<u8>, ()> = HashMap::new();
        let mut bytes: Vec<u8> = (0..=u8::MAX).collect();
        bytes.sort_by_key(|byte| preference(*byte));
        bytes.retain(|&byte| {
            let mut key = vec![universe.class(byte)];
            key.extend(machines.iter().map(|machine| machine.class(byte)));
            seen.insert(key, ()).is_none()
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
        let mut numbers: HashMap<Box<[u32]>, ()> = HashMap::from([(start.clone(), ())]);
        let mut nodes = vec![Node { states: start, before: usize::MAX, byte: 0 }];
        let node_bytes = (self.machines.len() + 1) * size_of::<u32>() * 2 + 3 * size_of::<Node>();
        let mut steps: u64 = 0;
        let mut at = 0;
        while at < nodes.len() {
            let states = nodes.get(at).map(|node| node.states.clone()).unwrap_or_default();
            let (universe, machines) = states.split_first().map_or((DEAD, &[][..]), |(first, rest)| (*first, rest));
            if !self.universe.matches(universe).is_empty() && visit(machines, &|| text(&nodes, at)).is_break() {
                return Ok(());
            }
            for &byte in &self.bytes {
                steps += 1;
                let Some(next) = self.step(&states, byte).filter(|next| !is_hopeless(next.get(1..).unwrap_or(&[])))
                else {
                    continue;
                };
                if numbers.insert(next.clone(), ()).is_none() {
                    nodes.push(Node { states: next, before: at, byte });
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

    /// The joint state after `byte`; `None` where no text goes on like that.
    fn step(&self, states: &[u32], byte: u8) -> Option<Box<[u32]>> {
        let (universe, machines) = states.split_first()?;
        let universe = self.universe.step(*universe, byte);
        if universe == DEAD {
            return None;
        }
        let machines = self.machines.iter().zip(machines).map(|(machine, &state)| machine.step(state, byte));
        Some(std::iter::once(universe).chain(machines).collect())
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
