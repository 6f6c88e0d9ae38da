//! Keeps a note.

use crate::bucket::{Act, Bucket, Swapped};
use crate::name::{Name, Tags};
use crate::note::Note;

/// How often a change is tried anew after another call was quicker. Each time some other call has got through, so more than this takes
/// more calls at once than a host runs.
const ATTEMPTS: usize = 200;

/// What the caller wants kept.
#[derive(Clone, Debug, Default)]
pub struct PutRequest {
    /// The note's name.
    pub name: String,
    /// Its text, or what is added to it.
    pub text: String,
    /// Its tags, or those that are added; nothing to leave them as they are.
    pub tags: Option<Vec<String>>,
    /// What to do where there is one.
    pub if_exists: IfExists,
}

/// What to do where a note of that name exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// Its text is replaced.
    #[default]
    Replace,
    /// The text is added at its end, on a line of its own.
    Append,
    /// Nothing is changed, and the call fails.
    Fail,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// There was no such note.
    Created,
    /// Its text is another.
    Replaced,
    /// Its text is longer.
    Appended,
}

/// A note that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// What was done.
    pub action: Action,
    /// Bytes of its text now.
    pub size: u32,
    /// Its tags now.
    pub tags: Vec<String>,
}

/// Keeps a note: creates it, replaces it or adds to it. Of changes at the same time none is lost.
///
/// # Errors
/// A sentence that says why it was not kept and what to do.
pub fn put<B: Bucket>(bucket: &B, request: PutRequest) -> Result<Kept, String> {
    let name = Name::parse(&request.name)?;
    let name = name.as_str();
    let tags = request.tags.map(Tags::parse).transpose()?;
    let given = Note { text: request.text, tags: Tags::default() };
    // What is too long by itself is refused before the store is asked.
    given.encode()?;
    let (mut value, mut seen) = bucket.look(name).map_err(|failure| failure.explain(Act::Read(name)))?;
    for _ in 0..ATTEMPTS {
        let before = value.as_deref().map(Note::decode).transpose().map_err(|problem| problem.explain(name))?;
        let (note, action) = changed(name, before, &given.text, tags.as_ref(), request.if_exists)?;
        match bucket.swap(seen, note.encode()?).map_err(|failure| failure.explain(Act::Write(name)))? {
            Swapped::Done => {
                return Ok(Kept { name: name.to_owned(), action, size: note.size(), tags: note.tags.into_vec() });
            }
            Swapped::Changed(now, later) => (value, seen) = (now, later),
        }
    }
    Err(format!(
        "other calls changed the note `{name}` {ATTEMPTS} times while this one tried to, and nothing of this call was kept. Try again."
    ))
}

/// What the note is to be.
fn changed(
    name: &str,
    before: Option<Note>,
    text: &str,
    tags: Option<&Tags>,
    if_exists: IfExists,
) -> Result<(Note, Action), String> {
    let Some(before) = before else {
        let note = Note { text: text.to_owned(), tags: tags.cloned().unwrap_or_default() };
        return Ok((note, Action::Created));
    };
    match if_exists {
        IfExists::Replace => {
            let note = Note { text: text.to_owned(), tags: tags.cloned().unwrap_or(before.tags) };
            Ok((note, Action::Replaced))
        }
        IfExists::Append => {
            let tags = before.tags.with(tags.cloned().unwrap_or_default())?;
            Ok((Note { text: joined(before.text, text), tags }, Action::Appended))
        }
        IfExists::Fail => Err(format!(
            "there is a note `{name}` already, and nothing was changed. Use another name, or `if_exists` = `replace` or `append`."
        )),
    }
}

/// `text` below `before`, on a line of its own.
fn joined(mut before: String, text: &str) -> String {
    if !before.is_empty() && !before.ends_with('\n') && !text.is_empty() {
        before.push('\n');
    }
    before.push_str(text);
    before
}
