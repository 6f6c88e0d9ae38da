//! The value of a secret. It is overwritten when it is let go of, and can be neither shown, compared, copied nor serialised.

use std::fmt;
use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::error::SecretError;

/// A value: 1 byte to 64 KiB of UTF-8 text without control characters, so that it can be put into a header as it is.
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// The longest value in bytes. Tokens with many claims have some kilobytes.
    pub const MAX_BYTES: usize = 64 << 10;

    /// Reads a value to its end. One line break after it, `\n` or `\r\n`, is not part of it.
    ///
    /// # Errors
    ///
    /// [`SecretError::Value`] when there is no value, or not one that can be kept; [`SecretError::Input`] when it cannot be read.
    pub fn read(mut source: impl Read) -> Result<Self, SecretError> {
        // Two bytes for the line break and one by which a longer value is known. The buffer never moves, which would leave a copy behind.
        let mut buffer = Zeroizing::new(vec![0; Self::MAX_BYTES + 3]);
        let mut length = 0;
        loop {
            match source.read(buffer.get_mut(length..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SecretError::Input(error)),
            }
        }
        let read = buffer.get(..length).unwrap_or_default();
        let line = read.strip_suffix(b"\n").map_or(read, |line| line.strip_suffix(b"\r").unwrap_or(line));
        Self::new(line)
    }

    /// A value of exactly these bytes. Whoever gives them overwrites them.
    ///
    /// # Errors
    ///
    /// [`SecretError::Value`] when they are no value.
    pub fn new(bytes: &[u8]) -> Result<Self, SecretError> {
        let refused = |problem| Err(SecretError::Value(problem));
        if bytes.is_empty() {
            return refused("it is empty");
        }
        if bytes.len() > Self::MAX_BYTES {
            return refused("it is longer than 64 KiB");
        }
        match std::str::from_utf8(bytes) {
            Err(_) => refused("it is not UTF-8 text"),
            Ok(text) if text.contains(['\n', '\r']) => refused("it has more than one line"),
            Ok(text) if text.contains(char::is_control) => refused("it has control characters"),
            Ok(_) => Ok(Self(Zeroizing::new(bytes.to_vec()))),
        }
    }

    /// The value itself, for the request that it goes into.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_the_value() {
        let cases: [(&str, &str); 6] =
            [("v", "v"), ("v\n", "v"), ("v\r\n", "v"), (" v ", " v "), ("sk-\"é\\", "sk-\"é\\"), ("v w\n", "v w")];
        for (input, value) in cases {
            assert_eq!(SecretValue::read(input.as_bytes()).unwrap().expose(), value.as_bytes(), "{input:?}");
        }
        let longest = format!("{}\r\n", "v".repeat(SecretValue::MAX_BYTES));
        assert_eq!(SecretValue::read(longest.as_bytes()).unwrap().expose().len(), SecretValue::MAX_BYTES);
    }

    #[test]
    fn what_is_no_value_is_refused_without_being_repeated() {
        let long = "v".repeat(SecretValue::MAX_BYTES + 1);
        let endless = "v".repeat(SecretValue::MAX_BYTES * 2);
        let cases: [(&[u8], &str); 10] = [
            (b"", "empty"),
            (b"\n", "empty"),
            (b"\r\n", "empty"),
            (b"v\n\n", "line"),
            (b"hunter\nhunter", "line"),
            (b"hunter\0", "control"),
            ("hunter\u{85}".as_bytes(), "control"),
            (b"hunter\xff", "UTF-8"),
            (long.as_bytes(), "64 KiB"),
            (endless.as_bytes(), "64 KiB"),
        ];
        for (input, word) in cases {
            let error = SecretValue::read(input).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn no_format_shows_it() {
        let value = SecretValue::new(b"hunter22").unwrap();
        let shown = format!("{value} {value:?} {value:#?} {:?}", Some(&value));
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
