//! Patterns over URLs: `SCHEME://HOST[:PORT][/PATH-GLOB]`.
//!
//! What always holds: a pattern and a target are read by the same rules, so that two spellings of one thing are one thing; a
//! pattern reads the same again from its own text.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::glob::{Glob, SPECIAL, escape_glob};
use super::host::{Host, HostPattern};
use super::url::{FIX, Scheme, Target, decode, leading_bytes};
use crate::error::RuleError;

/// What a rule says about ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PortPattern {
    /// `*`: every port.
    Any,
    /// This port alone.
    One(u16),
}

impl PortPattern {
    /// Reads what stands behind the colon.
    fn parse(text: &str) -> Result<Self, RuleError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        let port = text.parse().ok().filter(|_| plain).map(Self::One);
        let fix = "write a number from 1 to 65535, `*` for every port, or leave it out";
        port.ok_or_else(|| RuleError::at(0, text, "this is no port", fix))
    }

    fn covers(self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::One(own) => own == port,
        }
    }
}

/// `SCHEME://HOST[:PORT][/PATH-GLOB]`. Without a port it is about the scheme's own; `*` is every port. Without a path it is about
/// every path. The query is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UrlPattern {
    scheme: Scheme,
    host: HostPattern,
    port: PortPattern,
    path: Glob,
}

impl UrlPattern {
    /// The pattern for exactly `target`, without its query.
    pub(crate) fn of(target: &Target) -> Self {
        let path = Glob::parse_url_path(&escape_glob(target.path())).unwrap_or_else(|_| Glob::every_url_path());
        let host = match target.host() {
            Host::Name(name) => HostPattern::Name(Arc::clone(name)),
            Host::Address(address) => HostPattern::Address(*address),
        };
        Self { scheme: target.scheme(), host, port: PortPattern::One(target.port()), path }
    }

    /// The same pattern for `address` instead of its host.
    pub(crate) fn at(self, address: IpAddr) -> Self {
        Self { host: HostPattern::Address(address), ..self }
    }

    /// Reads a pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        let scheme = Scheme::ALL
            .into_iter()
            .find(|scheme| text.strip_prefix(scheme.as_str()).is_some_and(|rest| rest.starts_with("://")));
        let Some(scheme) = scheme else {
            let start = text.split("://").next().unwrap_or_default();
            return Err(RuleError::at(0, start, "the URL does not start with `https://` or `http://`", FIX));
        };
        let host_at = scheme.as_str().len() + "://".len();
        let rest = text.get(host_at..).unwrap_or_default();
        let (host, after) = split_host(rest);
        let host_pattern = HostPattern::parse(host).map_err(|error| error.shifted(host_at))?;
        let after_at = host_at + host.len();
        let (port, path, path_at) = match after.strip_prefix(':') {
            None => (PortPattern::One(scheme.default_port()), after, after_at),
            Some(after) => {
                let digits = after.find('/').unwrap_or(after.len());
                let (port, path) = after.split_at(digits);
                (PortPattern::parse(port).map_err(|error| error.shifted(after_at + 1))?, path, after_at + 1 + digits)
            }
        };
        let path = parse_path(path).map_err(|error| error.shifted(path_at))?;
        Ok(Self { scheme, host: host_pattern, port, path })
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) fn host(&self) -> &HostPattern {
        &self.host
    }

    pub(crate) fn port(&self) -> PortPattern {
        self.port
    }

    pub(crate) fn path(&self) -> &Glob {
        &self.path
    }

    pub(crate) fn is_broad(&self) -> bool {
        self.host.is_broad()
    }

    /// Whether the pattern permits `target`, as far as everything but the path goes.
    pub(crate) fn opens(&self, target: &Target) -> bool {
        self.is_about(target) && self.host.opens(target.host())
    }

    /// Whether the pattern denies `target`, as far as everything but the path goes.
    pub(crate) fn shuts(&self, target: &Target) -> bool {
        self.is_about(target) && self.host.shuts(target.host())
    }

    /// Whether the pattern names `address`, to which the host of `target` resolved, as far as everything but the path goes.
    pub(crate) fn names(&self, target: &Target, address: IpAddr) -> bool {
        self.is_about(target) && self.host.names(target.host(), address)
    }

    /// Whether the pattern denies `address`, to which the host of `target` resolved, as far as everything but the path goes.
    pub(crate) fn shuts_address(&self, target: &Target, address: IpAddr) -> bool {
        self.is_about(target) && self.host.shuts(&Host::Address(address))
    }

    fn is_about(&self, target: &Target) -> bool {
        self.scheme == target.scheme() && self.port.covers(target.port())
    }
}

/// The host at the start of `text`, and the rest. A slash belongs to the host where it makes a network of it.
fn split_host(text: &str) -> (&str, &str) {
    if text.starts_with('[') {
        return text.split_at(text.find(']').map_or(text.len(), |end| end + 1));
    }
    let end = text.find([':', '/']).unwrap_or(text.len());
    let is_address = text.get(..end).is_some_and(|host| host.parse::<std::net::Ipv4Addr>().is_ok());
    let prefix = text.get(end..).and_then(|rest| rest.strip_prefix('/')).filter(|_| is_address);
    match prefix.and_then(prefix_length) {
        Some(digits) => text.split_at(end + 1 + digits),
        None => text.split_at(end),
    }
}

/// How many digits of a prefix length `text` starts with, if nothing but a port or a path follows.
fn prefix_length(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let ends = matches!(text.as_bytes().get(digits), None | Some(b':' | b'/'));
    ((1..=2).contains(&digits) && ends).then_some(digits)
}

fn parse_path(text: &str) -> Result<Glob, RuleError> {
    if text.is_empty() {
        return Ok(Glob::every_url_path());
    }
    let refuse =
        |at: usize, problem: &str, fix: &str| Err(RuleError::at(at, text.get(at..).unwrap_or_default(), problem, fix));
    if let Some(at) = text.find('#') {
        return refuse(at, "a fragment is never sent", "remove it, or write `%23` for the character");
    }
    if let Some(at) = text.find('?').filter(|at| text.get(*at..).is_some_and(|query| query.contains('='))) {
        return refuse(at, "a rule does not look at the query", "remove it, or write `\\?` for a question mark");
    }
    if !text.starts_with('/') {
        return Err(RuleError::at(
            0,
            text,
            "this cannot follow the host",
            "write a port as `:8080`, or a path as `/path`",
        ));
    }
    if let Some(dots) = text.split('/').find(|segment| matches!(*segment, "." | "..")) {
        return Err(RuleError::at(0, dots, "a path is matched without `.` and `..`", "write the path that is meant"));
    }
    Glob::parse_url_path(&decode_pattern(text))
}

/// The pattern with its percent-encoding undone as in the paths that it is compared with; what that uncovers is no wildcard.
fn decode_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (plain, encoded) = rest.split_at(at);
        pattern.push_str(plain);
        let length = leading_bytes(encoded).len() * 3;
        if length == 0 {
            pattern.push('%');
            rest = encoded.get(1..).unwrap_or_default();
            continue;
        }
        let (encoded, after) = encoded.split_at(length);
        for c in decode(encoded).chars() {
            if SPECIAL.contains(&c) || c == ',' {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        rest = after;
    }
    pattern.push_str(rest);
    pattern
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        let is_default = self.port == PortPattern::One(self.scheme.default_port());
        match self.port {
            PortPattern::Any => f.write_str(":*")?,
            PortPattern::One(port) if !is_default => write!(f, ":{port}")?,
            PortPattern::One(_) => {}
        }
        let path = self.path.as_str();
        let is_address = matches!(self.host, HostPattern::Address(IpAddr::V4(_))) && is_default;
        match path.strip_prefix('/') {
            // What would read as the prefix of a network.
            Some(rest) if is_address && prefix_length(rest).is_some() => write!(f, "/\\{rest}"),
            _ => f.write_str(path),
        }
    }
}
