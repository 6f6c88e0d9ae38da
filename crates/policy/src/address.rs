//! Addresses: which of them are public, and what hides inside of others.
//!
//! An address that is not public is never connected to unless a rule names it. The table below is data, with the document that
//! sets each range apart; the registries of IANA ("IPv4 and IPv6 Special-Purpose Address Registry") list most of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressClass {
    /// Reachable on the public internet.
    Public,
    /// The machine itself.
    Loopback,
    /// No address, or "this network".
    Unspecified,
    /// A private network.
    Private,
    /// The local link, where cloud metadata services are, too.
    LinkLocal,
    /// Between a carrier and its customers.
    CarrierNat,
    /// Many receivers, or all.
    Multicast,
    /// For documentation.
    Documentation,
    /// For measurements.
    Benchmarking,
    /// Set apart for protocols, or for the future.
    Reserved,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Unspecified => "unspecified",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::CarrierNat => "carrier NAT",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Reserved => "reserved",
        })
    }
}

/// A range of addresses that is not public, and the document that says so.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SpecialRange {
    /// The first address of the range.
    pub address: IpAddr,
    /// How many leading bits all addresses of the range share.
    pub prefix: u8,
    /// What the range is for.
    pub class: AddressClass,
    /// Where that is written.
    pub source: &'static str,
}

const fn v4(octets: [u8; 4], prefix: u8, class: AddressClass, source: &'static str) -> SpecialRange {
    let [a, b, c, d] = octets;
    SpecialRange { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix, class, source }
}

const fn v6(high: [u16; 4], prefix: u8, class: AddressClass, source: &'static str) -> SpecialRange {
    let [a, b, c, d] = high;
    SpecialRange { address: IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), prefix, class, source }
}

/// Only 2000::/3 is given out for public use.
const UNASSIGNED: &str = "RFC 4291, section 4";

/// All ranges that are not public. The first that contains an address decides.
pub const SPECIAL_RANGES: &[SpecialRange] = &[
    v4([0, 0, 0, 0], 8, AddressClass::Unspecified, "RFC 791"),
    v4([10, 0, 0, 0], 8, AddressClass::Private, "RFC 1918"),
    v4([100, 64, 0, 0], 10, AddressClass::CarrierNat, "RFC 6598"),
    v4([127, 0, 0, 0], 8, AddressClass::Loopback, "RFC 1122"),
    v4([169, 254, 0, 0], 16, AddressClass::LinkLocal, "RFC 3927"),
    v4([172, 16, 0, 0], 12, AddressClass::Private, "RFC 1918"),
    v4([192, 0, 0, 0], 24, AddressClass::Reserved, "RFC 6890"),
    v4([192, 0, 2, 0], 24, AddressClass::Documentation, "RFC 5737"),
    v4([192, 31, 196, 0], 24, AddressClass::Reserved, "RFC 7535"),
    v4([192, 52, 193, 0], 24, AddressClass::Reserved, "RFC 7450"),
    v4([192, 88, 99, 0], 24, AddressClass::Reserved, "RFC 7526"),
    v4([192, 168, 0, 0], 16, AddressClass::Private, "RFC 1918"),
    v4([192, 175, 48, 0], 24, AddressClass::Reserved, "RFC 7534"),
    v4([198, 18, 0, 0], 15, AddressClass::Benchmarking, "RFC 2544"),
    v4([198, 51, 100, 0], 24, AddressClass::Documentation, "RFC 5737"),
    v4([203, 0, 113, 0], 24, AddressClass::Documentation, "RFC 5737"),
    v4([224, 0, 0, 0], 4, AddressClass::Multicast, "RFC 5771"),
    v4([240, 0, 0, 0], 4, AddressClass::Reserved, "RFC 1112; 255.255.255.255: RFC 919"),
    SpecialRange {
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        prefix: 128,
        class: AddressClass::Unspecified,
        source: "RFC 4291",
    },
    SpecialRange {
        address: IpAddr::V6(Ipv6Addr::LOCALHOST),
        prefix: 128,
        class: AddressClass::Loopback,
        source: "RFC 4291",
    },
    v6([0x64, 0xff9b, 1, 0], 48, AddressClass::Private, "RFC 8215"),
    v6([0x100, 0, 0, 0], 64, AddressClass::Reserved, "RFC 6666"),
    v6([0x100, 0, 0, 1], 64, AddressClass::Reserved, "RFC 9780"),
    v6([0x2001, 2, 0, 0], 48, AddressClass::Benchmarking, "RFC 5180"),
    // Protocol assignments, Teredo (RFC 4380) among them: it carries two IPv4 addresses, and nobody offers it any more.
    v6([0x2001, 0, 0, 0], 23, AddressClass::Reserved, "RFC 2928"),
    v6([0x2001, 0xdb8, 0, 0], 32, AddressClass::Documentation, "RFC 3849"),
    v6([0x3fff, 0, 0, 0], 20, AddressClass::Documentation, "RFC 9637"),
    v6([0x5f00, 0, 0, 0], 16, AddressClass::Reserved, "RFC 9602"),
    v6([0x100, 0, 0, 0], 8, AddressClass::Reserved, UNASSIGNED),
    v6([0x200, 0, 0, 0], 7, AddressClass::Reserved, UNASSIGNED),
    v6([0x400, 0, 0, 0], 6, AddressClass::Reserved, UNASSIGNED),
    v6([0x800, 0, 0, 0], 5, AddressClass::Reserved, UNASSIGNED),
    v6([0x1000, 0, 0, 0], 4, AddressClass::Reserved, UNASSIGNED),
    v6([0x4000, 0, 0, 0], 2, AddressClass::Reserved, UNASSIGNED),
    v6([0x8000, 0, 0, 0], 2, AddressClass::Reserved, UNASSIGNED),
    v6([0xc000, 0, 0, 0], 3, AddressClass::Reserved, UNASSIGNED),
    v6([0xe000, 0, 0, 0], 4, AddressClass::Reserved, UNASSIGNED),
    v6([0xf000, 0, 0, 0], 5, AddressClass::Reserved, UNASSIGNED),
    v6([0xf800, 0, 0, 0], 6, AddressClass::Reserved, UNASSIGNED),
    v6([0xfe00, 0, 0, 0], 9, AddressClass::Reserved, UNASSIGNED),
    v6([0xfc00, 0, 0, 0], 7, AddressClass::Private, "RFC 4193"),
    v6([0xfe80, 0, 0, 0], 10, AddressClass::LinkLocal, "RFC 4291"),
    v6([0xfec0, 0, 0, 0], 10, AddressClass::Private, "RFC 3879"),
    v6([0xff00, 0, 0, 0], 8, AddressClass::Multicast, "RFC 4291"),
];

/// A form of IPv6 address that carries an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Embedding {
    /// Hexadecimal digits of the address, of which `.` stands for any: 32, without separators.
    pub(crate) mask: &'static str,
    /// Where the eight digits of the IPv4 address begin.
    pub(crate) at: usize,
    /// Whether every bit of the IPv4 address is inverted.
    pub(crate) inverted: bool,
}

const fn embedding(mask: &'static str, at: usize, inverted: bool) -> Embedding {
    Embedding { mask, at, inverted }
}

/// All forms of IPv6 address that carry an IPv4 address, by their digits.
pub(crate) const EMBEDDINGS: [Embedding; 8] = [
    // RFC 4291, section 2.5.5.2: IPv4-mapped.
    embedding("00000000000000000000ffff........", 24, false),
    // RFC 4291, section 2.5.5.1: IPv4-compatible, deprecated.
    embedding("000000000000000000000000........", 24, false),
    // RFC 2765: IPv4-translated.
    embedding("0000000000000000ffff0000........", 24, false),
    // RFC 6052: NAT64 with the well-known prefix.
    embedding("0064ff9b0000000000000000........", 24, false),
    // RFC 3056: 6to4.
    embedding("2002............................", 4, false),
    // RFC 4380: Teredo, where the server's address stands plainly and the client's inverted.
    embedding("20010000........................", 8, false),
    embedding("20010000........................", 24, true),
    // RFC 5214: ISATAP; the bit "universal/local" of its identifier is ignored.
    embedding("................0.005efe........", 24, false),
];

/// What kind of address `address` is. One that carries an IPv4 address is public only if that is, too.
#[must_use]
pub fn classify(address: IpAddr) -> AddressClass {
    let own = classify_outer(address);
    if own != AddressClass::Public {
        return own;
    }
    let inner = embedded(address).into_iter().map(|inner| classify_outer(IpAddr::V4(inner)));
    inner.into_iter().find(|class| *class != AddressClass::Public).unwrap_or(AddressClass::Public)
}

/// `address` as what a connection to it reaches: an IPv4 address in the mapped form is that IPv4 address.
#[must_use]
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The IPv4 addresses that `address` carries.
#[must_use]
pub fn embedded(address: IpAddr) -> Vec<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return Vec::new() };
    let digits = format!("{:032x}", address.to_bits());
    EMBEDDINGS.iter().filter_map(|form| form.carried(&digits)).collect()
}

impl Embedding {
    fn carried(&self, digits: &str) -> Option<Ipv4Addr> {
        let fits = self.mask.bytes().zip(digits.bytes()).all(|(mask, digit)| mask == b'.' || mask == digit);
        let bits = u32::from_str_radix(digits.get(self.at..self.at + 8)?, 16).ok().filter(|_| fits)?;
        Some(Ipv4Addr::from_bits(if self.inverted { !bits } else { bits }))
    }
}

fn classify_outer(address: IpAddr) -> AddressClass {
    let address = canonical(address);
    let range = SPECIAL_RANGES.iter().find(|range| range.contains(address));
    range.map_or(AddressClass::Public, |range| range.class)
}

impl SpecialRange {
    /// Whether `address` lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(asked)) => {
                same_prefix(own.to_bits().into(), asked.to_bits().into(), self.prefix, 32)
            }
            (IpAddr::V6(own), IpAddr::V6(asked)) => same_prefix(own.to_bits(), asked.to_bits(), self.prefix, 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same_prefix(own: u128, asked: u128, prefix: u8, width: u32) -> bool {
    (own ^ asked).checked_shr(width - u32::from(prefix)).is_none_or(|rest| rest == 0)
}
