//! What differs between two texts, and how it is written.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use crate::command::Writer;
use crate::syntax::ast::Text;

/// How long the shortest difference is looked for; then a longer one does.
const TIME: Duration = Duration::from_secs(5);

/// Lines of the old text in whose place lines of the new one stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

/// All changes, in order.
pub(super) fn changes(old: &[Text], new: &[Text]) -> Vec<Change> {
    // Numbers are compared faster than lines.
    let mut numbers: HashMap<&[u8], usize> = HashMap::new();
    let mut ids = [Vec::with_capacity(old.len()), Vec::with_capacity(new.len())];
    for (ids, lines) in ids.iter_mut().zip([old, new]) {
        for line in lines {
            let next = numbers.len();
            ids.push(*numbers.entry(line.as_slice()).or_insert(next));
        }
    }
    let [old, new] = ids;
    let deadline = Instant::now() + TIME;
    let mut all: Vec<Change> = Vec::new();
    for operation in capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline)) {
        if matches!(operation, DiffOp::Equal { .. }) {
            continue;
        }
        let (old, new) = (operation.old_range(), operation.new_range());
        match all.last_mut() {
            Some(last) if last.old.end == old.start && last.new.end == new.start => {
                last.old.end = old.end;
                last.new.end = new.end;
            }
            _ => all.push(Change { old, new }),
        }
    }
    slide(&mut all, &old, &new);
    all
}

/// Moves what is only added, or only removed, as far down as the lines allow, which is where GNU puts it.
fn slide(all: &mut Vec<Change>, old: &[usize], new: &[usize]) {
    let mut at = 0;
    while at < all.len() {
        let next = all.get(at + 1).cloned();
        let Some(change) = all.get_mut(at) else { return };
        let bound = next.as_ref().map_or(old.len(), |next| next.old.start);
        while change.old.end < bound {
            let moved = if change.old.is_empty() && !change.new.is_empty() {
                new.get(change.new.start) == new.get(change.new.end)
            } else if change.new.is_empty() {
                old.get(change.old.start) == old.get(change.old.end)
            } else {
                false
            };
            if !moved {
                break;
            }
            change.old = change.old.start + 1..change.old.end + 1;
            change.new = change.new.start + 1..change.new.end + 1;
        }
        let end = (change.old.end, change.new.end);
        if let Some(next) = next.filter(|next| (next.old.start, next.new.start) == end) {
            change.old.end = next.old.end;
            change.new.end = next.new.end;
            all.remove(at + 1);
        } else {
            at += 1;
        }
    }
}

/// A line after its mark; one without an end gets it, and a note.
fn line(out: &mut Writer, mark: &[u8], line: &[u8]) {
    out.put(mark);
    out.put(line);
    if !line.ends_with(b"\n") {
        out.put(b"\n\\ No newline at end of file\n");
    }
}

/// `1,2c3`, and the lines.
pub(super) fn normal(out: &mut Writer, old: &[&[u8]], new: &[&[u8]], change: &Change) {
    let place = |range: &Range<usize>| match range.len() {
        0 => range.start.to_string(),
        1 => (range.start + 1).to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    };
    let letter = match (change.old.is_empty(), change.new.is_empty()) {
        (true, _) => 'a',
        (_, true) => 'd',
        _ => 'c',
    };
    out.put(format!("{}{letter}{}\n", place(&change.old), place(&change.new)).as_bytes());
    for text in old.get(change.old.clone()).unwrap_or_default() {
        line(out, b"< ", text);
    }
    if letter == 'c' {
        out.put(b"---\n");
    }
    for text in new.get(change.new.clone()).unwrap_or_default() {
        line(out, b"> ", text);
    }
}

/// Hunks with lines around them; changes that are near to each other share one.
pub(super) fn unified(out: &mut Writer, old: &[&[u8]], new: &[&[u8]], all: &[Change], context: usize) {
    let mut rest = all;
    while let Some(first) = rest.first() {
        let near = |pair: &[Change]| match pair {
            [one, two] => two.old.start - one.old.end <= context.saturating_mul(2),
            _ => false,
        };
        let count = 1 + rest.windows(2).take_while(|pair| near(pair)).count();
        let (group, later) = rest.split_at(count);
        rest = later;
        let last = group.last().unwrap_or(first);
        let before = context.min(first.old.start);
        let after = context.min(old.len() - last.old.end);
        let span = |from: usize, to: usize| match to - from {
            0 => format!("{from},0"),
            1 => (from + 1).to_string(),
            size => format!("{},{size}", from + 1),
        };
        let header = format!(
            "@@ -{} +{} @@\n",
            span(first.old.start - before, last.old.end + after),
            span(first.new.start - before, last.new.end + after)
        );
        out.put(header.as_bytes());
        let mut at = first.old.start - before;
        for change in group {
            for text in old.get(at..change.old.start).unwrap_or_default() {
                line(out, b" ", text);
            }
            for text in old.get(change.old.clone()).unwrap_or_default() {
                line(out, b"-", text);
            }
            for text in new.get(change.new.clone()).unwrap_or_default() {
                line(out, b"+", text);
            }
            at = change.old.end;
        }
        for text in old.get(at..last.old.end + after).unwrap_or_default() {
            line(out, b" ", text);
        }
    }
}
