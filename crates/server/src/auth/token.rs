//! A bearer token of this server's own: 256 random bits, of which only a hash is kept.

use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::error::ServerError;

/// What tokens begin with, so that people and scanners of leaked secrets know one.
const PREFIX: &str = "caplet_";

/// Random bytes of a token: no one guesses it, so a plain hash is enough to keep it by.
const BYTES: usize = 32;

/// A token itself. It is shown once, when it is made, and never kept.
pub struct TokenSecret(String);

impl TokenSecret {
    /// A new one.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, ServerError> {
        let mut random = [0; BYTES];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| ServerError::setting("a token", "", "the system has no random numbers"))?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))))
    }

    /// The text to give to a client.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn looks_like(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    pub(super) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret")
    }
}

/// SHA-256 of a token.
#[derive(Clone, Debug)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Whether both are the same, in a time that does not tell where they differ.
    pub(super) fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }

    pub(super) fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn from_hex(hex: &str) -> Option<Self> {
        let mut hash = [0; 32];
        let is_hex = hex.len() == 2 * hash.len() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(hash))
    }
}

/// What is kept of a token, and what it gives.
#[derive(Clone, Debug)]
pub struct Token {
    pub(super) name: String,
    pub(super) hash: TokenHash,
    pub(super) profile: Option<String>,
    pub(super) expires: Option<SystemTime>,
    pub(super) metrics: bool,
}

impl Token {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The profile of grants that it gives. `None` is the server's default.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// When it ends to be valid. `None` is never.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// Whether it may read `/metrics`.
    #[must_use]
    pub fn may_read_metrics(&self) -> bool {
        self.metrics
    }
}
