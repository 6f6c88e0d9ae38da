//! URLs: what is asked for, in the one form in which it is decided on and sent, and patterns over it.
//!
//! What always holds of a [`Target`]: it was read by the parser of the WHATWG URL standard; it has no user, no fragment, and no
//! path that a server could take to climb; its host is canonical. Its path is matched decoded, so that `%61` and `a` are one.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ::url::Url;

use super::glob::{Glob, SPECIAL};
use super::host::{Host, HostPattern};
use crate::error::{OpError, RuleError};
use crate::text::is_hidden;

/// The longest URL in bytes; common servers take no longer request line.
const MAX_BYTES: usize = 8192;

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Without encryption.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    pub(crate) const ALL: [Self; 2] = [Self::Https, Self::Http];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port where none is written.
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    url: Arc<str>,
    scheme: Scheme,
    host: Host,
    port: u16,
    /// The decoded path.
    path: Arc<str>,
}

impl Target {
    /// Reads a URL as a guest gives it.
    pub(crate) fn parse(text: &str) -> Result<Self, OpError> {
        let refuse = |problem: &str| OpError::with_fix(format!("this is no URL that can be asked for: {problem}"), FIX);
        check_text(text).map_err(refuse)?;
        let mut url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
        let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.as_str() == url.scheme());
        let scheme = scheme.ok_or_else(|| refuse("its scheme is not http or https"))?;
        let host =
            url.host().as_ref().and_then(Host::new).ok_or_else(|| refuse("its host is no name and no address"))?;
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(refuse("there is no port 0"));
        }
        if !matches!(&host, Host::Name(name) if url.host_str() == Some(name)) {
            url.set_host(Some(&host.to_string())).map_err(|error| refuse(&error.to_string()))?;
        }
        url.set_fragment(None);
        let path = decode(url.path());
        if climbs(&path) {
            return Err(refuse("a part of its path could be taken for `..`"));
        }
        Ok(Self { url: url.as_str().into(), scheme, host, port, path: path.into() })
    }

    /// The canonical URL: what is to be sent.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The decoded path, which rules match.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The pattern for exactly this target, without its query.
    pub(crate) fn suggestion(&self) -> UrlPattern {
        let path =
            Glob::parse_url_path(&super::glob::escape_glob(&self.path)).unwrap_or_else(|_| Glob::every_url_path());
        let host = match &self.host {
            Host::Name(name) => HostPattern::Name(Arc::clone(name)),
            Host::Address(address) => HostPattern::Address(*address),
        };
        UrlPattern { scheme: self.scheme, host, port: self.port, path }
    }
}

const FIX: &str = "write a URL such as `https://example.com/path`";

/// What the URL parser would mend silently, and what hides where a request goes.
fn check_text(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_BYTES {
        return Err("it is longer than 8192 bytes");
    }
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
        return Err("it has a space, a backslash or a control character");
    }
    let rest = text.split_once("://").ok_or("it is not absolute")?.1;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority {
        "" => Err("it has no host"),
        authority if authority.contains('@') => Err("it has a user name before its host"),
        authority if authority.contains('%') => Err("its host is percent-encoded"),
        authority if authority.ends_with(':') => Err("its port is empty"),
        _ => Ok(()),
    }
}

/// `path` with its percent-encoding undone wherever that cannot change what the path means: slashes, backslashes, percent signs,
/// characters that cannot be seen and bytes that are no UTF-8 stay encoded, with capital digits.
pub(crate) fn decode(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (plain, encoded) = rest.split_at(at);
        decoded.push_str(plain);
        let bytes = leading_bytes(encoded);
        if bytes.is_empty() {
            decoded.push('%');
            rest = encoded.get(1..).unwrap_or_default();
            continue;
        }
        push_decoded(&mut decoded, &bytes);
        rest = encoded.get(bytes.len() * 3..).unwrap_or_default();
    }
    decoded.push_str(rest);
    decoded
}

/// The bytes of all `%XX` at the start of `text`.
fn leading_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for triple in text.as_bytes().chunks(3) {
        let [b'%', high, low] = triple else { break };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { break };
        bytes.push(high << 4 | low);
    }
    bytes
}

fn push_decoded(decoded: &mut String, bytes: &[u8]) {
    let encode = |decoded: &mut String, bytes: &[u8]| {
        for byte in bytes {
            decoded.push_str(&format!("%{byte:02X}"));
        }
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_hidden(c) || matches!(c, '/' | '\\' | '%') {
                encode(decoded, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                decoded.push(c);
            }
        }
        encode(decoded, chunk.invalid());
    }
}

/// Whether a server could take a part of the decoded `path` for a step up: one that splits at encoded slashes, or that ignores
/// what follows a semicolon.
fn climbs(path: &str) -> bool {
    let path = path.replace("%2F", "/").replace("%5C", "/");
    path.split('/').any(|part| matches!(part.split(';').next(), Some("." | "..")))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// `SCHEME://HOST[:PORT][/PATH-GLOB]`. Without a port it is about the scheme's own; without a path, about every path. The query is
/// not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UrlPattern {
    scheme: Scheme,
    host: HostPattern,
    port: u16,
    path: Glob,
}

impl UrlPattern {
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
            None => (scheme.default_port(), after, after_at),
            Some(after) => {
                let digits = after.find('/').unwrap_or(after.len());
                let (port, path) = after.split_at(digits);
                (parse_port(port).map_err(|error| error.shifted(after_at + 1))?, path, after_at + 1 + digits)
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

    pub(crate) fn port(&self) -> u16 {
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
        self.scheme == target.scheme && self.port == target.port && self.host.opens(&target.host)
    }

    /// Whether the pattern denies `target`, as far as everything but the path goes.
    pub(crate) fn shuts(&self, target: &Target) -> bool {
        self.scheme == target.scheme && self.port == target.port && self.host.shuts(&target.host)
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

fn parse_port(text: &str) -> Result<u16, RuleError> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| plain);
    port.ok_or_else(|| RuleError::at(0, text, "this is no port", "write a number from 1 to 65535, or leave it out"))
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
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        let path = self.path.as_str();
        let is_address =
            matches!(self.host, HostPattern::Address(IpAddr::V4(_))) && self.port == self.scheme.default_port();
        match path.strip_prefix('/') {
            // What would read as the prefix of a network.
            Some(rest) if is_address && prefix_length(rest).is_some() => write!(f, "/\\{rest}"),
            _ => f.write_str(path),
        }
    }
}
