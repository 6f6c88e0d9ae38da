//! Returns a note.

use std::cmp::Reverse;

use caplet_tool_common::text::join_or;

use crate::bucket::{Act, Bucket};
use crate::name::Name;
use crate::note::Note;
use crate::walk;

/// How many names are suggested: more would not help to choose.
const MAX_NEAR: usize = 3;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// The note of this name.
///
/// # Errors
/// A sentence that says why there is none to give, with names that may be meant.
pub fn get<B: Bucket>(bucket: &B, name: &str) -> Result<Found, String> {
    let name = Name::parse(name)?;
    let name = name.as_str();
    let mut values = bucket.get_many(&[name.to_owned()]).map_err(|failure| failure.explain(Act::Read(name)))?;
    let Some(value) = values.pop().flatten() else { return Err(missing(bucket, name)) };
    let note = Note::decode(&value).map_err(|problem| problem.explain(name))?;
    Ok(Found { name: name.to_owned(), text: note.text, tags: note.tags.into_vec() })
}

fn missing<B: Bucket>(bucket: &B, name: &str) -> String {
    // Names that cannot be read suggest nothing.
    let names = walk::names(bucket, "").map(|names| names.matching).unwrap_or_default();
    if names.is_empty() {
        return format!("there is no note `{name}`: there are no notes at all yet. put makes one.");
    }
    let near = near(name, &names);
    if near.is_empty() {
        format!("there is no note `{name}`. list shows the names of all notes, search finds them by words.")
    } else {
        format!("there is no note `{name}`. Did you mean {}?", join_or(&near))
    }
}

/// Up to three names that share the most with `wanted`, each in backticks.
fn near(wanted: &str, names: &[Name]) -> Vec<String> {
    let wanted = words(wanted);
    let shared = |name: &Name| {
        let own = words(name.as_str());
        wanted.iter().filter(|word| own.iter().any(|own| is_alike(word, own))).count()
    };
    let mut near: Vec<_> = names.iter().map(|name| (Reverse(shared(name)), name)).collect();
    near.retain(|(Reverse(shared), _)| *shared > 0);
    near.sort();
    near.truncate(MAX_NEAR);
    near.into_iter().map(|(_, name)| format!("`{}`", name.as_str())).collect()
}

fn words(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether they are the same or begin alike: `preference` and `preferences`, `deploy` and `deplyo`.
fn is_alike(one: &str, other: &str) -> bool {
    /// Characters that two longer words have to share: fewer are a coincidence.
    const COMMON: usize = 4;
    let common = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    one == other || common >= COMMON
}
