//! Changing a text.

use super::parse::{Difference, Hunk, Line};

/// What came of it.
pub(super) struct Applied {
    pub(super) text: Vec<u8>,
    /// The hunks that fit nowhere.
    pub(super) rejected: Vec<usize>,
    /// Whether all stood where the patch says.
    pub(super) exact: bool,
    pub(super) notes: Vec<Note>,
}

pub(super) struct Note {
    pub(super) hunk: usize,
    pub(super) text: String,
}

/// Applies all hunks that fit. Up to `fuzz` lines at their ends may differ.
pub(super) fn apply(difference: &Difference, old: &[u8], fuzz: usize) -> Applied {
    let lines: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
    let mut result =
        Applied { text: Vec::with_capacity(old.len()), rejected: Vec::new(), exact: true, notes: Vec::new() };
    // How far hunks have stood from where they should, and how many lines were added before.
    let (mut offset, mut grown, mut done) = (0_isize, 0_isize, 0_usize);
    for (number, hunk) in difference.hunks.iter().enumerate() {
        let Some(place) = find(hunk, &lines, done, offset, fuzz) else {
            result.rejected.push(number);
            result.exact = false;
            let line = hunk.new_start.cast_signed().saturating_add(offset);
            let text = format!("Hunk #{} FAILED at {line}.", number + 1);
            result.notes.push(Note { hunk: number, text });
            continue;
        };
        let wanted = first(hunk) + place.skip;
        let moved = place.at.cast_signed() - wanted.cast_signed();
        if moved != 0 || place.fuzz > 0 {
            result.exact = false;
            let at = (place.at - place.skip).cast_signed() + grown + 1;
            let fuzzy = if place.fuzz > 0 { format!(" with fuzz {}", place.fuzz) } else { String::new() };
            let plural = if moved.abs() == 1 { "line" } else { "lines" };
            let far = if moved != 0 { format!(" (offset {moved} {plural})") } else { String::new() };
            let text = format!("Hunk #{} succeeded at {at}{fuzzy}{far}.", number + 1);
            result.notes.push(Note { hunk: number, text });
        }
        offset = moved;
        for line in lines.get(done..place.at).unwrap_or_default() {
            result.text.extend_from_slice(line);
        }
        let middle = hunk.lines.get(place.skip..hunk.lines.len() - place.cut).unwrap_or_default();
        let mut at = place.at;
        for line in middle {
            match line {
                // The text's own line: blanks at the patch's may have been lost.
                Line::Same(_) => {
                    result.text.extend_from_slice(lines.get(at).copied().unwrap_or_default());
                    at += 1;
                }
                Line::Old(_) => at += 1,
                Line::New(text) => {
                    if !result.text.is_empty() && !result.text.ends_with(b"\n") {
                        result.text.push(b'\n');
                    }
                    result.text.extend_from_slice(text);
                }
            }
        }
        grown += hunk.side(false).len().cast_signed() - hunk.side(true).len().cast_signed();
        done = at;
    }
    for line in lines.get(done..).unwrap_or_default() {
        result.text.extend_from_slice(line);
    }
    result
}

/// The index of the line that a hunk says it begins at.
fn first(hunk: &Hunk) -> usize {
    // A hunk that only adds names the line before.
    if hunk.side(true).is_empty() { hunk.old_start } else { hunk.old_start.saturating_sub(1) }
}

struct Place {
    at: usize,
    fuzz: usize,
    /// How many lines at the hunk's start and end are left out.
    skip: usize,
    cut: usize,
}

/// Where a hunk fits, the nearest place first.
fn find(hunk: &Hunk, lines: &[&[u8]], from: usize, offset: isize, most: usize) -> Option<Place> {
    let same = |line: &&Line| matches!(line, Line::Same(_));
    let lead = hunk.lines.iter().take_while(same).count();
    let trail = hunk.lines.iter().rev().take_while(same).count();
    let old = hunk.side(true);
    // Less context at one end than at the other means that the text ends there.
    let context = lead.max(trail);
    for fuzz in 0..=most.min(context) {
        let skip = (lead + fuzz).saturating_sub(context).min(lead);
        let cut = (trail + fuzz).saturating_sub(context).min(trail);
        let wanted = old.get(skip..old.len().saturating_sub(cut)).unwrap_or_default();
        let guess = (first(hunk) + skip).cast_signed().saturating_add(offset);
        let last = lines.len().checked_sub(wanted.len())?;
        let fits = |at: isize| {
            let at = usize::try_from(at).ok().filter(|at| *at >= from && *at <= last)?;
            let there = lines.get(at..at + wanted.len())?;
            // The last line of a text may have no end.
            there.iter().zip(wanted).all(|(one, two)| one == two).then_some(at)
        };
        let only = wanted.is_empty() && hunk.old_start == 0;
        let reach = if only { 0 } else { lines.len().cast_signed() };
        let at = (0..=reach).find_map(|far| fits(guess + far).or_else(|| fits(guess - far)));
        if let Some(at) = at {
            return Some(Place { at, fuzz, skip, cut });
        }
    }
    None
}
