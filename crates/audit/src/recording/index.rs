//! The index of a recording: the one file that says what belongs to it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{RecordingError, RecordingFacts};

/// The format of recordings. Another one is refused.
pub(super) const VERSION: u32 = 1;

/// What a recording consists of. Written in exactly one form: the fields in this order, on lines of their own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    version: u32,
    #[serde(rename = "recording")]
    pub(super) facts: RecordingFacts,
    pub(super) world: String,
    /// The lengths of all pieces.
    pub(super) lengths: String,
    pub(super) large: Vec<String>,
    pub(super) packs: Vec<String>,
    /// SHA-256 of the same text with nothing in this place.
    digest: String,
}

impl Index {
    pub(super) fn new(facts: RecordingFacts) -> Self {
        let nothing = String::new;
        let (world, lengths, digest) = (nothing(), nothing(), nothing());
        Self { version: VERSION, facts, world, lengths, large: Vec::new(), packs: Vec::new(), digest }
    }

    /// The text, and the digest that is in it.
    pub(super) fn sealed(&mut self) -> serde_json::Result<(String, String)> {
        self.digest.clear();
        self.digest = hex(&Sha256::digest(self.text()?));
        Ok((self.text()?, self.digest.clone()))
    }

    fn text(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads the index of the recording `id`, if every byte is as it was written.
    pub(super) fn open(id: &str, text: &[u8]) -> Result<(Self, String), RecordingError> {
        let changed = |what: &str| RecordingError::Changed { id: id.to_owned(), what: what.to_owned() };
        /// What every format begins with.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let not_ours = || changed("its index is not as it was written");
        let Version { version } = serde_json::from_slice(text).map_err(|_| not_ours())?;
        if version != VERSION {
            return Err(RecordingError::Version { id: id.to_owned(), found: version });
        }
        let mut index: Self = serde_json::from_slice(text).map_err(|_| not_ours())?;
        let claimed = index.digest.clone();
        let (sealed, digest) = index.sealed().map_err(|_| not_ours())?;
        if digest != claimed || sealed.as_bytes() != text {
            return Err(not_ours());
        }
        if index.facts.id != id {
            return Err(changed(&format!("under this id is the recording {}", index.facts.id)));
        }
        Ok((index, digest))
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
        text
    })
}
