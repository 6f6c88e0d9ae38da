//! A rule about requests.

use std::fmt;
use std::net::IpAddr;

use super::{HttpOp, Rate};
use crate::error::RuleError;
use crate::pattern::method::Methods;
use crate::pattern::url_pattern::UrlPattern;

/// `fetch:[RATE ][METHOD[,METHOD] ]URL-PATTERN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRule {
    rate: Option<Rate>,
    pub(super) methods: Methods,
    pub(super) url: UrlPattern,
}

impl HttpRule {
    /// A rule for requests with one of `methods` to URLs that match `url`. `None` is GET and HEAD; `["ANY"]` is every method but
    /// CONNECT and TRACE.
    ///
    /// # Errors
    ///
    /// When the list is empty, a method is none, or the pattern is no URL pattern.
    pub fn new(methods: Option<&[&str]>, url: &str) -> Result<Self, RuleError> {
        let methods = match methods {
            None => Methods::Unsaid,
            Some(methods) => Methods::parse(&methods.join(","))?,
        };
        Ok(Self { rate: None, methods, url: UrlPattern::parse(url)? })
    }

    /// The same rule, which permits no more often than this.
    #[must_use]
    pub fn with_rate(self, rate: Rate) -> Self {
        Self { rate: Some(rate), ..self }
    }

    /// Whether two rules differ in nothing but their rates.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.methods == other.methods && self.url == other.url
    }

    /// How often the rule permits, if it says so.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// Whether the rule permits no method but those that only read: GET, HEAD, OPTIONS and TRACE (RFC 9110, section 9.2.1).
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.methods.only_read()
    }

    /// Whether the rule covers all hosts, or a large part of all addresses.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        self.url.is_broad()
    }

    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        let (rate, rest) = match first_word(text).filter(|(word, _)| word.contains('/')) {
            Some((word, rest)) => (Some(Rate::parse(word)?), rest),
            None => (None, text),
        };
        let (methods, url) = match first_word(rest) {
            Some((word, url)) => {
                let methods = Methods::parse(word).map_err(|error| error.shifted(text.len() - rest.len()))?;
                (methods, url)
            }
            None => (Methods::Unsaid, rest),
        };
        let url_at = text.len() - url.len();
        let url = UrlPattern::parse(url).map_err(|error| error.shifted(url_at))?;
        Ok(Self { rate, methods, url })
    }

    pub(super) fn permits(&self, op: &HttpOp) -> bool {
        self.methods.permits(&op.method) && self.url.opens(&op.target)
    }

    /// Whether the rule permits the request's method and names `address` for it.
    pub(super) fn names(&self, op: &HttpOp, address: IpAddr) -> bool {
        self.methods.permits(&op.method) && self.url.names(&op.target, address)
    }

    pub(super) fn denies(&self, op: &HttpOp) -> bool {
        let shuts_address = |address| self.url.shuts_address(&op.target, address);
        self.methods.denies(&op.method) && (self.url.shuts(&op.target) || op.address.is_some_and(shuts_address))
    }
}

/// What stands before the first space and before the URL, and the rest. A space may also stand in the URL's path.
fn first_word(text: &str) -> Option<(&str, &str)> {
    text.split_once(' ').filter(|(word, _)| !word.contains("://"))
}

impl fmt::Display for HttpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fetch:")?;
        if let Some(rate) = self.rate {
            write!(f, "{rate} ")?;
        }
        write!(f, "{}{}", self.methods, self.url)
    }
}
