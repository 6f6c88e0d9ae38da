//! The page of paths that come next, in bounded memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Found;

/// A path's place in the order: newest first, then by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    changed_ms: Reverse<u64>,
    path: String,
}

impl Key {
    /// Reads a cursor, `MILLISECONDS:PATH`.
    pub(crate) fn parse(cursor: &str) -> Result<Self, String> {
        let parts = cursor.split_once(':').and_then(|(ms, path)| Some((ms.parse().ok()?, path)));
        let (ms, path) = parts.ok_or_else(|| {
            "cursor is not one that file-glob gave: pass next_cursor unchanged, or leave it out to start again."
                .to_owned()
        })?;
        Ok(Self { changed_ms: Reverse(ms), path: path.to_owned() })
    }

    fn cursor(&self) -> String {
        format!("{}:{}", self.changed_ms.0, self.path)
    }
}

/// The first `limit` paths after a place. The heap's top is the last of them, the one to give way to an earlier one.
#[derive(Debug)]
pub(crate) struct Page {
    limit: usize,
    after: Option<Key>,
    kept: BinaryHeap<Key>,
    left: bool,
    total: u32,
}

impl Page {
    pub(crate) fn new(limit: usize, after: Option<Key>) -> Self {
        Self { limit, after, kept: BinaryHeap::new(), left: false, total: 0 }
    }

    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    pub(crate) fn add(&mut self, changed_ms: u64, path: impl FnOnce() -> String) {
        self.total = self.total.saturating_add(1);
        let key = Key { changed_ms: Reverse(changed_ms), path: path() };
        if self.after.as_ref().is_some_and(|after| key <= *after) {
            return;
        }
        self.kept.push(key);
        if self.kept.len() > self.limit {
            self.kept.pop();
            self.left = true;
        }
    }

    pub(crate) fn finish(self, notice: Option<String>) -> Found {
        let keys = self.kept.into_sorted_vec();
        let next_cursor = keys.last().filter(|_| self.left).map(Key::cursor);
        Found { paths: keys.into_iter().map(|key| key.path).collect(), total: self.total, next_cursor, notice }
    }
}
