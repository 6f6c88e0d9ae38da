//! One line of the log: an entry with its number, its hash and the hash of the entry before.
//!
//! A line is the canonical text of `{"hash":H,"prev":P,"record":{…},"seq":N}`, or with a `remark` of the log's own in place of the record.
//! `H` is SHA-256 over the canonical text of the same object without `hash`, which is the line without those bytes: `{` and what follows the
//! comma. So each byte of a line is covered, and `sha256sum` is all that a stranger needs to check one.

use std::fmt;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::canonical;
use crate::Record;
use crate::record::LINE_BYTES;

/// The most that is around a record in a line, in bytes: two hashes, a number and the keys.
pub(crate) const AROUND_BYTES: usize = 256;

/// A whole line with its line break, in bytes. A longer one was not written by us.
pub(crate) const ENTRY_BYTES: usize = LINE_BYTES + AROUND_BYTES;

/// What a line starts with, before its hash.
const HEAD: &[u8] = b"{\"hash\":\"";

/// Digits of a hash.
const DIGITS: usize = 64;

/// SHA-256 of an entry.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first entry of a log names as the one before: there is none.
    pub const NONE: Self = Self([0; 32]);

    /// The hash that is written as `digits`: 64 of them, small letters.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        if digits.len() != DIGITS {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = value(*high)? << 4 | value(*low)?;
        }
        Some(Self(bytes))
    }

    fn digits(self) -> [u8; DIGITS] {
        const HEX: [u8; 16] = *b"0123456789abcdef";
        let mut digits = [0; DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        digits
    }

    /// SHA-256 over all `parts` one after the other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        parts.iter().for_each(|part| context.update(part));
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.digits()))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the log says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Remark {
    /// The first entry of a segment.
    Start {
        /// The log's id, a ULID: the same in all of its segments, and no other log's.
        log: String,
        /// The segment's number, from 1.
        segment: u64,
        /// When it was begun, RFC 3339 in UTC.
        time: String,
    },
    /// A write that a crash cut short stood here: it was no entry, and was cut off.
    Torn {
        /// How many bytes there were of it.
        bytes: u64,
        /// Their SHA-256.
        sha256: String,
        /// When it was found, RFC 3339 in UTC.
        time: String,
    },
    /// A process knew of an entry that was not there any more when it wrote the next one: entries were taken away.
    Gap {
        /// The last entry that it knew of.
        seq: u64,
        /// That entry's hash.
        hash: String,
        /// When it was missed, RFC 3339 in UTC.
        time: String,
    },
}

/// What an entry holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// The record of a call.
    Record(Box<Record>),
    /// What the log says about itself.
    Remark(Remark),
}

/// Which of the two an entry holds, before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Record,
    Remark,
}

/// An entry as far as its line was taken apart. Nothing of it has been checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawEntry<'a> {
    pub(crate) hash: Hash,
    pub(crate) prev: Hash,
    pub(crate) kind: Kind,
    /// The record or remark.
    pub(crate) content: &'a [u8],
    pub(crate) seq: u64,
    /// The line after the hash and its comma.
    rest: &'a [u8],
}

impl<'a> RawEntry<'a> {
    /// Takes a line without its line break apart.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let line = line.strip_prefix(HEAD)?;
        let (hash, line) = line.split_at_checked(DIGITS)?;
        let rest = line.strip_prefix(b"\",")?;
        let line = rest.strip_prefix(b"\"prev\":\"")?;
        let (prev, line) = line.split_at_checked(DIGITS)?;
        let line = line.strip_prefix(b"\",")?;
        let (kind, line) = match line.strip_prefix(b"\"record\":") {
            Some(line) => (Kind::Record, line),
            None => (Kind::Remark, line.strip_prefix(b"\"remark\":")?),
        };
        let line = line.strip_suffix(b"}")?;
        let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (line, seq) = line.split_at_checked(line.len() - digits)?;
        let content = line.strip_suffix(b",\"seq\":")?;
        let seq = std::str::from_utf8(seq).ok()?.parse().ok()?;
        Some(Self { hash: Hash::parse(hash)?, prev: Hash::parse(prev)?, kind, content, seq, rest })
    }

    /// Whether the hash is that of the rest.
    pub(crate) fn is_sealed(&self) -> bool {
        Hash::of(&[b"{", self.rest]) == self.hash
    }

    /// The remark, if it is one that can be read.
    pub(crate) fn remark(&self) -> Option<Remark> {
        match self.kind {
            Kind::Remark => serde_json::from_slice(self.content).ok(),
            Kind::Record => None,
        }
    }

    /// What it holds.
    pub(crate) fn content(&self) -> serde_json::Result<Content> {
        Ok(match self.kind {
            Kind::Record => Content::Record(serde_json::from_slice(self.content)?),
            Kind::Remark => Content::Remark(serde_json::from_slice(self.content)?),
        })
    }
}

/// The line of an entry with its line break, and the entry's hash. `content` is canonical already.
pub(crate) fn line(seq: u64, prev: Hash, kind: Kind, content: &[u8]) -> (Vec<u8>, Hash) {
    let mut line = Vec::with_capacity(content.len() + AROUND_BYTES);
    line.extend_from_slice(HEAD);
    line.extend_from_slice(&[b'0'; DIGITS]);
    line.extend_from_slice(b"\",");
    let rest = line.len();
    line.extend_from_slice(b"\"prev\":\"");
    line.extend_from_slice(&prev.digits());
    line.extend_from_slice(match kind {
        Kind::Record => b"\",\"record\":",
        Kind::Remark => b"\",\"remark\":",
    });
    line.extend_from_slice(content);
    line.extend_from_slice(b",\"seq\":");
    line.extend_from_slice(seq.to_string().as_bytes());
    line.push(b'}');
    let hash = Hash::of(&[b"{", line.get(rest..).unwrap_or_default()]);
    if let Some(place) = line.get_mut(HEAD.len()..HEAD.len() + DIGITS) {
        place.copy_from_slice(&hash.digits());
    }
    line.push(b'\n');
    (line, hash)
}

/// The line of a remark.
pub(crate) fn remark_line(seq: u64, prev: Hash, remark: &Remark) -> serde_json::Result<(Vec<u8>, Hash)> {
    let mut content = Vec::with_capacity(AROUND_BYTES);
    canonical::write(&mut content, remark)?;
    Ok(line(seq, prev, Kind::Remark, &content))
}
