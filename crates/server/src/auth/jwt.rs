//! One JWT: what it says, once its signature holds.
//!
//! What always holds: the key decides the algorithm, not the token; a token that asks for something not understood here is refused.

use std::time::{Duration, SystemTime};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

/// How far the clocks of two machines may be apart.
const LEEWAY: Duration = Duration::from_secs(30);

/// How long after the end of a token its session waits for a client that gets another: many only do so once they are refused.
const RENEWAL: Duration = Duration::from_secs(10 * 60);

/// A key that signatures of an authorization server are verified with.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Key {
    /// `jwk`, if it is a public key for signatures of a kind that is verified here.
    pub(super) fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let is_for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
            && common.key_operations.as_ref().is_none_or(|ops| ops.contains(&KeyOperations::Verify));
        let (algorithm, name) = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256)
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
            }
            _ => return None,
        };
        let is_of_kind = common.key_algorithm.is_none_or(|algorithm| algorithm == name);
        let key = DecodingKey::from_jwk(jwk).ok()?;
        (is_for_signatures && is_of_kind).then(|| Self { id: common.key_id.clone(), algorithm, key })
    }
}

/// What a token must say.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
}

/// What is taken from a token.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    exp: u64,
    /// RFC 9068 has the client in `client_id`, OpenID Connect in `azp`.
    pub(super) client_id: Option<String>,
    pub(super) azp: Option<String>,
    /// Scopes with spaces between them, RFC 8693.
    #[serde(default)]
    scope: String,
}

impl Claims {
    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split(' ').filter(|scope| !scope.is_empty())
    }

    /// When what was opened with it ends, if no newer one comes.
    pub(super) fn until(&self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.exp))?.checked_add(LEEWAY + RENEWAL)
    }
}

/// The id of the key that `token` says it is signed with, if it is a token that could be taken at all.
pub(super) fn key_id(token: &str) -> Option<Option<String>> {
    let header = decode_header(token).ok()?;
    let is_access_token = header.typ.is_none_or(|kind| {
        let kind = kind.to_ascii_lowercase();
        matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
    });
    let is_plain = header.crit.is_none() && header.zip.is_none() && header.enc.is_none();
    (is_access_token && is_plain).then_some(header.kid)
}

/// What `token` says, if `key` signed it, it is for this server, and its time is now.
pub(super) fn verified(token: &str, key: &Key, expected: &Expected<'_>) -> Option<Claims> {
    let mut validation = Validation::new(key.algorithm);
    validation.leeway = LEEWAY.as_secs();
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.audience]);
    let claims = decode::<Claims>(token, &key.key, &validation).ok()?.claims;
    // The library also takes a list of issuers; a token has one.
    (claims.iss == expected.issuer).then_some(claims)
}
