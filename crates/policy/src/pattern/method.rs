//! HTTP methods, in requests and in rules. They are compared exactly: `get` is not `GET`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::error::RuleError;

/// The longest method in bytes; registered ones have at most 17.
const MAX_BYTES: usize = 32;

/// Methods that a rule without a list permits: those that only read (RFC 9110, section 9.2.1).
const DEFAULT: [&str; 2] = ["GET", "HEAD"];

/// All methods that only read (RFC 9110, section 9.2.1).
const SAFE: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// Methods that everyone knows (RFC 9110, section 9; RFC 5789).
const KNOWN: [&str; 9] = ["ANY", "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Which methods a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Methods {
    /// The rule does not say: GET and HEAD where it permits, every method where it denies.
    Unsaid,
    /// `ANY`: every method but CONNECT and TRACE where it permits, every method where it denies.
    Any,
    /// These.
    Listed(BTreeSet<Arc<str>>),
}

impl Methods {
    /// Reads `GET,POST`, or `ANY`.
    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        if text == "ANY" {
            return Ok(Self::Any);
        }
        let mut methods = BTreeSet::new();
        let mut offset = 0;
        for method in text.split(',') {
            check(method).map_err(|error| error.shifted(offset))?;
            methods.insert(Arc::from(method));
            offset += method.len() + 1;
        }
        Ok(Self::Listed(methods))
    }

    pub(crate) fn permits(&self, method: &str) -> bool {
        match self {
            Self::Unsaid => DEFAULT.contains(&method),
            Self::Any => !matches!(method, "CONNECT" | "TRACE"),
            Self::Listed(methods) => methods.contains(method),
        }
    }

    /// Whether no method is permitted but those that only read (RFC 9110, section 9.2.1).
    pub(crate) fn only_read(&self) -> bool {
        match self {
            Self::Unsaid => true,
            Self::Any => false,
            Self::Listed(methods) => methods.iter().all(|method| SAFE.contains(&&**method)),
        }
    }

    pub(crate) fn denies(&self, method: &str) -> bool {
        match self {
            Self::Unsaid | Self::Any => true,
            Self::Listed(methods) => methods.contains(method),
        }
    }
}

fn check(method: &str) -> Result<(), RuleError> {
    let error = |problem: &str, fix: String| Err(RuleError::at(0, method, problem, fix));
    if method == "ANY" {
        return error("`ANY` stands alone", "write `ANY` without other methods".to_owned());
    }
    if method == "CONNECT" {
        return error("CONNECT is never permitted", "remove it".to_owned());
    }
    if !is_method(method) {
        return error(
            "this is no HTTP method",
            "write methods such as `GET` or `POST`, with commas and no spaces".to_owned(),
        );
    }
    // Methods are compared exactly, so this one would never match what it looks like.
    let capitals = method.to_ascii_uppercase();
    if method != capitals && KNOWN.contains(&capitals.as_str()) {
        return error("methods are written in capitals", format!("write `{capitals}`"));
    }
    Ok(())
}

/// Whether `method` is a token (RFC 9110, section 5.6.2) of a sane length.
pub(crate) fn is_method(method: &str) -> bool {
    !method.is_empty() && method.len() <= MAX_BYTES && method.bytes().all(is_token)
}

/// Whether a token (RFC 9110, section 5.6.2) may have this byte.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsaid => Ok(()),
            Self::Any => f.write_str("ANY "),
            Self::Listed(methods) => {
                let names: Vec<&str> = methods.iter().map(|method| &**method).collect();
                write!(f, "{} ", names.join(","))
            }
        }
    }
}
