//! `wasi:http`: requests, by scheme, host, port, path and method. The query is not looked at.
//!
//! A host that is not public, as a literal address or as `localhost`, is permitted only by a rule that names it: that address, a
//! network that contains it, or that name. A rule for `*` or for `*.DOMAIN` never opens it. CONNECT is never permitted.
//!
//! A deny rule without methods takes every method away; one for an address or a network also shuts addresses that carry such a
//! one inside.

use std::fmt;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::text_matcher::TextMatcher;
use super::{Allow, Reason, Reserved, Rules, Section, sealed};
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::pattern::host::Host;
use crate::pattern::language::{any_byte, literal, many};
use crate::pattern::method::{Methods, is_method};
use crate::pattern::set::TooMany;
use crate::pattern::url::{Scheme, Target};
use crate::pattern::url_language as language;
use crate::pattern::url_pattern::UrlPattern;

/// Outgoing HTTP requests.
#[derive(Debug)]
pub enum HttpSection {}

/// To send a request. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpOp {
    method: Arc<str>,
    target: Target,
}

impl HttpOp {
    /// A request with `method` to `url`.
    ///
    /// # Errors
    ///
    /// When the method is no token, or the URL is not one that can be asked for: not absolute, not `http` or `https`, with a user
    /// name, with characters that hide where it goes, or with a path that a server could take for one that climbs.
    pub fn new(method: &str, url: &str) -> Result<Self, OpError> {
        if !is_method(method) {
            return Err(OpError::with_fix("this is no HTTP method", "write a method such as `GET`"));
        }
        Ok(Self { method: method.into(), target: Target::parse(url)? })
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The URL in the one form in which it was decided on and may be sent.
    #[must_use]
    pub fn url(&self) -> &str {
        self.target.url()
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.target.scheme()
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.target.host()
    }

    /// The port; the scheme's own, where none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.target.port()
    }
}

impl fmt::Display for HttpOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}

/// `fetch:[METHOD[,METHOD] ]URL-PATTERN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRule {
    methods: Methods,
    url: UrlPattern,
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
        Ok(Self { methods, url: UrlPattern::parse(url)? })
    }

    /// Whether the rule covers all hosts, or a large part of all addresses.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        self.url.is_broad()
    }

    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        let Some((methods, url)) = text.split_once(' ') else {
            return Ok(Self { methods: Methods::Unsaid, url: UrlPattern::parse(text)? });
        };
        // A space may also stand in the path.
        if methods.contains("://") {
            return Ok(Self { methods: Methods::Unsaid, url: UrlPattern::parse(text)? });
        }
        let url_at = methods.len() + 1;
        Ok(Self {
            methods: Methods::parse(methods)?,
            url: UrlPattern::parse(url).map_err(|error| error.shifted(url_at))?,
        })
    }

    fn permits(&self, op: &HttpOp) -> bool {
        self.methods.permits(&op.method) && self.url.opens(&op.target)
    }

    fn denies(&self, op: &HttpOp) -> bool {
        self.methods.denies(&op.method) && self.url.shuts(&op.target)
    }
}

impl fmt::Display for HttpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fetch:{}{}", self.methods, self.url)
    }
}

impl sealed::Sealed for HttpSection {}

impl Section for HttpSection {
    type Op = HttpOp;
    type Rule = HttpRule;
    type Matcher = TextMatcher;

    const CLASS: Class = Class::Http;

    fn rules(sections: &Sections) -> &Rules<Self> {
        &sections.http
    }

    fn compile(allow: &Allow<HttpRule>, deny: &[HttpRule]) -> Result<TextMatcher, TooMany> {
        TextMatcher::new(allow, deny, |rule| rule.url.path())
    }

    fn judge(matcher: &TextMatcher, rules: &Rules<Self>, op: &HttpOp) -> Reason {
        if &*op.method == "CONNECT" {
            return Reason::Never;
        }
        matcher.judge(rules, op.target.path(), |rule| rule.permits(op), |rule| rule.denies(op))
    }

    fn universe() -> Hir {
        Hir::concat(vec![language::any_method(), literal(" "), language::any_target()])
    }

    fn permitted_by(rule: &HttpRule) -> Hir {
        Hir::concat(vec![language::methods(&rule.methods), literal(" "), language::opened(&rule.url)])
    }

    fn denied_by(rule: &HttpRule) -> Hir {
        let methods = match &rule.methods {
            Methods::Unsaid => language::anything_then_space(),
            methods => Hir::concat(vec![language::methods(methods), literal(" ")]),
        };
        Hir::concat(vec![methods, language::shut(&rule.url)])
    }

    fn decode(text: &str) -> Option<HttpOp> {
        let (method, target) = text.split_once(' ')?;
        HttpOp::new(method, &language::url(target)?).ok()
    }

    fn reserved() -> Vec<Reserved<Self>> {
        let with = |method| Hir::concat(vec![literal(method), many(any_byte())]);
        vec![
            Reserved { language: with("CONNECT "), opened_by: None },
            Reserved { language: with("TRACE "), opened_by: Some(|rule| rule.methods != Methods::Any) },
            Reserved {
                language: Hir::concat(vec![language::anything_then_space(), language::special_target()]),
                opened_by: Some(|rule| rule.url.host().is_naming()),
            },
        ]
    }

    fn nicer(op: &HttpOp) -> Vec<HttpOp> {
        let common = ["DELETE", "PATCH", "PUT", "POST", "HEAD", "GET"];
        let own = op.target.on_default_port();
        let targets = [Some(op.target.clone()), own];
        let with = |target: Target| common.map(|method| HttpOp { method: method.into(), target: target.clone() });
        targets.into_iter().flatten().flat_map(with).collect()
    }

    fn suggestion(op: &HttpOp) -> Option<String> {
        let methods = match &*op.method {
            "GET" | "HEAD" => Methods::Unsaid,
            method => Methods::parse(method).ok()?,
        };
        Some(format!("fetch:{methods}{}", UrlPattern::of(&op.target)))
    }
}
