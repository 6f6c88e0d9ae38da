//! Names, tags and prefixes, as a caller writes them.

use caplet_tool_common::text::{plural, size};

/// Bytes of a name: enough for a path of several words, and thousands of names fit into one answer.
const MAX_NAME: usize = 128;
/// Tags of a note, and bytes of each: a handful of words.
const MAX_TAGS: usize = 16;
const MAX_TAG: usize = 64;

/// The name of a note, which is its key too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        check("name", text, MAX_NAME)?;
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The tags of a note: no two of them are the same but for case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags(Vec<String>);

impl Tags {
    pub(crate) fn parse(tags: Vec<String>) -> Result<Self, String> {
        for tag in &tags {
            check("tag", tag, MAX_TAG)?;
        }
        Self::default().with(Self(tags))
    }

    /// These and `more`.
    pub(crate) fn with(mut self, more: Self) -> Result<Self, String> {
        for tag in more.0 {
            if !self.has(&tag) {
                self.0.push(tag);
            }
        }
        let count = self.0.len();
        if count > MAX_TAGS {
            return Err(format!(
                "a note has at most {MAX_TAGS} tags, and this one would have {count}: leave some out."
            ));
        }
        Ok(self)
    }

    /// Whether `tag` is one of them, whatever its case.
    pub(crate) fn has(&self, tag: &str) -> bool {
        let tag = tag.to_lowercase();
        self.0.iter().any(|own| own.to_lowercase() == tag)
    }

    pub(crate) fn as_slice(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// How many to return: what the caller says, from 1 to `most`.
pub(crate) fn limit(asked: Option<u32>, usual: u32, most: u32) -> Result<usize, String> {
    let limit = asked.unwrap_or(usual);
    if (1..=most).contains(&limit) {
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    } else {
        Err(format!("limit is {limit}, and has to be from 1 to {most}."))
    }
}

fn check(what: &str, text: &str, max: usize) -> Result<(), String> {
    let problem = if text.is_empty() {
        format!("is empty: give it 1 to {max} bytes")
    } else if text.len() > max {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let length = if length < 1024 { plural(length, "byte") } else { size(length) };
        format!("has {length}, and {max} bytes are the most: use a shorter one")
    } else if text.chars().any(char::is_control) {
        "has a line end, tab or other control character: leave it out".to_owned()
    } else if text.trim() != text {
        "begins or ends with a space: leave that out".to_owned()
    } else {
        return Ok(());
    };
    Err(format!("the {what} {problem}."))
}
