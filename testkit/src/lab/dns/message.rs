//! The bytes of DNS messages (RFC 1035): one question in, its answer out.

use std::net::IpAddr;

use super::Query;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
/// The pseudo-record by which a client says how much it takes by UDP (RFC 6891).
const OPT: u16 = 41;
const INTERNET: u16 = 1;

/// How much a client takes by UDP that does not say it.
const UDP_SIZE: usize = 512;

/// A message with one question.
#[derive(Debug)]
pub(super) struct Question {
    /// The whole message.
    pub(super) message: Vec<u8>,
    pub(super) name: String,
    pub(super) kind: u16,
    /// How large an answer by UDP may be.
    pub(super) udp_size: usize,
    /// Where the question ends in the message.
    end: usize,
}

impl Question {
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let is_response = message.get(2)? & 0x80 != 0;
        if is_response || number(message, 4)? != 1 {
            return None;
        }
        let (name, at) = parse_name(message, 12)?;
        let end = at + 4;
        let kind = number(message, at)?;
        number(message, at + 2)?;
        // A client's further record, if any, is this one, at the root.
        let size = if number(message, 10)? > 0 && message.get(end) == Some(&0) && number(message, end + 1) == Some(OPT)
        {
            usize::from(number(message, end + 3)?).max(UDP_SIZE)
        } else {
            UDP_SIZE
        };
        Some(Self { message: message.to_vec(), name, kind, udp_size: size, end })
    }

    pub(super) fn query(&self, tcp: bool) -> Query {
        Query { name: self.name.clone(), kind: self.kind, tcp }
    }
}

fn number(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?))
}

/// A name without pointers, which questions never have, and where it ends.
fn parse_name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name, at));
        }
        if length > 63 {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        for byte in message.get(at..at + length)? {
            match byte {
                b'.' | b'\\' => name.push_str(&format!("\\{byte:03}")),
                0x21..=0x7e => name.push(char::from(*byte)),
                _ => name.push_str(&format!("\\{byte:03}")),
            }
        }
        at += length;
    }
}

/// A name in bytes. Labels that are too long are cut: the lab's own names are not.
fn encode_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = label.as_bytes().get(..label.len().min(63)).unwrap_or_default();
        bytes.extend(u8::try_from(label.len()));
        bytes.extend(label);
    }
    bytes.push(0);
    bytes
}

/// The type of record that has this address.
pub(super) const fn kind(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => A,
        IpAddr::V6(_) => AAAA,
    }
}

/// One record of an answer.
#[derive(Debug)]
pub(super) struct Record {
    name: String,
    kind: u16,
    ttl: u32,
    data: Vec<u8>,
}

impl Record {
    pub(super) fn address(name: &str, address: IpAddr, ttl: u32) -> Self {
        let data = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        Self { name: name.to_owned(), kind: kind(address), ttl, data }
    }

    pub(super) fn alias(name: &str, target: &str) -> Self {
        Self { name: name.to_owned(), kind: CNAME, ttl: 0, data: encode_name(target) }
    }
}

/// The answer to `question`, which it repeats to the byte.
pub(super) fn response(question: &Question, code: u8, records: &[Record], truncated: bool) -> Vec<u8> {
    let mut message = question.message.get(..2).unwrap_or_default().to_vec();
    let wants_recursion = question.message.get(2).copied().unwrap_or_default() & 1;
    message.push(0x84 | (u8::from(truncated) << 1) | wants_recursion);
    message.push(0x80 | code);
    let count = u16::try_from(records.len()).unwrap_or(u16::MAX);
    for number in [1, count, 0, 0] {
        message.extend(number.to_be_bytes());
    }
    message.extend(question.message.get(12..question.end).unwrap_or_default());
    for record in records {
        // Names that are the question's point to it, which keeps a hundred answers small.
        if record.name == question.name {
            message.extend([0xc0, 12]);
        } else {
            message.extend(encode_name(&record.name));
        }
        message.extend(record.kind.to_be_bytes());
        message.extend(INTERNET.to_be_bytes());
        message.extend(record.ttl.to_be_bytes());
        message.extend(u16::try_from(record.data.len()).unwrap_or_default().to_be_bytes());
        message.extend(&record.data);
    }
    message
}
