//! Who sends a request: bearer tokens of this server's own, and those of an OAuth authorization server.
//!
//! What always holds: a token comes in the `Authorization` header and nowhere else; it is compared in constant time, or its signature is
//! verified; it is neither logged nor kept nor passed on; why one was refused is not told beyond what RFC 6750 has words for.

mod jwks;
mod jwt;
mod oauth;
mod principal;
mod ring_provider;
mod token;
mod token_file;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

pub(crate) use self::oauth::METADATA_PATH;
pub use self::oauth::OAuth;
pub(crate) use self::principal::Principal;
pub use self::token::{Token, TokenSecret};
use self::token_file::Tokens;
pub use self::token_file::{NewToken, TokenFile};
use crate::error::ServerError;
use crate::refusal::Refusal;

/// How those who send requests are known. Without any, everyone is the same principal.
#[derive(Debug, Default)]
pub struct Authentication {
    tokens: Option<Tokens>,
    oauth: Option<OAuth>,
}

/// Why a request has no principal.
#[derive(Debug)]
pub(crate) enum Unauthorized {
    /// There is no token in it.
    Missing,
    /// The token is not valid, or not for this server.
    Invalid,
    /// The token is valid, and gives access to nothing here.
    Scope,
}

impl Authentication {
    /// Everyone is the same principal. Right for 127.0.0.1 only.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Tokens of `file`, which is read again when it changes.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, means nothing, or is open to others.
    pub fn tokens(mut self, file: TokenFile) -> Result<Self, ServerError> {
        self.tokens = Some(Tokens::open(file)?);
        Ok(self)
    }

    /// Tokens of an authorization server.
    #[must_use]
    pub fn oauth(mut self, oauth: OAuth) -> Self {
        self.oauth = Some(oauth);
        self
    }

    /// Whether it asks at all.
    pub(crate) fn is_required(&self) -> bool {
        self.tokens.is_some() || self.oauth.is_some()
    }

    /// Every profile that it gives anyone, and what names it.
    pub(crate) fn profiles(&self) -> Vec<(String, String)> {
        let tokens = self.tokens.iter().flat_map(Tokens::profiles);
        tokens.chain(self.oauth.iter().flat_map(OAuth::profiles)).collect()
    }

    pub(crate) fn resource(&self) -> Option<&OAuth> {
        self.oauth.as_ref()
    }

    /// Who sends a request with `headers`.
    pub(crate) async fn principal(&self, headers: &HeaderMap) -> Result<Principal, Unauthorized> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Err(Unauthorized::Missing) };
        if values.next().is_some() {
            return Err(Unauthorized::Invalid);
        }
        let token = value.to_str().ok().and_then(bearer).ok_or(Unauthorized::Invalid)?;
        match (&self.tokens, &self.oauth) {
            (Some(tokens), _) if TokenSecret::looks_like(token) => tokens.principal(token).ok_or(Unauthorized::Invalid),
            (_, Some(oauth)) => oauth.principal(token).await,
            _ => Err(Unauthorized::Invalid),
        }
    }

    /// Whether `principal` is not known any more, though it was.
    pub(crate) fn is_gone(&self, principal: &Principal) -> bool {
        self.tokens.as_ref().is_some_and(|tokens| tokens.is_gone(principal))
    }

    /// What is answered for want of a principal.
    pub(crate) fn refusal(&self, why: &Unauthorized) -> Refusal {
        let (status, message, mut challenge) = match why {
            Unauthorized::Missing => {
                (StatusCode::UNAUTHORIZED, "a bearer token is needed", "Bearer realm=\"caplet\"".to_owned())
            }
            Unauthorized::Invalid => (
                StatusCode::UNAUTHORIZED,
                "the bearer token is not valid here",
                "Bearer realm=\"caplet\", error=\"invalid_token\"".to_owned(),
            ),
            Unauthorized::Scope => {
                let scopes = self.oauth.as_ref().map(OAuth::scopes).unwrap_or_default();
                let challenge = format!("Bearer realm=\"caplet\", error=\"insufficient_scope\", scope=\"{scopes}\"");
                (StatusCode::FORBIDDEN, "the bearer token has no scope that gives access to anything here", challenge)
            }
        };
        if let Some(oauth) = &self.oauth {
            challenge.push_str(&format!(", resource_metadata=\"{}\"", oauth.metadata_url()));
        }
        // Scopes and the resource were checked to be printable when they were read.
        let challenge = HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Bearer"));
        Refusal::new(status, message).header(WWW_AUTHENTICATE, challenge)
    }
}

/// The token of `Bearer TOKEN`.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(is_plain)).then_some(token)
}
