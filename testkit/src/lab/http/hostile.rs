//! The catalogue of hostile HTTP/1.1 servers: what each does wrong, and what a client must make of it.
//!
//! [`Case::ends`] says what a client must make of each. Beside that, for all of them: no case may take memory or time without
//! bound, none may end the process, and none may reach the answer to another request.

mod bodies;
mod framing;
mod heads;
mod slow;

use super::{Reading, Script};

/// One way to be hostile.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// A short name, unique in the catalogue.
    pub name: &'static str,
    /// What is wrong, and what it is for.
    pub flaw: &'static str,
    /// What a client must make of it.
    pub ends: Ends,
    /// How much of the request is read.
    pub reading: Reading,
    /// What is answered.
    pub script: fn() -> Script,
}

/// What a client must make of a case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ends {
    /// An error of the protocol. The body must not come out as if it were whole.
    Malformed,
    /// An error of size, at the client's bound.
    TooLarge,
    /// An error of time, at the client's bound.
    Stalled,
    /// An error, by any of the client's bounds: bytes come all the time, and nothing ever comes of them.
    Bounded,
    /// An error: the connection ended inside the message. What came before it may have been seen.
    Broken,
    /// An error, or the response as it would be without the flaw: a client that does not look at it harms nobody. That is the
    /// one case where [`EVIL`] may come out.
    Ignorable,
    /// An error, or a response in which [`EVIL`] is neither in a header nor in the body.
    Usable,
}

/// What hostile cases smuggle: a client that hands it out as part of a response took the wrong bytes for one.
pub const EVIL: &str = "smuggled-by-the-lab";

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    [framing::CASES, heads::CASES, bodies::CASES, slow::CASES].concat()
}

/// The case of this name.
#[must_use]
pub fn case(name: &str) -> Option<Case> {
    cases().into_iter().find(|case| case.name == name)
}

const fn answers(name: &'static str, ends: Ends, flaw: &'static str, script: fn() -> Script) -> Case {
    Case { name, flaw, ends, reading: Reading::All, script }
}

/// A complete response with these header lines, which end with CRLF, and this body.
fn with(lines: &str, body: &str) -> Script {
    Script::new().send(format!("HTTP/1.1 200 OK\r\n{lines}\r\n{body}"))
}
