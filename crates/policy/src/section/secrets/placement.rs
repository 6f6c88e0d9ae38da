//! Where in a request the host puts a credential.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use crate::error::RuleError;
use crate::pattern::language::{literal, one_of, repeated};
use crate::pattern::method::is_token;

/// The longest name of a header or a key in bytes. No API that people use has one that is longer.
const MAX_BYTES: usize = 128;

/// Headers that say where a message ends, how it is carried, or where it goes (RFC 9110, sections 7.2 and 7.6.1; RFC 9112). A
/// credential in one of them would change the request instead of signing it. Every `proxy-` header is one of them, too.
const FRAMING: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const FIX: &str = "write `bearer`, `basic`, `header:NAME` or `query:KEY`";

/// Where in a request the host puts a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Placement {
    /// `Authorization: Bearer VALUE`.
    #[default]
    Bearer,
    /// `Authorization: Basic VALUE`, where the value is `USER:PASSWORD`, encoded.
    Basic,
    /// A header of this name, in lower case, with the value alone.
    Header(Arc<str>),
    /// A key of the query, with the value.
    Query(Arc<str>),
}

impl Placement {
    /// The texts of all places, for proofs. A few names that no header may have are among them; no example comes to them.
    pub(super) fn language() -> Hir {
        let header = repeated(one_of("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"), 1, None);
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
        Hir::alternation(vec![
            literal("bearer"),
            literal("basic"),
            Hir::concat(vec![literal("header:"), header]),
            Hir::concat(vec![literal("query:"), repeated(one_of(letters), 1, None)]),
        ])
    }

    pub(super) fn parse(text: &str) -> Result<Self, RuleError> {
        match text.split_once(':') {
            None if text == "bearer" => Ok(Self::Bearer),
            None if text == "basic" => Ok(Self::Basic),
            Some(("header", name)) => header(name).map_err(|error| error.shifted("header:".len())),
            Some(("query", key)) => query(key).map_err(|error| error.shifted("query:".len())),
            _ => Err(RuleError::at(0, text, "this is no place for a secret in a request", FIX)),
        }
    }
}

fn header(name: &str) -> Result<Placement, RuleError> {
    let error = |problem: &str, fix: &str| Err(RuleError::at(0, name, problem, fix));
    if name.is_empty() || name.len() > MAX_BYTES || !name.bytes().all(is_token) {
        return error("this is no name of a header", "write it as in `header:X-Api-Key`");
    }
    let lower = name.to_ascii_lowercase();
    if FRAMING.contains(&lower.as_str()) || lower.starts_with("proxy-") {
        return error("this header carries the request itself, and no secret", "name the header that the API reads");
    }
    Ok(Placement::Header(lower.into()))
}

fn query(key: &str) -> Result<Placement, RuleError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if key.is_empty() || key.len() > MAX_BYTES || !key.bytes().all(plain) {
        let fix = "write a key of letters, digits, `-`, `.`, `_` and `~`, as in `query:api_key`";
        return Err(RuleError::at(0, key, "this is no key of a query", fix));
    }
    Ok(Placement::Query(key.into()))
}

impl FromStr for Placement {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("bearer"),
            Self::Basic => f.write_str("basic"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(key) => write!(f, "query:{key}"),
        }
    }
}
