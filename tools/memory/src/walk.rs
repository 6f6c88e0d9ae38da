//! All names, and the notes of many names, within what one call may do.
//!
//! The host ends a call at 10,000 operations on keys (`kv-ops`). A page of names counts up to 64, where the host passes over keys that
//! are not granted; a note counts one. The bounds here stay below that together: 60 × 64 + 6,000.

use crate::bucket::{Act, Bucket, Failure};
use crate::name::Name;
use crate::note::Note;
use caplet_tool_common::text::plural;

/// Pages of names.
const MAX_PAGES: usize = 60;
/// Notes that are read.
const MAX_NOTES: usize = 6_000;
/// Bytes of values that are read: some seconds of work.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Notes that are read at once: their values, of at most 1 MiB, fit into the guest's memory together.
const BATCH: usize = 16;

/// The names of notes.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Those that begin with what was asked for, in order.
    pub(crate) matching: Vec<Name>,
    /// How many there are whatever they begin with.
    pub(crate) total: usize,
    /// There are more than this tool looks at.
    pub(crate) is_cut: bool,
}

/// Reads all names.
pub(crate) fn names<B: Bucket>(bucket: &B, prefix: &str) -> Result<Names, Failure> {
    let mut names = Names::default();
    let mut from = None;
    for page in 1..=MAX_PAGES {
        let found = bucket.keys(from.take())?;
        // What could be no name is of something else.
        names.matching.extend(found.keys.iter().filter_map(|key| Name::parse(key).ok()));
        let Some(next) = found.next else { break };
        names.is_cut = page == MAX_PAGES;
        from = Some(next);
    }
    names.matching.sort();
    names.matching.dedup();
    names.total = names.matching.len();
    names.matching.retain(|name| name.as_str().starts_with(prefix));
    Ok(names)
}

/// How far a walk came.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// How many of the names were dealt with, from the first.
    pub(crate) names: usize,
    /// How many of them are of notes that could be read.
    pub(crate) notes: usize,
    /// How many have a value that is no note.
    pub(crate) foreign: usize,
}

/// Reads the notes of `names` in their order, until `visit` says that this was enough.
pub(crate) fn notes<B: Bucket>(
    bucket: &B,
    names: &[Name],
    mut visit: impl FnMut(&Name, Note) -> bool,
) -> Result<Walked, String> {
    let (mut walked, mut bytes) = (Walked::default(), 0);
    for batch in names.get(..names.len().min(MAX_NOTES)).unwrap_or(names).chunks(BATCH) {
        if bytes >= MAX_BYTES {
            break;
        }
        let keys: Vec<String> = batch.iter().map(|name| name.as_str().to_owned()).collect();
        let values = bucket.get_many(&keys).map_err(|failure| failure.explain(Act::Look))?;
        for (name, value) in batch.iter().zip(values) {
            walked.names += 1;
            // It was forgotten meanwhile.
            let Some(value) = value else { continue };
            bytes += value.len();
            let Ok(note) = Note::decode(&value) else {
                walked.foreign += 1;
                continue;
            };
            walked.notes += 1;
            if !visit(name, note) {
                return Ok(walked);
            }
        }
    }
    Ok(walked)
}

/// What an answer says about names and notes that it leaves out.
pub(crate) fn notices(names: &Names, walked: &Walked) -> Vec<String> {
    let mut notices = Vec::new();
    if names.is_cut {
        notices.push(format!(
            "There are more than the {} notes that were looked at; get finds each of them by its name.",
            names.total
        ));
    }
    if walked.foreign > 0 {
        let count = plural(u64::try_from(walked.foreign).unwrap_or(u64::MAX), "key");
        notices.push(format!("{count} of the bucket passed over: no note that this version of the tool can read."));
    }
    notices
}
