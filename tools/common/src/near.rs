//! Names in a directory that are close to one that does not exist.

use crate::path::GuestPath;
use crate::store;

/// How many entries of a directory are looked at: enough for any source folder, bounded for any other.
const MAX_ENTRIES: usize = 5_000;
/// How many names are suggested: more would not help to choose.
const MAX_NAMES: usize = 3;
/// A name longer than this is compared only for equality without case, so that the work stays small.
const MAX_COMPARED: usize = 100;

/// Up to three names of `directory` that look like `wanted`, best first. None if it cannot be listed.
#[must_use]
pub fn names(directory: &GuestPath, wanted: &str) -> Vec<String> {
    let (mut close, mut looked_at) = (Vec::new(), 0);
    // A directory that cannot be listed has no names, as far as this tool may know.
    drop(store::list(directory, |name, _| {
        looked_at += 1;
        close.extend(rank(wanted, &name).map(|rank| (rank, name)));
        looked_at < MAX_ENTRIES
    }));
    close.sort();
    close.truncate(MAX_NAMES);
    close.into_iter().map(|(_, name)| name).collect()
}

/// How far `name` is from `wanted`, or nothing if it is too far to be meant.
fn rank(wanted: &str, name: &str) -> Option<usize> {
    let (wanted, name) = (wanted.to_lowercase(), name.to_lowercase());
    if wanted == name {
        return Some(0);
    }
    if stem(&wanted) == stem(&name) && !stem(&wanted).is_empty() {
        return Some(1);
    }
    if wanted.len() > MAX_COMPARED || name.len() > MAX_COMPARED {
        return None;
    }
    let distance = distance(&wanted, &name);
    (distance <= 1 + wanted.chars().count() / 4).then_some(1 + distance)
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The edit distance (insertions, deletions, substitutions) in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (to, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let here = (diagonal + usize::from(from != *to)).min(before + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = here;
            before = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
