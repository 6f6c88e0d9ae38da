//! Where a text occurs, whatever the line endings.

use std::ops::Range;

/// Every place in `text` where `old` occurs, not overlapping. Where it does not occur as it is, it is looked for again with CRLF
/// and LF taken as equal.
pub(crate) fn find(text: &str, old: &str) -> Vec<Range<usize>> {
    let exact: Vec<_> = text.match_indices(old).map(|(at, found)| at..at + found.len()).collect();
    if !exact.is_empty() || !(text.contains("\r\n") || old.contains("\r\n")) {
        return exact;
    }
    let old = old.replace("\r\n", "\n");
    let (folded, removed) = fold(text);
    let place = |at: usize| at + removed.partition_point(|before| *before < at);
    folded.match_indices(&old).map(|(at, found)| place(at)..place(at + found.len())).collect()
}

/// Whether `old` occurs once more, overlapping its first place: then "the only one" is not well defined.
pub(crate) fn overlaps(text: &str, old: &str, first: &Range<usize>) -> bool {
    let next = text.ceil_char_boundary(first.start + 1);
    text.get(next..)
        .is_some_and(|rest| rest.get(..rest.floor_char_boundary(2 * old.len())).is_some_and(|near| near.contains(old)))
}

/// The text with LF for CRLF, and for each CR taken out the place in the new text before which it stood.
fn fold(text: &str) -> (String, Vec<usize>) {
    let mut folded = String::with_capacity(text.len());
    let mut removed = Vec::new();
    for line in text.split_inclusive('\n') {
        match line.strip_suffix("\r\n") {
            Some(body) => {
                folded.push_str(body);
                removed.push(folded.len());
                folded.push('\n');
            }
            None => folded.push_str(line),
        }
    }
    (folded, removed)
}

/// Gives `new` the line endings of the place it goes to: those within the place, else those of the whole text if it has one kind.
pub(crate) fn with_endings(new: &str, place: &str, whole: &str) -> String {
    let crlf = match first_ending(place) {
        Some(crlf) => crlf,
        None => match first_ending(whole) {
            Some(true) if whole.matches('\n').count() == whole.matches("\r\n").count() => true,
            Some(false) if !whole.contains("\r\n") => false,
            _ => return new.to_owned(),
        },
    };
    let unix = new.replace("\r\n", "\n");
    if crlf { unix.replace('\n', "\r\n") } else { unix }
}

fn first_ending(text: &str) -> Option<bool> {
    let at = text.find('\n')?;
    Some(text.get(..at).is_some_and(|line| line.ends_with('\r')))
}
