//! A note, and the value that it is kept as: JSON with the format's version, `{"note":1,"text":"…","tags":["…"]}`.

use caplet_tool_common::text::size;
use serde::{Deserialize, Serialize};

use crate::name::Tags;

/// Bytes of a text: what a model can still read at once, and what other built-in tools answer at most.
pub(crate) const MAX_TEXT: usize = 256 * 1024;
/// Bytes of a value: the host's default for `kv-value`, beyond which it ends a call. A text of control characters takes six times its
/// length as JSON.
const MAX_VALUE: usize = 1024 * 1024;
/// The version of the format that this tool writes.
const VERSION: u32 = 1;
/// Characters of a first line in a listing.
const MAX_LINE: usize = 120;

/// What is kept under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) tags: Tags,
}

/// Why a value is no note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotANote {
    /// It is of something else.
    Foreign,
    /// A later version of this tool wrote it.
    Newer,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    note: u32,
    text: String,
    tags: Vec<String>,
}

/// What every version of the format has.
#[derive(Deserialize)]
struct Version {
    note: u32,
}

impl Note {
    pub(crate) fn decode(value: &[u8]) -> Result<Self, NotANote> {
        let stored: Stored = serde_json::from_slice(value).map_err(|_| NotANote::of(value))?;
        let tags = Tags::parse(stored.tags).map_err(|_| NotANote::Foreign)?;
        if stored.note != VERSION {
            return Err(NotANote::of(value));
        }
        if stored.text.len() > MAX_TEXT {
            return Err(NotANote::Foreign);
        }
        Ok(Self { text: stored.text, tags })
    }

    /// The value, or why it cannot be kept.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        let length = u64::try_from(self.text.len()).unwrap_or(u64::MAX);
        if self.text.len() > MAX_TEXT {
            return Err(format!(
                "the text of the note would have {} ({length} bytes), and 256 KiB (262144 bytes) are the most: shorten it, or put a part under another name.",
                size(length)
            ));
        }
        let stored = Stored { note: VERSION, text: self.text.clone(), tags: self.tags.as_slice().to_vec() };
        let value = serde_json::to_vec(&stored).map_err(|error| format!("the note cannot be kept: {error}."))?;
        if value.len() > MAX_VALUE {
            return Err(
                "the text has so many control characters that it takes more than 1 MiB to keep: leave them out."
                    .to_owned(),
            );
        }
        Ok(value)
    }

    /// Bytes of the text.
    pub(crate) fn size(&self) -> u32 {
        u32::try_from(self.text.len()).unwrap_or(u32::MAX)
    }

    /// The first line that is not blank, or as much of it as a listing shows.
    pub(crate) fn first_line(&self) -> String {
        let line = self.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        match line.char_indices().nth(MAX_LINE) {
            Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(line)),
            None => line.to_owned(),
        }
    }
}

impl NotANote {
    fn of(value: &[u8]) -> Self {
        match serde_json::from_slice::<Version>(value) {
            Ok(version) if version.note > VERSION => Self::Newer,
            _ => Self::Foreign,
        }
    }

    /// Says so of the note `name`.
    pub(crate) fn explain(self, name: &str) -> String {
        match self {
            Self::Foreign => format!(
                "what the bucket has under `{name}` is no note of this tool, and was left as it is. Use another name; forget removes it, if nothing else needs it."
            ),
            Self::Newer => format!(
                "the note `{name}` was written by a later version of this tool, and was left as it is. Use another name, or ask the operator to update."
            ),
        }
    }
}
