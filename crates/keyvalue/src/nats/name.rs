//! Bucket names and keys as tokens of a subject, in which only letters, digits, `-`, `_`, `=` and `/` are safe.
//!
//! Letters, digits, `-` and `_` stand for themselves, each other byte is `=XX`. A name for which that is longer than [`MAX_ESCAPED`] is
//! `==` and its bytes in the alphabet of base64, since a subject has to fit into one line of 4 KiB with the reply's. No two names have the
//! same token: `==` is nowhere in the first form.

use crate::server::Namespace;

/// The longest token of the readable form: what the other form of the longest name, 1,024 bytes, takes.
const MAX_ESCAPED: usize = 2 + 1024_usize.div_ceil(3) * 4;

/// 64 characters that a subject may have (RFC 4648, section 5).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The subject of a key.
pub(super) fn subject(namespace: &Namespace, bucket: &str, key: &str) -> String {
    format!("$KV.{namespace}.{}.{}", token(bucket), token(key))
}

/// What the subjects of all keys of a bucket match, and no others.
pub(super) fn key_filter(namespace: &Namespace, bucket: &str) -> String {
    format!("$KV.{namespace}.{}.*", token(bucket))
}

/// The key that a subject of a bucket is about, or nothing if it is none that we made.
pub(super) fn key_of(subject: &str) -> Option<String> {
    let (_bucket, token) = subject.rsplit_once('.')?;
    let bytes = match token.strip_prefix("==") {
        Some(packed) => unpack(packed)?,
        None => unescape(token)?,
    };
    let name = String::from_utf8(bytes).ok()?;
    // There is one way to write each name, and another would be another subject.
    (self::token(&name) == token).then_some(name)
}

fn token(name: &str) -> String {
    let escaped = escape(name);
    if escaped.len() <= MAX_ESCAPED { escaped } else { format!("=={}", pack(name.as_bytes())) }
}

fn escape(name: &str) -> String {
    name.bytes().fold(String::new(), |token, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => token + char::from(byte).encode_utf8(&mut [0; 4]),
        _ => token + &format!("={byte:02X}"),
    })
}

fn unescape(token: &str) -> Option<Vec<u8>> {
    let mut bytes = token.bytes();
    let mut name = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'=' {
            let (high, low) = (hex(bytes.next()?)?, hex(bytes.next()?)?);
            name.push(high << 4 | low);
        } else {
            name.push(byte);
        }
    }
    Some(name)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Each three bytes as four characters, without padding.
fn pack(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..=three.len() {
            let six = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or_default();
            text.push(ALPHABET.get(six).copied().map_or('-', char::from));
        }
    }
    text
}

fn unpack(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for four in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for (at, character) in four.iter().enumerate() {
            let six = ALPHABET.iter().position(|known| known == character)?;
            bits |= u32::try_from(six).ok()? << (18 - 6 * at);
        }
        let [_, first, second, third] = bits.to_be_bytes();
        bytes.extend([first, second, third].into_iter().take(four.len().checked_sub(1)?));
    }
    Some(bytes)
}
