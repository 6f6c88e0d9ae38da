//! Lists notes by name.

use crate::bucket::{Act, Bucket};
use crate::name::{self, Name};
use crate::note::Note;
use crate::walk::{self, Names};

/// Notes in an answer.
const USUAL: u32 = 100;
const MOST: u32 = 500;
/// Bytes of names, tags and first lines in an answer.
const MAX_ANSWER: usize = 192 * 1024;

/// What the caller wants to see.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    /// How names begin.
    pub prefix: Option<String>,
    /// A tag that notes have.
    pub tag: Option<String>,
    /// Notes to return at most.
    pub limit: Option<u32>,
    /// The name after which to go on.
    pub cursor: Option<String>,
}

/// A note in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Bytes of its text.
    pub size: u32,
    /// Its tags.
    pub tags: Vec<String>,
    /// The first line that is not blank.
    pub first_line: String,
}

/// Notes by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The notes, in order.
    pub notes: Vec<Entry>,
    /// How many there are with the prefix.
    pub total: u32,
    /// Where to go on.
    pub next_cursor: Option<String>,
    /// What to know about it.
    pub notice: Option<String>,
}

/// Lists notes by name.
///
/// # Errors
/// A sentence that says why they cannot be listed.
pub fn list<B: Bucket>(bucket: &B, request: &ListRequest) -> Result<Listing, String> {
    let limit = name::limit(request.limit, USUAL, MOST)?;
    let prefix = request.prefix.as_deref().unwrap_or_default();
    let names = walk::names(bucket, prefix).map_err(|failure| failure.explain(Act::Look))?;
    let start = names.matching.partition_point(|name| Some(name.as_str()) <= request.cursor.as_deref());
    let rest = names.matching.get(start..).unwrap_or_default();
    let (mut notes, mut bytes) = (Vec::new(), 0);
    let walked = walk::notes(bucket, rest, |name, note| {
        if request.tag.as_ref().is_none_or(|tag| note.tags.has(tag)) {
            let entry = entry(name, note);
            bytes += entry.name.len() + entry.first_line.len() + entry.tags.iter().map(String::len).sum::<usize>();
            notes.push(entry);
        }
        notes.len() < limit && bytes < MAX_ANSWER
    })?;
    let last = walked.names.checked_sub(1).and_then(|last| rest.get(last));
    let next_cursor = last.filter(|_| walked.names < rest.len()).map(|name| name.as_str().to_owned());
    let mut notices = walk::notices(&names, &walked);
    if notes.is_empty() && next_cursor.is_none() {
        notices.extend(why_none(request, &names));
    }
    Ok(Listing {
        notes,
        total: u32::try_from(names.matching.len()).unwrap_or(u32::MAX),
        next_cursor,
        notice: (!notices.is_empty()).then(|| notices.join(" ")),
    })
}

fn entry(name: &Name, note: Note) -> Entry {
    let (size, first_line) = (note.size(), note.first_line());
    Entry { name: name.as_str().to_owned(), size, tags: note.tags.into_vec(), first_line }
}

fn why_none(request: &ListRequest, names: &Names) -> Option<String> {
    let prefix = request.prefix.as_deref().unwrap_or_default();
    if names.total == 0 {
        Some("There are no notes yet.".to_owned())
    } else if names.matching.is_empty() {
        Some(format!("No name begins with `{prefix}`; there are {} notes with other names.", names.total))
    } else if let (Some(tag), None) = (&request.tag, &request.cursor) {
        Some(format!("None of the notes has the tag `{tag}`; search finds notes by words."))
    } else {
        None
    }
}
