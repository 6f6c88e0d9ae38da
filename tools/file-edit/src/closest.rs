//! The lines of a file that are most like a text that does not occur in it: what the caller probably meant.

use std::collections::BTreeMap;
use std::fmt;

use caplet_tool_common::text::prefix;

/// Lines of the wanted text that are compared, and shown.
const MAX_LINES: usize = 30;
/// Lines of the file that are looked at.
const MAX_FILE_LINES: usize = 50_000;
/// Bytes of a line that are compared and shown.
const MAX_LINE: usize = 200;
/// Likeness below this is chance (share of common letter pairs, Dice's coefficient, in percent).
const MIN_LIKENESS: usize = 60;

/// Lines of the file that are close to what was wanted.
pub(crate) struct Region<'a> {
    first: usize,
    lines: Vec<&'a str>,
    only_white_space: bool,
}

impl fmt::Display for Region<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.first + self.lines.len().saturating_sub(1);
        let how = if self.only_white_space { " differ only in white space" } else { " are the closest" };
        let lines = if self.first == last { format!("Line {last}") } else { format!("Lines {} to {last}", self.first) };
        let how =
            if self.first == last { how.replace("differ ", "differs ").replace("are", "is") } else { how.to_owned() };
        writeln!(out, " {lines}{how}:")?;
        for line in &self.lines {
            writeln!(out, "{}", prefix(line, MAX_LINE))?;
        }
        write!(out, "Copy the text exactly, white space included.")
    }
}

/// The closest region, if any is close enough to be meant.
pub(crate) fn region<'a>(text: &'a str, old: &str) -> Option<Region<'a>> {
    let file: Vec<&str> = text.lines().take(MAX_FILE_LINES).collect();
    let wanted: Vec<&str> = old.trim_matches('\n').lines().take(MAX_LINES).collect();
    let start = by_equal_lines(&file, &wanted).or_else(|| by_likeness(&file, &wanted))?;
    let lines: Vec<&str> = file.iter().skip(start).take(wanted.len()).copied().collect();
    let squeezed = |lines: &[&str]| lines.iter().map(|line| squeeze(line)).collect::<String>();
    let only_white_space = squeezed(&lines) == squeezed(&wanted);
    Some(Region { first: start + 1, lines, only_white_space })
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect()
}

/// The start at which most lines are equal but for white space.
fn by_equal_lines(file: &[&str], wanted: &[&str]) -> Option<usize> {
    let mut at: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, line) in wanted.iter().enumerate() {
        let key = squeeze(line);
        if key.len() > 2 {
            at.entry(key).or_default().push(index);
        }
    }
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    for (line_index, line) in file.iter().enumerate() {
        for wanted_index in at.get(&squeeze(line)).into_iter().flatten() {
            *votes.entry(line_index.saturating_sub(*wanted_index)).or_default() += 1;
        }
    }
    votes.into_iter().max_by_key(|(start, count)| (*count, usize::MAX - start)).map(|(start, _)| start)
}

/// The start at which the longest wanted line has its most similar line.
fn by_likeness(file: &[&str], wanted: &[&str]) -> Option<usize> {
    let (index, longest) = wanted.iter().enumerate().max_by_key(|(_, line)| line.trim().len())?;
    let pairs = letter_pairs(longest);
    let scored = file.iter().enumerate().map(|(at, line)| (likeness(&pairs, &letter_pairs(line)), at));
    let (score, at) = scored.max_by_key(|(score, at)| (*score, usize::MAX - at))?;
    (score >= MIN_LIKENESS).then(|| at.saturating_sub(index))
}

fn letter_pairs(line: &str) -> Vec<[u8; 2]> {
    let line = prefix(line.trim(), MAX_LINE).as_bytes();
    let mut pairs: Vec<[u8; 2]> = line.array_windows().copied().collect();
    pairs.sort_unstable();
    pairs
}

/// Dice's coefficient of two sorted lists of pairs, in percent.
fn likeness(left: &[[u8; 2]], right: &[[u8; 2]]) -> usize {
    let (mut i, mut j, mut common) = (0, 0, 0_usize);
    while let Some((a, b)) = left.get(i).zip(right.get(j)) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    (200 * common).checked_div(left.len() + right.len()).unwrap_or(0)
}
