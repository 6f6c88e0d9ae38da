//! What one session may have. Every number is a bound that somebody hits; the reason is beside it.

use std::time::Duration;

/// What one session may have at most. The defaults are for a client that one person runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Calls that run at a time; more wait for their turn. What runs at a time on the machine is bounded by the sandbox.
    pub calls: usize,
    /// Tools on a page of `tools/list`. Some clients never ask for a second page, so one holds more than anybody configures.
    pub page: usize,
    /// Bytes of text in an answer. More is kept as a resource, with its beginning in the answer. The largest page of a built-in tool
    /// is half of it.
    pub inline: usize,
    /// Results that are kept as resources; the oldest goes first.
    pub results: usize,
    /// Bytes of all results that are kept. With 0 none is, and a long result is cut.
    pub results_bytes: usize,
    /// Bytes of the files that the session's calls share, and as many again of buckets.
    pub data: u64,
    /// How long a person's answer is waited for, where a rule says to ask. Nobody who answers in time is a no.
    pub approval_timeout: Duration,
    /// Bytes of one message. Without a number, twice as much as the longest arguments that a tool takes, since an encoder that escapes
    /// whatever is not ASCII makes that of them, and 64 KiB for the rest of the message; at least 8 MiB and 64 KiB, which is that of the
    /// default limit of arguments. Pipes only.
    pub message: Option<usize>,
    /// Requests that were read and not answered; while there are as many, no more is read. Pipes only.
    pub requests: usize,
    /// Bytes of answers that the client has not read; while there are more, no request is read. Pipes only.
    pub unread: usize,
}

impl Settings {
    /// Bytes that all sessions of a server for many clients may hold together, of data and of results: what a machine that serves has to
    /// spare, and as much as forty sessions can have that use all that each may.
    pub const TOGETHER: u64 = 512 << 20;

    /// Bytes of one message, where the longest arguments of a tool have so many, and no setting says another number.
    pub(crate) fn longest_message(arguments: usize) -> usize {
        /// The default limit of arguments.
        const ARGUMENTS: usize = 4 << 20;
        /// For the rest of the message.
        const REST: usize = 64 << 10;
        arguments.max(ARGUMENTS).saturating_mul(2).saturating_add(REST)
    }

    /// For a server of many clients that do not know each other: what one session keeps in memory is a small part of a machine's.
    #[must_use]
    pub fn shared() -> Self {
        Self { results: 16, results_bytes: 4 << 20, data: 4 << 20, ..Self::default() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            calls: 256,
            page: 256,
            inline: 512 << 10,
            results: 64,
            results_bytes: 64 << 20,
            data: 256 << 20,
            approval_timeout: Duration::from_secs(60),
            message: None,
            requests: 1024,
            unread: 1 << 20,
        }
    }
}
