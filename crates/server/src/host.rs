//! Which names a request may call this server by, and which web pages may ask it: what keeps pages in a browser from reaching a
//! server on 127.0.0.1, also where they make a name of theirs lead to it (DNS rebinding).
//!
//! What always holds: a request without exactly one readable host is refused; so is one with an origin that is neither the server's own
//! nor on the list; a name is compared as a whole, an address by its value. No answer carries CORS headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::connection::Arrival;
use crate::error::ServerError;
use crate::refusal::Refusal;

/// What a browser says of where a request comes from, also when it sends no origin.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A name or an address, and a port where one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// In lower case.
    Name(String),
    Address(IpAddr),
}

/// A host that requests may name, beside those that follow from the address: `tools.example.org`, or with a port to hold it to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost(Authority);

/// An origin of web pages that may send requests: `https://app.example.org`, `vscode-webview://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin(Origin);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    /// In lower case.
    scheme: String,
    authority: Authority,
}

/// What requests may name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) hosts: Vec<AllowedHost>,
    pub(crate) origins: Vec<AllowedOrigin>,
}

impl Names {
    /// Whether `request`, which came by `arrival`, names a host of this server and comes from no foreign page.
    pub(crate) fn check(&self, request: &Parts, arrival: Arrival) -> Result<(), Refusal> {
        let host = named(request)?;
        if !is_own(&host.host, arrival) && !self.hosts.iter().any(|AllowedHost(allowed)| allowed.covers(&host)) {
            return Err(Refusal::forbidden(
                "this server does not go by the name in the Host header; `caplet serve --allow-host NAME` would allow one",
            ));
        }
        self.check_origin(&request.headers, &host, arrival)
    }

    fn check_origin(&self, headers: &HeaderMap, host: &Authority, arrival: Arrival) -> Result<(), Refusal> {
        let refused = || {
            Refusal::forbidden(
                "pages of this origin may not ask this server; `caplet serve --allow-origin ORIGIN` would allow one",
            )
        };
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(value) = values.next() else {
            let site = headers.get(SEC_FETCH_SITE).map_or(&b"none"[..], |site| site.as_bytes());
            return if matches!(site, b"none" | b"same-origin") { Ok(()) } else { Err(refused()) };
        };
        let origin = value.to_str().ok().and_then(|text| text.parse::<Origin>().ok()).ok_or_else(refused)?;
        let own = Origin { scheme: arrival.scheme().to_owned(), authority: host.clone() };
        let is_allowed = origin.is(&own) || self.origins.iter().any(|AllowedOrigin(allowed)| origin.is(allowed));
        if is_allowed && values.next().is_none() { Ok(()) } else { Err(refused()) }
    }
}

/// The one host that the target and the Host header name.
fn named(request: &Parts) -> Result<Authority, Refusal> {
    let bad = Refusal::bad_request;
    let mut hosts = request.headers.get_all(HOST).iter();
    let header = hosts.next().map(|host| host.to_str().ok().and_then(|text| text.parse::<Authority>().ok()));
    if hosts.next().is_some() {
        return Err(bad("the request has two Host headers"));
    }
    let target = request.uri.authority().map(|authority| authority.as_str().parse::<Authority>().ok());
    match (header, target) {
        (None, None) => Err(bad("the request has no Host header")),
        (Some(Some(one)), Some(Some(other))) if one == other => Ok(one),
        (Some(Some(one)), None) | (None, Some(Some(one))) => Ok(one),
        (Some(Some(_)), Some(Some(_))) => Err(bad("the Host header and the target of the request name two hosts")),
        (Some(None), _) | (_, Some(None)) => Err(bad("the request names no readable host")),
    }
}

/// Whether `host` is what the address is called that the connection came to. Addresses cannot be made to lead here by anyone else, and the
/// names of this machine only from this machine.
fn is_own(host: &Host, arrival: Arrival) -> bool {
    let here = arrival.local.ip().to_canonical();
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    match host {
        Host::Address(address) => *address == here || (here.is_loopback() && loopback.contains(address)),
        Host::Name(name) => name == "localhost" && here.is_loopback(),
    }
}

impl Authority {
    /// Whether `other` is the same host, and on this port where one is given.
    fn covers(&self, other: &Self) -> bool {
        self.host == other.host && self.port.is_none_or(|port| other.port == Some(port))
    }
}

impl FromStr for Authority {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const UNREADABLE: &str = "it is not a host, or a host and a port";
        let (host, rest) = match text.strip_prefix('[') {
            Some(inner) => {
                let (address, rest) = inner.split_once(']').ok_or(UNREADABLE)?;
                let address: Ipv6Addr = address.parse().map_err(|_| UNREADABLE)?;
                (Host::Address(IpAddr::V6(address)), rest)
            }
            None => {
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                (name.parse()?, rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| UNREADABLE)?)
            }
            None if rest.is_empty() => None,
            Some(_) | None => return Err(UNREADABLE),
        };
        Ok(Self { host, port })
    }
}

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        // 127.1 and 0x7f000001 are addresses to a browser, and have a spelling that can be read.
        let is_number =
            last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X");
        if text.is_empty() || is_number || !text.bytes().all(is_plain) {
            return Err("it is neither a name nor an address");
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }
}

impl Origin {
    /// Whether both are the same, also if one leaves out the port that its scheme means.
    fn is(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.authority.host == other.authority.host && self.port() == other.port()
    }

    fn port(&self) -> Option<u16> {
        self.authority.port.or(match self.scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        })
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, authority) = text.split_once("://").ok_or("it is not SCHEME://HOST")?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        if scheme.is_empty() || !scheme.bytes().all(is_plain) {
            return Err("its scheme cannot be read");
        }
        Ok(Self { scheme: scheme.to_ascii_lowercase(), authority: authority.parse()? })
    }
}

impl FromStr for AllowedHost {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        text.parse().map(Self).map_err(|reason| ServerError::setting("the host", text, reason))
    }
}

impl FromStr for AllowedOrigin {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        text.parse().map(Self).map_err(|reason| ServerError::setting("the origin", text, reason))
    }
}
