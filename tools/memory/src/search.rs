//! Finds notes by words.

use std::cmp::Reverse;

use crate::bucket::{Act, Bucket};
use crate::name::{self, Name};
use crate::note::Note;
use crate::walk::{self, Names, Walked};
use crate::words::Words;

/// Notes in an answer.
const USUAL: u32 = 20;
const MOST: u32 = 100;

/// What the caller looks for.
#[derive(Clone, Debug, Default)]
pub struct SearchRequest {
    /// The words.
    pub query: String,
    /// How names begin.
    pub prefix: Option<String>,
    /// Notes to return at most.
    pub limit: Option<u32>,
}

/// A note that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its name.
    pub name: String,
    /// Bytes of its text.
    pub size: u32,
    /// Its tags.
    pub tags: Vec<String>,
    /// The words that it has.
    pub words: Vec<String>,
    /// A part of its text.
    pub excerpt: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchResult {
    /// The best notes first.
    pub hits: Vec<Hit>,
    /// How many have one of the words.
    pub matching: u32,
    /// How many were looked through.
    pub searched: u32,
    /// What to know about it.
    pub notice: Option<String>,
}

/// How good a hit is, the best lowest: words in name and tags, then words anywhere.
type Rank = Reverse<(usize, usize)>;

/// Finds notes that have at least one of the words.
///
/// # Errors
/// A sentence that says why there is no answer.
pub fn search<B: Bucket>(bucket: &B, request: &SearchRequest) -> Result<SearchResult, String> {
    let limit = name::limit(request.limit, USUAL, MOST)?;
    let words = Words::parse(&request.query)?;
    let prefix = request.prefix.as_deref().unwrap_or_default();
    let names = walk::names(bucket, prefix).map_err(|failure| failure.explain(Act::Look))?;
    let (mut best, mut matching) = (Vec::<(Rank, Hit)>::new(), 0);
    let walked = walk::notes(bucket, &names.matching, |name, note| {
        let Some((rank, found)) = rank(&words, name, &note) else { return true };
        matching += 1;
        // Of equals the first by name stays first.
        let place = best.partition_point(|(other, _)| *other <= rank);
        if place < limit {
            best.insert(place, (rank, hit(&words, &found, name, note)));
            best.truncate(limit);
        }
        true
    })?;
    let notices = notices(request, &names, &walked, matching);
    Ok(SearchResult {
        hits: best.into_iter().map(|(_, hit)| hit).collect(),
        matching,
        searched: u32::try_from(walked.notes).unwrap_or(u32::MAX),
        notice: (!notices.is_empty()).then(|| notices.join(" ")),
    })
}

/// How good the note is and which words it has, if any.
fn rank(words: &Words, name: &Name, note: &Note) -> Option<(Rank, Vec<bool>)> {
    // A line end is in no word, so that none is found across a name and a tag.
    let head = [&[name.as_str().to_owned()], note.tags.as_slice()].concat().join("\n");
    let in_head: Vec<bool> = words.found_in(&head).collect();
    let found: Vec<bool> = words.found_in(&note.text).zip(&in_head).map(|(text, head)| text || *head).collect();
    let count = |found: &[bool]| found.iter().filter(|found| **found).count();
    let rank = Reverse((count(&in_head), count(&found)));
    (count(&found) > 0).then_some((rank, found))
}

fn hit(words: &Words, found: &[bool], name: &Name, note: Note) -> Hit {
    let (size, excerpt) = (note.size(), words.excerpt(&note.text));
    Hit { name: name.as_str().to_owned(), size, tags: note.tags.into_vec(), words: words.written(found), excerpt }
}

fn notices(request: &SearchRequest, names: &Names, walked: &Walked, matching: u32) -> Vec<String> {
    let mut notices = walk::notices(names, walked);
    let all = names.matching.len();
    if walked.names < all {
        notices.push(format!(
            "Only the first {} of {all} notes, by name, were looked through, which is as much as one call can: search the others with a `prefix`.",
            walked.names
        ));
    }
    if matching == 0 {
        notices.push(match &request.prefix {
            _ if names.total == 0 => "There are no notes yet.".to_owned(),
            Some(prefix) if all == 0 => {
                format!("No name begins with `{prefix}`; there are {} notes with other names.", names.total)
            }
            _ => "No note has any of the words: try others, or a part of a word; list shows what there is.".to_owned(),
        });
    }
    notices
}
