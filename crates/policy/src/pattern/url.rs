//! URLs: what is asked for, in the one form in which it is decided on and sent.
//!
//! What always holds of a [`Target`]: it was read by the parser of the WHATWG URL standard; it has no user, no fragment, and no
//! path that a server could take to climb; its host is canonical. Its path is matched decoded, so that `%61` and `a` are one.

use std::fmt;
use std::sync::Arc;

use ::url::Url;

use super::host::Host;
use crate::error::OpError;
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

    /// As a URL starts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
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
        let written = url.host();
        let host = written.as_ref().and_then(Host::new).ok_or_else(|| refuse("its host is no name and no address"))?;
        let is_canonical = match (&host, &written) {
            (Host::Name(name), Some(::url::Host::Domain(written))) => &**name == *written,
            // The parser has one form for it.
            (_, Some(::url::Host::Ipv4(_))) => true,
            _ => false,
        };
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(refuse("there is no port 0"));
        }
        if !is_canonical {
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

    /// The same target on the scheme's own port, which readers know best.
    pub(crate) fn on_default_port(&self) -> Option<Self> {
        let mut url = Url::parse(&self.url).ok()?;
        url.set_port(None).ok()?;
        Self::parse(url.as_str()).ok()
    }
}

pub(super) const FIX: &str = "write a URL such as `https://example.com/path`";

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
pub(super) fn decode(path: &str) -> String {
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
pub(super) fn leading_bytes(text: &str) -> Vec<u8> {
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
    let is_step = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
    if path.contains('%') {
        return path.replace("%2F", "/").replace("%5C", "/").split('/').any(is_step);
    }
    path.split('/').any(is_step)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}
