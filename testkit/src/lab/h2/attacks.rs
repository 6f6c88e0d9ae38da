//! The catalogue of hostile HTTP/2 servers: floods, broken rules and broken promises.
//!
//! As in the catalogue of [HTTP/1.1](super::super::http::hostile): no attack may take memory or time without bound, end the
//! process, or reach the answer to another request.

mod floods;
mod rules;
mod stalls;

use super::super::http::Script;
pub use super::super::http::hostile::{EVIL, Ends};
use super::frame::{self, block, frame};

/// One way to be hostile.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// A short name, unique in the catalogue.
    pub name: &'static str,
    /// What is wrong, and what it is for.
    pub flaw: &'static str,
    /// What a client must make of it.
    pub ends: Ends,
    /// When it begins.
    pub when: When,
    /// What is sent, given the number of the request's stream.
    pub script: fn(u32) -> Script,
}

/// When an attack begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// With the connection: not a byte is read before.
    Connected,
    /// When the headers of the first request are there, after these settings were said.
    Asked(&'static [(u16, u32)]),
}

/// All attacks.
#[must_use]
pub fn attacks() -> Vec<&'static Attack> {
    [floods::ATTACKS, rules::ATTACKS, stalls::ATTACKS].into_iter().flatten().collect()
}

/// The attack of this name.
#[must_use]
pub fn attack(name: &str) -> Option<&'static Attack> {
    attacks().into_iter().find(|attack| attack.name == name)
}

const fn asked(name: &'static str, ends: Ends, flaw: &'static str, script: fn(u32) -> Script) -> Attack {
    Attack { name, flaw, ends, when: When::Asked(&[]), script }
}

const fn connected(name: &'static str, ends: Ends, flaw: &'static str, script: fn(u32) -> Script) -> Attack {
    Attack { name, flaw, ends, when: When::Connected, script }
}

/// The headers of a response that goes on.
fn ok(stream: u32) -> Vec<u8> {
    headers(stream, 0, &[(b":status", b"200")])
}

/// A whole header block in one frame, with flags beside the one for its end.
fn headers(stream: u32, flags: u8, fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    frame(frame::HEADERS, flags | frame::END_HEADERS, stream, &block(fields))
}

/// A response that ends with this body, and would be right but for what was sent before it.
fn rest(stream: u32) -> Vec<u8> {
    [ok(stream), frame(frame::DATA, frame::END_STREAM, stream, EVIL.as_bytes())].concat()
}
