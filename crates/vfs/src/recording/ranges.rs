//! Sets of bytes of a file, as ranges.

use std::collections::BTreeMap;

/// Ranges by their start, with their end, which is not in them. No two touch.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// How many ranges there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds what is from `start` up to `end`.
    pub(super) fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let (mut start, mut end) = (start, end);
        // Those that touch it become one with it.
        while let Some((&from, &to)) = self.0.range(..=end).next_back().filter(|(_, to)| **to >= start) {
            self.0.remove(&from);
            start = start.min(from);
            end = end.max(to);
        }
        self.0.insert(start, end);
    }

    /// The end of the range that `at` is in; `at` itself where it is in none.
    pub(super) fn reach(&self, at: u64) -> u64 {
        self.0.range(..=at).next_back().map_or(at, |(_, to)| (*to).max(at))
    }

    /// What of `start` up to `end` is in none.
    pub(super) fn gaps(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut at = self.reach(start);
        while at < end {
            let next = self.0.range(at..).next().map_or(end, |(from, _)| (*from).min(end));
            gaps.push((at, next));
            at = self.reach(next);
            if at == next {
                break;
            }
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    #[test]
    fn ranges_that_touch_are_one_and_gaps_are_what_is_between() {
        let mut ranges = Ranges::default();
        for (start, end) in [(10, 20), (30, 40), (20, 25), (5, 5), (60, u64::MAX)] {
            ranges.insert(start, end);
        }
        assert_eq!(ranges.count(), 3);
        assert_eq!(ranges.gaps(0, 100), [(0, 10), (25, 30), (40, 60)]);
        assert_eq!(ranges.gaps(12, 35), [(25, 30)]);
        assert_eq!(ranges.gaps(12, 20), []);
        assert_eq!((ranges.reach(15), ranges.reach(25), ranges.reach(70)), (25, 25, u64::MAX));
        ranges.insert(0, 70);
        assert_eq!((ranges.count(), ranges.gaps(0, u64::MAX)), (1, vec![]));
    }
}
