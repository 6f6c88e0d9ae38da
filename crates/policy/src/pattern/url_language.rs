//! URLs as texts of one language, for proofs: `SCHEME HOST PORT PATH`, where none but the path has a space.
//!
//! A host is `n:NAME`, `4:` and 8 letters, or `6:` and 32 letters. A letter stands for four bits of an address, from `a` for 0 to
//! `p` for 15, so that a network is a plain pattern; and the witness that a proof finds first has zeros.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir};

use super::host::HostPattern;
use super::language::{any_byte, between, literal, many, one_of, repeated, without};
use super::method::Methods;
use super::url::Scheme;
use super::url_pattern::{PortPattern, UrlPattern};
use crate::address::{EMBEDDINGS, Embedding, SPECIAL_RANGES};

/// All methods.
pub(crate) fn any_method() -> Hir {
    let token = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
    repeated(one_of(token), 1, None)
}

/// The methods that a rule permits.
pub(crate) fn methods(methods: &Methods) -> Hir {
    match methods {
        Methods::Unsaid => Hir::alternation(vec![literal("GET"), literal("HEAD")]),
        Methods::Any => many(not_space()),
        Methods::Listed(methods) => Hir::alternation(methods.iter().map(|method| literal(method)).collect()),
    }
}

/// All targets.
pub(crate) fn any_target() -> Hir {
    let schemes = Hir::alternation(Scheme::ALL.map(|scheme| literal(scheme.as_str())).into());
    spaced(vec![schemes, any_host(), any_port(), any_path()])
}

/// The targets to which the way is encrypted, or does not leave this machine.
pub(crate) fn sheltered_target() -> Hir {
    let addresses = [IpNet::new(Ipv4Addr::LOCALHOST.into(), 8), IpNet::new(Ipv6Addr::LOCALHOST.into(), 128)];
    let mut hosts: Vec<Hir> = addresses.into_iter().flatten().map(plain).collect();
    hosts.push(local_name());
    let encrypted = spaced(vec![literal(Scheme::Https.as_str()), any_host()]);
    let local = spaced(vec![literal(Scheme::Http.as_str()), Hir::alternation(hosts)]);
    spaced(vec![Hir::alternation(vec![encrypted, local]), any_port(), any_path()])
}

/// All texts up to the next space, and it. Rules are compared with texts of ops only, so a loose pattern says enough.
pub(crate) fn anything_then_space() -> Hir {
    Hir::concat(vec![many(not_space()), literal(" ")])
}

/// The targets that only a rule opens that names their host, and other texts that are no targets.
pub(crate) fn special_target() -> Hir {
    let networks = SPECIAL_RANGES.iter().filter_map(|range| IpNet::new(range.address, range.prefix).ok());
    // The addresses of Teredo are special as a whole.
    let forms: Vec<Embedding> = EMBEDDINGS.into_iter().filter(|form| !form.mask.starts_with("2001")).collect();
    let mut hosts: Vec<Hir> = networks.flat_map(|network| [plain(network), carried(network, &forms)]).collect();
    hosts.push(local_name());
    Hir::concat(vec![anything_then_space(), Hir::alternation(hosts), literal(" "), many(any_byte())])
}

/// The targets that a pattern opens, where it names their host.
pub(crate) fn opened(pattern: &UrlPattern) -> Hir {
    with_host(pattern, plain_host(pattern.host()))
}

/// The targets that a pattern shuts.
pub(crate) fn shut(pattern: &UrlPattern) -> Hir {
    let host = match pattern.host() {
        HostPattern::Address(address) => {
            let network = IpNet::from(*address);
            Hir::alternation(vec![plain(network), carried(network, &EMBEDDINGS)])
        }
        HostPattern::Network(network) => Hir::alternation(vec![plain(*network), carried(*network, &EMBEDDINGS)]),
        host => plain_host(host),
    };
    with_host(pattern, host)
}

/// The URL that a text stands for.
pub(crate) fn url(text: &str) -> Option<String> {
    let mut parts = text.splitn(4, ' ');
    let (scheme, host, port, path) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let host = match host.split_at_checked(2)? {
        ("4:", letters) => Ipv4Addr::from_bits(u32::try_from(bits(letters)?).ok()?).to_string(),
        ("6:", letters) => format!("[{}]", Ipv6Addr::from_bits(bits(letters)?)),
        (_, name) => name.to_owned(),
    };
    Some(format!("{scheme}://{host}:{port}{}", encode_path(path)))
}

/// The path with everything encoded that has a meaning of its own in a URL; what is encoded already stays so.
fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@%".contains(c) {
            encoded.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    encoded
}

fn bits(letters: &str) -> Option<u128> {
    letters.bytes().try_fold(0_u128, |bits, letter| {
        let nibble = letter.checked_sub(b'a').filter(|nibble| *nibble < 16)?;
        Some(bits << 4 | u128::from(nibble))
    })
}

fn not_space() -> Hir {
    Hir::class(Class::Bytes(ClassBytes::new([ClassBytesRange::new(0, b' ' - 1), ClassBytesRange::new(b' ' + 1, 0xff)])))
}

fn spaced(parts: Vec<Hir>) -> Hir {
    let mut spaced = Vec::with_capacity(parts.len() * 2);
    for part in parts {
        if !spaced.is_empty() {
            spaced.push(literal(" "));
        }
        spaced.push(part);
    }
    Hir::concat(spaced)
}

fn with_host(pattern: &UrlPattern, host: Hir) -> Hir {
    let port = match pattern.port() {
        PortPattern::Any => any_port(),
        PortPattern::One(port) => literal(&port.to_string()),
    };
    spaced(vec![literal(pattern.scheme().as_str()), host, port, pattern.path().hir()])
}

fn any_host() -> Hir {
    let addresses = [Hir::concat(vec![literal("4:"), letters(8)]), Hir::concat(vec![literal("6:"), letters(32)])];
    Hir::alternation([Hir::concat(vec![literal("n:"), any_name()])].into_iter().chain(addresses).collect())
}

/// The names of this machine.
fn local_name() -> Hir {
    Hir::concat(vec![literal("n:"), many(label_then_dot()), literal("localhost")])
}

/// All ports: 1 to 65535, without zeros in front.
fn any_port() -> Hir {
    let digits = |least, most| repeated(between(b'0', b'9'), least, Some(most));
    let mut ports = vec![
        Hir::concat(vec![between(b'1', b'9'), digits(0, 3)]),
        Hir::concat(vec![between(b'1', b'5'), digits(4, 4)]),
    ];
    for (shared, next, rest) in [("6", b'4', 3), ("65", b'4', 2), ("655", b'2', 1), ("6553", b'5', 0)] {
        ports.push(Hir::concat(vec![literal(shared), between(b'0', next), digits(rest, rest)]));
    }
    Hir::alternation(ports)
}

/// All decoded paths: no segment is a dot or two, with or without parameters behind a semicolon, and there is no control character.
fn any_path() -> Hir {
    let controls = || ('\0'..=' ').filter(|c| c.is_control()).chain(['\u{7f}', '\\', '/']);
    let not = |more: &[char]| without(&controls().chain(more.iter().copied()).collect::<Vec<char>>());
    let rest = || many(not(&[]));
    let segment = Hir::alternation(vec![
        Hir::empty(),
        Hir::concat(vec![not(&['.']), rest()]),
        Hir::concat(vec![literal("."), not(&['.', ';']), rest()]),
        Hir::concat(vec![literal(".."), not(&[';']), rest()]),
    ]);
    repeated(Hir::concat(vec![literal("/"), segment]), 1, None)
}

const NAME_CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789-_";
const NO_DIGITS: &str = "abcdefghijklmnopqrstuvwxyz-_";

fn label_then_dot() -> Hir {
    Hir::concat(vec![repeated(one_of(NAME_CHARACTERS), 1, None), literal(".")])
}

/// All host names. The last label is no number, because such a host is an address.
fn any_name() -> Hir {
    let any = || many(one_of(NAME_CHARACTERS));
    let digit = || between(b'0', b'9');
    let last = Hir::alternation(vec![
        Hir::concat(vec![one_of(NO_DIGITS), any()]),
        Hir::concat(vec![between(b'1', b'9'), many(digit()), one_of(NO_DIGITS), any()]),
        Hir::concat(vec![literal("0"), repeated(digit(), 1, None), one_of(NO_DIGITS), any()]),
        Hir::concat(vec![literal("0"), one_of("abcdefghijklmnopqrstuvwyz-_"), any()]),
        Hir::concat(vec![literal("0x"), many(one_of("0123456789abcdef")), one_of("ghijklmnopqrstuvwxyz-_"), any()]),
    ]);
    Hir::concat(vec![many(label_then_dot()), last])
}

fn letters(count: u32) -> Hir {
    repeated(between(b'a', b'p'), count, Some(count))
}

fn plain_host(host: &HostPattern) -> Hir {
    match host {
        HostPattern::Any => Hir::alternation(vec![
            Hir::concat(vec![literal("n:"), many(one_of(&format!("{NAME_CHARACTERS}.")))]),
            Hir::concat(vec![one_of("46"), literal(":"), many(between(b'a', b'p'))]),
        ]),
        HostPattern::Name(name) => literal(&format!("n:{name}")),
        HostPattern::Below(parent) => {
            Hir::concat(vec![literal("n:"), repeated(label_then_dot(), 1, None), literal(parent)])
        }
        HostPattern::Address(address) => plain(IpNet::from(*address)),
        HostPattern::Network(network) => plain(*network),
    }
}

/// The addresses of a network.
fn plain(network: IpNet) -> Hir {
    let (kind, width, bits) = match network.network() {
        IpAddr::V4(address) => ("4:", 32, u128::from(address.to_bits())),
        IpAddr::V6(address) => ("6:", 128, address.to_bits()),
    };
    Hir::concat(vec![literal(kind), prefix(bits, width, network.prefix_len().into(), false)])
}

/// The IPv6 addresses that carry an address of an IPv4 network, in one of `forms`.
fn carried(network: IpNet, forms: &[Embedding]) -> Hir {
    let IpAddr::V4(address) = network.network() else {
        return Hir::fail();
    };
    let inner = |form: &Embedding| prefix(address.to_bits().into(), 32, network.prefix_len().into(), form.inverted);
    let outer = |mask: &str| Hir::concat(mask.chars().map(mask_letter).collect());
    let forms = forms.iter().map(|form| {
        let (before, after) = (form.mask.get(..form.at), form.mask.get(form.at + 8..));
        let (before, after) = (outer(before.unwrap_or_default()), outer(after.unwrap_or_default()));
        Hir::concat(vec![literal("6:"), before, inner(form), after])
    });
    Hir::alternation(forms.collect())
}

fn mask_letter(digit: char) -> Hir {
    digit
        .to_digit(16)
        .and_then(|nibble| u8::try_from(nibble).ok())
        .map_or_else(|| letters(1), |nibble| between(b'a' + nibble, b'a' + nibble))
}

/// The letters of all addresses of `width` bits that share the first `length` bits with `bits`, or with its inverse.
fn prefix(bits: u128, width: u32, length: u32, inverted: bool) -> Hir {
    let letter = |at: u32| {
        let shift = width.saturating_sub(4 * at + 4);
        let nibble = u8::try_from(bits.checked_shr(shift).unwrap_or(0) & 15).unwrap_or(0);
        let nibble = if inverted { 15 - nibble } else { nibble };
        // How many bits of this letter are free.
        let free = (4 * at + 4).saturating_sub(length).min(4);
        let low = nibble & (15_u8.checked_shl(free).unwrap_or(0) & 15);
        between(b'a' + low, b'a' + low + (1_u8.checked_shl(free).unwrap_or(0) - 1).min(15))
    };
    Hir::concat((0..width / 4).map(letter).collect())
}
