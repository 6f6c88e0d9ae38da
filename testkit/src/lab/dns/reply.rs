//! What a name is answered with.

use std::net::IpAddr;
use std::time::Duration;

use super::message::{self, Question, Record};

/// How many aliases are followed before the answer is what was found so far: a loop must end.
const MAX_ALIASES: usize = 20;

/// Why there is no answer, as the protocol numbers it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rcode {
    /// The question is malformed.
    FormErr = 1,
    /// The server could not find out.
    ServFail = 2,
    /// There is no such name.
    NxDomain = 3,
    /// The server does not want to.
    Refused = 5,
}

/// How a name is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These addresses, each for questions of its own type. None of a type is an empty answer, which is no error.
    Addresses(Vec<IpAddr>, u32),
    /// It is an alias of another name, whose own reply follows in the same message.
    Alias(String),
    /// An error.
    Failure(Rcode),
    /// No answer at all. By TCP the connection stays open.
    Silence,
    /// By UDP an empty answer that says to ask again by TCP, and by TCP the reply.
    Truncated(Box<Reply>),
    /// The reply, after a time.
    Late(Duration, Box<Reply>),
    /// One after another, for each full name and type by itself; the last one stays. Only as the outermost of a reply.
    Each(Vec<Reply>),
    /// Messages made from the bytes of the question: forgeries and malformed ones.
    Custom(fn(&[u8]) -> Vec<Vec<u8>>),
}

impl Reply {
    /// Addresses with a time to live of zero: whoever asks again is to get what is true then.
    pub fn addresses<T: Into<IpAddr>>(addresses: impl IntoIterator<Item = T>) -> Self {
        Self::Addresses(addresses.into_iter().map(Into::into).collect(), 0)
    }

    /// `count` addresses from 198.18.0.1 on, which nobody has, and then `last`.
    pub fn many(count: u32, last: impl Into<IpAddr>) -> Self {
        let first = u32::from(std::net::Ipv4Addr::new(198, 18, 0, 1));
        let numbered = (0..count).map(|index| IpAddr::from(std::net::Ipv4Addr::from(first + index)));
        Self::addresses(numbered.chain([last.into()]))
    }

    /// One reply after another, the last one for good: rebinding.
    pub fn each(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::Each(replies.into_iter().collect())
    }

    /// By UDP cut short, by TCP whole.
    #[must_use]
    pub fn truncated(self) -> Self {
        Self::Truncated(Box::new(self))
    }

    /// Not at once.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self::Late(time, Box::new(self))
    }
}

/// What is sent in the end.
#[derive(Debug)]
pub(super) enum Answer {
    Records { code: u8, records: Vec<Record>, truncated: bool },
    Custom(fn(&[u8]) -> Vec<Vec<u8>>),
    Hang,
}

impl Answer {
    /// The messages of it; one that is larger than `limit` goes out empty, and says that it was cut.
    pub(super) fn messages(&self, question: &Question, limit: Option<usize>) -> Vec<Vec<u8>> {
        match self {
            Self::Hang => Vec::new(),
            Self::Custom(make) => make(&question.message),
            Self::Records { code, records, truncated } => {
                let whole = message::response(question, *code, records, *truncated);
                if limit.is_some_and(|limit| whole.len() > limit) {
                    vec![message::response(question, *code, &[], true)]
                } else {
                    vec![whole]
                }
            }
        }
    }
}

/// Follows aliases from the name of `question`, with `find` for the reply of a name.
pub(super) fn answer(question: &Question, tcp: bool, find: impl Fn(&str) -> Option<Reply>) -> (Duration, Answer) {
    let mut wait = Duration::ZERO;
    let mut records = Vec::new();
    let mut name = question.name.clone();
    let mut reply = find(&name);
    let (code, truncated) = loop {
        match reply {
            None => break (Rcode::NxDomain as u8, false),
            Some(Reply::Failure(code)) => break (code as u8, false),
            Some(Reply::Silence | Reply::Each(_)) => return (wait, Answer::Hang),
            Some(Reply::Custom(make)) => return (wait, Answer::Custom(make)),
            Some(Reply::Truncated(_)) if !tcp => break (0, true),
            Some(Reply::Truncated(inner)) => reply = Some(*inner),
            Some(Reply::Late(time, inner)) => {
                wait += time;
                reply = Some(*inner);
            }
            Some(Reply::Addresses(addresses, ttl)) => {
                let of_type = addresses.into_iter().filter(|address| message::kind(*address) == question.kind);
                records.extend(of_type.map(|address| Record::address(&name, address, ttl)));
                break (0, false);
            }
            Some(Reply::Alias(target)) => {
                records.push(Record::alias(&name, &target));
                if records.len() >= MAX_ALIASES {
                    break (0, false);
                }
                name = target;
                reply = find(&name);
            }
        }
    };
    (wait, Answer::Records { code, records, truncated })
}
