//! The unified diff of a change.
//!
//! One algorithm is called directly, not through `similar::TextDiff`, which carries all of them: that is two thirds of the component.

use std::convert::Infallible;
use std::ops::Range;
use std::time::{Duration, Instant};

use caplet_tool_common::GuestPath;
use caplet_tool_common::text::plural;
use similar::DiffOp;
use similar::algorithms::{Capture, Replace, myers};

/// Time for finding the shortest diff; then a longer one does.
const PATIENCE: Duration = Duration::from_secs(2);
/// Lines shown around a change.
const CONTEXT: usize = 3;
/// Bytes of diff given: a change of hundreds of places is not read through.
const MAX_DIFF: usize = 64 * 1024;

/// Lines of both texts that are compared: about 100 MiB of memory.
const MAX_LINES: usize = 1_000_000;

/// The diff, with three lines of context, cut at a line's end where it is too long.
pub(crate) fn unified(path: &GuestPath, before: &str, after: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    if old.len() + new.len() > MAX_LINES {
        return format!("[file-edit: the file has {}, too many for a diff]\n", plural(new.len() as u64, "line"));
    }
    let mut text = format!("--- a{path}\n+++ b{path}\n");
    let mut left = 0;
    for hunk in hunks(&old, &new) {
        for line in hunk_lines(&hunk, &old, &new) {
            if text.len() + line.len() > MAX_DIFF || left > 0 {
                left += 1;
            } else {
                text.push_str(&line);
            }
        }
    }
    if left > 0 {
        text.push_str(&format!("[file-edit: {} of this diff left out]\n", plural(left, "more line")));
    }
    text
}

fn hunks(old: &[&str], new: &[&str]) -> Vec<Vec<DiffOp>> {
    let mut hook = Replace::new(Capture::new());
    let deadline = Instant::now().checked_add(PATIENCE);
    let result: Result<(), Infallible> =
        myers::diff_deadline(&mut hook, old, 0..old.len(), new, 0..new.len(), deadline);
    let Ok(()) = result;
    hook.into_inner().into_grouped_ops(CONTEXT)
}

fn hunk_lines(hunk: &[DiffOp], old: &[&str], new: &[&str]) -> Vec<String> {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { return Vec::new() };
    let was = span(&(first.old_range().start..last.old_range().end));
    let is = span(&(first.new_range().start..last.new_range().end));
    let mut lines = vec![format!("@@ -{was} +{is} @@\n")];
    for op in hunk {
        let (from, to) = (old.get(op.old_range()).unwrap_or_default(), new.get(op.new_range()).unwrap_or_default());
        if matches!(op, DiffOp::Equal { .. }) {
            lines.extend(from.iter().map(|line| prefixed(' ', line)));
        } else {
            lines.extend(from.iter().map(|line| prefixed('-', line)));
            lines.extend(to.iter().map(|line| prefixed('+', line)));
        }
    }
    lines
}

/// A range of lines as the format has it: counted from 1, and an empty one by the line before it.
fn span(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        count => format!("{},{count}", lines.start + 1),
    }
}

fn prefixed(sign: char, line: &str) -> String {
    if line.ends_with('\n') { format!("{sign}{line}") } else { format!("{sign}{line}\n\\ No newline at end of file\n") }
}
