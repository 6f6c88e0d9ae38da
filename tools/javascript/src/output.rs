//! Text of bounded size that keeps both ends.

use std::fmt;

/// Collects text; of what exceeds the limit the beginning and the end are kept, each half of the limit.
#[derive(Debug)]
pub(crate) struct Ends {
    limit: usize,
    head: String,
    /// At most twice the limit, so that cutting it is seldom.
    tail: String,
    total: usize,
}

impl Ends {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, head: String::new(), tail: String::new(), total: 0 }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.total = self.total.saturating_add(text.len());
        let half = self.limit / 2;
        let mut rest = text;
        if self.tail.is_empty() {
            let room = half.saturating_sub(self.head.len());
            let taken = floor(rest, room);
            self.head.push_str(rest.get(..taken).unwrap_or_default());
            rest = rest.get(taken..).unwrap_or_default();
        }
        // Only the end of what is left can be part of the end of all.
        let from = ceil(rest, rest.len().saturating_sub(self.limit));
        self.tail.push_str(rest.get(from..).unwrap_or_default());
        if self.tail.len() > self.limit * 2 {
            let from = ceil(&self.tail, self.tail.len() - self.limit);
            self.tail.drain(..from);
        }
    }

    /// Whether something is left out.
    pub(crate) fn overflowed(&self) -> bool {
        self.total > self.limit
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// The text, with a notice in the place of what is left out.
    pub(crate) fn finish(self, what: &str) -> String {
        let Self { limit, mut head, tail, total } = self;
        let keep = limit / 2;
        if total <= limit {
            head.push_str(&tail);
            return head;
        }
        let from = ceil(&tail, tail.len().saturating_sub(keep));
        let tail = tail.get(from..).unwrap_or_default();
        let left_out = total - head.len() - tail.len();
        format!("{head}\n[javascript: {left_out} bytes of {what} left out]\n{tail}")
    }
}

impl fmt::Write for Ends {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::Ends;

    #[test]
    fn what_fits_is_whole() {
        let mut ends = Ends::new(10);
        ends.push("abcdefg");
        ends.push("hij");
        assert_eq!(ends.finish("x"), "abcdefghij");
    }

    #[test]
    fn both_ends_of_the_rest_are_kept() {
        let mut ends = Ends::new(10);
        for letter in 'a'..='z' {
            ends.push(&letter.to_string());
        }
        assert!(ends.overflowed());
        assert_eq!(ends.finish("x"), "abcde\n[javascript: 16 bytes of x left out]\nvwxyz");
    }

    #[test]
    fn no_character_is_cut() {
        let mut ends = Ends::new(7);
        ends.push(&"é".repeat(100));
        assert_eq!(ends.finish("x"), "é\n[javascript: 196 bytes of x left out]\né");
    }
}
