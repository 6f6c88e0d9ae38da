//! The tools that come with Caplet: components built from `tools/`, held in the program itself.
//!
//! Large ones are held compressed. They are unpacked when their bytes are asked for: to be inspected or compiled the first time on
//! a machine. What is remembered of them goes by their hash, which is held beside them, so that to list them unpacks nothing.

use std::borrow::Cow;
use std::io::Read as _;

use lzma_rust2::LzipReader;

use crate::error::Error;

/// A tool that comes with Caplet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    held: Held,
}

/// A component in the program.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// As it is.
    Plain(&'static [u8]),
    /// Compressed by lzip, with the hash of what it is then.
    Packed { sha256: &'static str, bytes: &'static [u8] },
}

impl BuiltIn {
    /// Its component, at most `limit` bytes of it.
    ///
    /// # Errors
    ///
    /// When it is larger, or the program is damaged.
    pub(crate) fn read(&self, limit: u64) -> Result<Cow<'static, [u8]>, Error> {
        match self.held {
            Held::Plain(bytes) => Ok(Cow::Borrowed(bytes)),
            Held::Packed { bytes, .. } => self.unpack(bytes, limit).map(Cow::Owned),
        }
    }

    fn unpack(&self, packed: &[u8], limit: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        // One more than the limit, so that a larger one is seen to be larger.
        let read = LzipReader::new(packed).take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| {
            Error::Host(format!("the tool {} in this program cannot be unpacked: {error}", self.name))
        })?;
        Ok(bytes)
    }

    /// What its component is known by, without looking at all of it where it is large.
    pub(crate) fn key(&self) -> String {
        match self.held {
            Held::Plain(bytes) => blake3::hash(bytes).to_hex().to_string(),
            Held::Packed { sha256, .. } => sha256.trim_start_matches("sha256:").to_owned(),
        }
    }
}

/// Names and components, in the order of their names.
const LIST: &[(&str, &[u8])] = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/built/list.rs"));

/// Names, hashes and compressed components, in the order of their names.
const PACKED: &[(&str, &str, &[u8])] = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/built/packed.rs"));

/// All of them, by name.
pub(crate) fn all() -> impl ExactSizeIterator<Item = BuiltIn> {
    let plain = LIST.iter().map(|&(name, bytes)| BuiltIn { name, held: Held::Plain(bytes) });
    let packed = PACKED.iter().map(|&(name, sha256, bytes)| BuiltIn { name, held: Held::Packed { sha256, bytes } });
    let mut tools: Vec<BuiltIn> = plain.chain(packed).collect();
    tools.sort_by_key(|tool| tool.name);
    tools.into_iter()
}

/// The built-in tool called `name`.
pub(crate) fn find(name: &str) -> Option<BuiltIn> {
    all().find(|tool| tool.name == name)
}

/// The built-in tool whose name is nearest to `name`, if one is near.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(name, all().map(|tool| tool.name))
}

/// The one of `names` that is nearest to `name`, if one is near.
pub(crate) fn nearest_of<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    /// As similar as `file-raed` and `file-read`; below this, a suggestion is noise.
    const SIMILAR: f64 = 0.75;
    let score = |known: &str| {
        if shares_words(name, known) { 1.0 } else { strsim::normalized_damerau_levenshtein(name, known) }
    };
    names
        .into_iter()
        .map(|known| (score(known), known))
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// People turn a name around, write it with an underscore, or leave half of it out: `read_file`, `grep`.
fn shares_words(asked: &str, name: &str) -> bool {
    let words = |text: &str| {
        let mut words: Vec<_> = text.split(['-', '_']).map(str::to_ascii_lowercase).collect();
        words.sort();
        words
    };
    let (asked, name) = (words(asked), words(name));
    asked == name || matches!(asked.as_slice(), [only] if only != "file" && name.contains(only))
}

#[cfg(test)]
mod tests {
    use super::*;
    use caplet_component::Digest;

    #[test]
    fn a_packed_tool_is_the_component_that_its_list_names_and_never_more_than_the_limit() {
        for tool in all() {
            let Held::Packed { sha256, .. } = tool.held else { continue };
            let bytes = tool.read(u64::MAX).unwrap();
            assert_eq!(Digest::of(&bytes).to_string(), sha256, "{}", tool.name);
            assert_eq!(tool.read(1_000).unwrap().len(), 1_001, "what is too large is seen to be");
        }
    }
}
