//! `wasi:http`: requests, by scheme, host, port, path and method. The query is not looked at.
//!
//! A host that is not public, as a literal address or as `localhost`, is permitted only by a rule that names it: that address, a
//! network that contains it, or that name. A rule for `*` or for `*.DOMAIN` never opens it. CONNECT is never permitted.
//!
//! A deny rule without methods takes every method away; one for an address or a network also shuts addresses that carry such a
//! one inside.
//!
//! # Where a name resolves
//!
//! A request to a name takes two decisions. The first is on the request, before the name is looked up: some rule must permit the
//! *name*, or `*`. A rule for an address or a network permits no name, because a name that may be looked up is a message to
//! whoever answers, and a grant for `10.0.0.0/8` would let every name be one. The second is on each address that the lookup gave,
//! before it is dialled ([`Guard::connect`](crate::Guard::connect)). In every layer,
//!
//! - a deny rule that matches the request with this address in the place of its host shuts it, public or not;
//! - an address that is not public, in any form, needs an allow rule that matches the request and names the address: that
//!   address or a network that contains it. Where the host is `localhost` or a name below it, the rule that names the host names
//!   the machine's own addresses, too.
//!
//! So `http://intranet:8080/` at 10.1.2.3 takes two rules in each layer with bounds, such as `fetch:http://intranet:8080` and
//! `fetch:http://10.0.0.0/8:8080`. A rule for a name never opens a private address by itself: who answers for the name is not
//! who granted it. A request to a literal address goes to that address and to no other, and one to a local name to the machine's own.
//!
//! # Rates
//!
//! An allow rule may say how often. It changes nothing about what is permitted: there is no clock here, so whoever sends the request
//! keeps the counts, and asks [`Guard::rates`](crate::Guard::rates) which of them a request takes from. In a layer, rules are
//! alternatives: one without a rate lifts those of all others that match. A deny rule with a rate denies, however often.

mod connect;
mod rate;
mod rule;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::text_matcher::TextMatcher;
use super::{Allow, Reason, Reserved, Rules, Section, sealed};
use crate::address::{self, AddressClass};
use crate::class::Class;
use crate::error::OpError;
use crate::layer::Sections;
use crate::pattern::host::Host;
use crate::pattern::language::{any_byte, literal, many};
use crate::pattern::method::{Methods, is_method};
use crate::pattern::set::TooMany;
use crate::pattern::url::{Scheme, Target};
use crate::pattern::url_language as language;
use crate::pattern::url_pattern::UrlPattern;

pub use connect::ConnectOp;
pub use rate::{LayerRates, Rate, RatedRule, RuleId};
pub use rule::HttpRule;

/// Outgoing HTTP requests.
#[derive(Debug)]
pub enum HttpSection {}

/// To send a request; or, with an address, to send it there. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpOp {
    method: Arc<str>,
    target: Target,
    address: Option<IpAddr>,
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
        Ok(Self { method: method.into(), target: Target::parse(url)?, address: None })
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

    /// The address that the host resolved to, where that is decided on.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The request by itself, wherever its host resolves.
    #[must_use]
    pub fn request(&self) -> Self {
        Self { address: None, ..self.clone() }
    }

    /// Reads `URL`, or `URL at ADDRESS`; a URL has no space.
    pub(crate) fn parse(method: &str, rest: &str) -> Result<Self, OpError> {
        let Some((url, address)) = rest.split_once(" at ") else {
            return Self::new(method, rest);
        };
        let fix = "write it as in `GET https://example.com/ at 192.0.2.1`";
        let address = address.parse().map_err(|_| OpError::with_fix("this is no address to send a request to", fix))?;
        Ok(Self { address: Some(address::canonical(address)), ..Self::new(method, url)? })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Whether a request to this host could go to `address`: a literal address is where its requests go, and a local name is
    /// this machine (RFC 6761, section 6.3).
    fn may_resolve_to(&self, address: IpAddr) -> bool {
        match self.host() {
            Host::Address(own) => *own == address,
            host => !host.is_local_name() || address.is_loopback(),
        }
    }
}

impl fmt::Display for HttpOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        self.address.map_or(Ok(()), |address| write!(f, " at {address}"))
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
        if op.address.is_some_and(|address| !op.may_resolve_to(address)) {
            return Reason::Never;
        }
        let request = matcher.judge(rules, op.target.path(), |rule| rule.permits(op), |rule| rule.denies(op));
        match (request, op.address) {
            (Reason::Allow(_), Some(address)) if address::classify(address) != AddressClass::Public => {
                match matcher.judge(rules, op.target.path(), |rule| rule.names(op, address), |_| false) {
                    Reason::NoRule => Reason::NotNamed,
                    reason => reason,
                }
            }
            (reason, _) => reason,
        }
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
        let with = |target: Target| {
            common.map(|method| HttpOp { method: method.into(), target: target.clone(), address: None })
        };
        targets.into_iter().flatten().flat_map(with).collect()
    }

    /// The request that leads to an address was asked about ([`Guard::connect`](crate::Guard::connect) takes nothing else), and a public
    /// address, or the only one that the host can have, is where everybody expects it to go. Any other is a question by itself.
    fn follows(op: &HttpOp) -> bool {
        let is_expected = |address| match op.host() {
            Host::Address(_) => true,
            host => host.is_local_name() || address::classify(address) == AddressClass::Public,
        };
        op.address.is_some_and(is_expected)
    }

    /// The one method and the one path. A rule says nothing about a query.
    fn narrowest(op: &HttpOp) -> Option<String> {
        let url = UrlPattern::of(&op.target);
        let url = match op.address {
            Some(address) => url.at(address),
            None => url,
        };
        Some(format!("fetch:{}{url}", Methods::parse(&op.method).ok()?))
    }

    fn suggestion(op: &HttpOp) -> Option<String> {
        let methods = match &*op.method {
            "GET" | "HEAD" => Methods::Unsaid,
            method => Methods::parse(method).ok()?,
        };
        let url = UrlPattern::of(&op.target);
        let url = match op.address {
            Some(address) => url.at(address),
            None => url,
        };
        Some(format!("fetch:{methods}{url}"))
    }
}
