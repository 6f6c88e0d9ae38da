//! What a secret is called. A name is no secret: it is shown in rules, lists, records and masks.

use std::fmt;
use std::str::FromStr;

use crate::error::SecretError;

/// The longest name in bytes: with a prefix and a suffix it still is a file name, an attribute of a keyring, a word in a message.
const MAX_BYTES: usize = 128;

/// The name of a secret: 1 to 128 of `A-Z`, `a-z`, `0-9`, `_`, `.` and `-`. None of these has a meaning in a rule, a placeholder or JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(Box<str>);

impl SecretName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = SecretError;

    /// # Errors
    ///
    /// [`SecretError::Name`] when the text is no name. It does not repeat the text, which may be a value in the wrong place.
    fn from_str(text: &str) -> Result<Self, SecretError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if text.is_empty() {
            return Err(SecretError::Name("it is empty".to_owned()));
        }
        if let Some(at) = text.chars().position(|c| !is_plain(c)) {
            return Err(SecretError::Name(format!("character {} is none of A-Z a-z 0-9 _ . -", at + 1)));
        }
        if text.len() > MAX_BYTES {
            return Err(SecretError::Name(format!("it has {} characters, and may have {MAX_BYTES}", text.len())));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        let longest = "n".repeat(128);
        for good in ["a", "GITHUB_TOKEN", "api.example.com", "x-1", "..", "-", longest.as_str()] {
            assert_eq!(good.parse::<SecretName>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        let too_long = "n".repeat(129);
        for bad in ["", "a b", "a@b", "a:b", "a/b", "kéy", "a\n", "a\0", "{{x}}", too_long.as_str()] {
            let error = bad.parse::<SecretName>().unwrap_err();
            assert!(matches!(error, SecretError::Name(_)), "{bad:?}");
            assert!(bad.len() < 2 || !error.to_string().contains(bad), "{error}");
        }
    }
}
