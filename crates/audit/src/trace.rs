//! Where a call belongs in the trace of who called: the `traceparent` of W3C Trace Context.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The length of version 00: 2 digits, 32 of the trace, 16 of the parent and 2 of flags, with hyphens between them.
const LENGTH: usize = 55;

/// A `traceparent` that means something: lower-case digits, neither id zero. Only version 00, which later versions begin like.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent(String);

/// Text that is no `traceparent`. Whoever gets one goes on without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no traceparent of W3C Trace Context")]
pub struct NoTraceParent;

impl TraceParent {
    /// The whole of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the trace: 32 digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.part(3..35)
    }

    /// The id of the span that called: 16 digits.
    #[must_use]
    pub fn parent_id(&self) -> &str {
        self.part(36..52)
    }

    /// Whether the caller records its part of the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        u8::from_str_radix(self.part(53..55), 16).is_ok_and(|flags| flags & 1 == 1)
    }

    fn part(&self, range: std::ops::Range<usize>) -> &str {
        // It was checked to be that long, and of ASCII.
        self.0.get(range).unwrap_or_default()
    }
}

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        let (known, rest) = text.split_at_checked(LENGTH).ok_or(NoTraceParent)?;
        let is_hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|byte| byte != b'0');
        let mut parts = known.split('-');
        let (Some(version), Some(trace), Some(parent), Some(flags), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoTraceParent);
        };
        let is_version = is_hex(version, 2) && version != "ff";
        let ends_well = rest.is_empty() || (version != "00" && rest.starts_with('-'));
        if !is_version || !ends_well || !is_id(trace, 32) || !is_id(parent, 16) || !is_hex(flags, 2) {
            return Err(NoTraceParent);
        }
        Ok(Self(format!("00-{trace}-{parent}-{flags}")))
    }
}

impl TryFrom<String> for TraceParent {
    type Error = NoTraceParent;

    fn try_from(text: String) -> Result<Self, NoTraceParent> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(TraceParent(text): TraceParent) -> Self {
        text
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
