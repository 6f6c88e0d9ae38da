//! Hosts: what a request goes to, and what a rule says about it. Both sides are read by one parser, that of the WHATWG URL
//! standard, so that all spellings of a host are one host before anything is decided.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use url::Host as Parsed;

use crate::address::{self, AddressClass};
use crate::error::RuleError;

/// The longest domain name (RFC 1035, section 2.3.4), without the dot at its end.
const MAX_NAME_BYTES: usize = 253;
/// The longest part of a name (RFC 1035, section 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// The host of a request, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name: lower case, as DNS carries it (A-labels), without a dot at the end.
    Name(Arc<str>),
    /// A literal address; IPv4 in its mapped IPv6 form is IPv4.
    Address(IpAddr),
}

impl Host {
    /// The canonical form of what the URL parser found; `None` if it is no host name.
    pub(crate) fn new(parsed: &Parsed<&str>) -> Option<Self> {
        match parsed {
            Parsed::Ipv4(address) => Some(Self::Address((*address).into())),
            Parsed::Ipv6(address) => Some(Self::Address(address::canonical((*address).into()))),
            Parsed::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                is_name(name).then(|| Self::Name(name.into()))
            }
        }
    }

    /// Whether the host is one that a rule has to name: an address that is not public, or a name of this machine.
    pub(crate) fn is_special(&self) -> bool {
        match self {
            Self::Address(address) => address::classify(*address) != AddressClass::Public,
            Self::Name(_) => self.is_local_name(),
        }
    }

    /// Whether the host is a name of this machine (RFC 6761, section 6.3).
    pub(crate) fn is_local_name(&self) -> bool {
        matches!(self, Self::Name(name) if &**name == "localhost" || name.ends_with(".localhost"))
    }
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.len() <= MAX_LABEL_BYTES && label.bytes().all(allowed)
    };
    name.len() <= MAX_NAME_BYTES && name.split('.').all(is_label)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// What a rule says about hosts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HostPattern {
    /// Every public host.
    Any,
    /// This name alone.
    Name(Arc<str>),
    /// Every name below this one, at any depth, without it.
    Below(Arc<str>),
    /// This address.
    Address(IpAddr),
    /// The addresses of this network.
    Network(IpNet),
}

impl HostPattern {
    /// Reads the host of a rule: `*`, `*.DOMAIN`, a name, an address (IPv6 in brackets), or a network.
    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some((address, prefix)) = text.trim_start_matches('[').trim_end_matches(']').split_once('/') {
            return network(text, address, prefix);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return match host(parent).map_err(|error| error.shifted(2))? {
                Host::Name(name) => Ok(Self::Below(name)),
                Host::Address(_) => {
                    let fix = "write a network, such as `10.0.0.0/8`";
                    Err(RuleError::at(0, text, "a wildcard before an address", fix))
                }
            };
        }
        Ok(match host(text)? {
            Host::Name(name) => Self::Name(name),
            Host::Address(address) => Self::Address(address),
        })
    }

    /// Whether the pattern covers `host`, special or not. Deny rules ask this, and look inside addresses that carry others.
    pub(crate) fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Name(own), Host::Name(asked)) => own == asked,
            (Self::Below(parent), Host::Name(asked)) => is_below(asked, parent),
            (Self::Address(own), Host::Address(asked)) => own == asked,
            (Self::Network(own), Host::Address(asked)) => own.contains(asked),
            (Self::Name(_) | Self::Below(_), Host::Address(_))
            | (Self::Address(_) | Self::Network(_), Host::Name(_)) => false,
        }
    }

    /// Whether the pattern opens `host`: it covers it, and names it if it is special.
    pub(crate) fn opens(&self, host: &Host) -> bool {
        self.covers(host) && (self.is_naming() || !host.is_special())
    }

    /// Whether the pattern shuts `host`: it covers it, or an address that it carries.
    pub(crate) fn shuts(&self, host: &Host) -> bool {
        let carried = |asked: &IpAddr| {
            address::embedded(*asked).into_iter().any(|inner| self.covers(&Host::Address(inner.into())))
        };
        self.covers(host) || matches!(host, Host::Address(asked) if carried(asked))
    }

    /// Whether the pattern names `address`, to which `host` resolved: that address, a network that contains it, or, for an address
    /// of this machine's own, the local name that was asked for.
    pub(crate) fn names(&self, host: &Host, address: IpAddr) -> bool {
        match self {
            Self::Address(_) | Self::Network(_) => self.covers(&Host::Address(address)),
            Self::Name(_) => address.is_loopback() && host.is_local_name() && self.covers(host),
            Self::Any | Self::Below(_) => false,
        }
    }

    /// Whether the pattern names what it covers, so that it opens hosts that are not public, too.
    pub(crate) fn is_naming(&self) -> bool {
        match self {
            Self::Name(_) | Self::Address(_) | Self::Network(_) => true,
            Self::Any | Self::Below(_) => false,
        }
    }

    /// Whether the pattern covers all hosts, or a large part of all addresses.
    pub(crate) fn is_broad(&self) -> bool {
        match self {
            Self::Any => true,
            // A whole top-level domain.
            Self::Below(parent) => !parent.contains('.'),
            // More than 10.0.0.0/8, the largest private network, and its like among IPv6 addresses.
            Self::Network(IpNet::V4(net)) => net.prefix_len() < 8,
            Self::Network(IpNet::V6(net)) => net.prefix_len() < 32,
            Self::Name(_) | Self::Address(_) => false,
        }
    }
}

fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

fn host(text: &str) -> Result<Host, RuleError> {
    let fix = "write a name, `*.DOMAIN`, an address, or `[IPV6]`";
    if text.is_empty() {
        return Err(RuleError::at(0, "", "the host is empty", fix));
    }
    if text.contains('*') {
        let fix = "write `*.DOMAIN` for all names below a domain, or `*` alone";
        return Err(RuleError::at(0, text, "a wildcard stands for whole labels, at the front only", fix));
    }
    // The URL parser decodes these; a rule that needs it hides what it says.
    let parsed = Some(text).filter(|text| !text.contains('%')).and_then(|text| Parsed::parse(text).ok());
    let host = parsed.as_ref().and_then(|parsed| {
        Host::new(&match parsed {
            Parsed::Domain(name) => Parsed::Domain(name.as_str()),
            Parsed::Ipv4(address) => Parsed::Ipv4(*address),
            Parsed::Ipv6(address) => Parsed::Ipv6(*address),
        })
    });
    match host {
        Some(Host::Address(address @ IpAddr::V4(_))) if !text.starts_with('[') && address.to_string() != text => {
            Err(RuleError::at(0, text, "an address that is not written plainly", format!("write `{address}`")))
        }
        Some(host) => Ok(host),
        None => Err(RuleError::at(0, text, "this is no host", fix)),
    }
}

fn network(text: &str, address: &str, prefix: &str) -> Result<HostPattern, RuleError> {
    let error = |problem: &str, fix: String| RuleError::at(0, text, problem, fix);
    let example = || "write an address and the length of its prefix, such as `10.0.0.0/8` or `[fd00::/8]`".to_owned();
    let digits = !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (prefix == "0" || !prefix.starts_with('0'));
    let net = match (address.parse::<IpAddr>(), prefix.parse::<u8>()) {
        (Ok(address), Ok(prefix)) if plain => {
            IpNet::new(address, prefix).map_err(|_| error("the prefix is too long", example()))?
        }
        _ => return Err(error("this is no network", example())),
    };
    if net.trunc() != net {
        return Err(error("the network has bits set behind its prefix", format!("write `{}`", net.trunc())));
    }
    Ok(match net {
        IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() && v6.prefix_len() >= 96 => {
            let mapped = v6.addr().to_ipv4_mapped().and_then(|v4| IpNet::new(v4.into(), v6.prefix_len() - 96).ok());
            mapped.map_or(HostPattern::Network(net), of_network)
        }
        net => of_network(net),
    })
}

/// A network of one address is that address.
fn of_network(net: IpNet) -> HostPattern {
    if net.prefix_len() == net.max_prefix_len() { HostPattern::Address(net.addr()) } else { HostPattern::Network(net) }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Name(name) => f.write_str(name),
            Self::Below(parent) => write!(f, "*.{parent}"),
            Self::Address(address) => Host::Address(*address).fmt(f),
            Self::Network(net @ IpNet::V4(_)) => net.fmt(f),
            Self::Network(net @ IpNet::V6(_)) => write!(f, "[{net}]"),
        }
    }
}
