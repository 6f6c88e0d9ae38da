//! Values in the order in which they crossed.

use serde::{Deserialize, Serialize};

/// Values in a row, each with how often it came again right after.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Row<T>(Vec<(u32, T)>);

impl<T> Default for Row<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> Row<T> {
    /// Whether `value` is the one that came last, which takes no more room.
    pub(super) fn is_last(&self, value: &T) -> bool {
        self.0.last().is_some_and(|(_, last)| last == value)
    }

    pub(super) fn push(&mut self, value: T) {
        match self.0.last_mut().filter(|(times, last)| *last == value && *times < u32::MAX) {
            Some((times, _)) => *times += 1,
            None => self.0.push((1, value)),
        }
    }
}

/// A place in a row.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    at: usize,
    times: u32,
}

impl Cursor {
    /// The next value of `row`; nothing at its end.
    pub(super) fn next<'r, T>(&mut self, row: &'r Row<T>) -> Option<&'r T> {
        let (times, value) = row.0.get(self.at)?;
        self.times += 1;
        if self.times >= *times {
            *self = Self { at: self.at + 1, times: 0 };
        }
        Some(value)
    }

    /// How many of the values of `row` are still to come.
    pub(super) fn left<T>(&self, row: &Row<T>) -> u64 {
        let all: u64 = row.0.iter().skip(self.at).map(|(times, _)| u64::from(*times)).sum();
        all.saturating_sub(u64::from(self.times))
    }
}
