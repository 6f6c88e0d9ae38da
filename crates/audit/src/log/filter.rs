//! Which records are asked for.

use std::time::SystemTime;

use caplet_policy::{DeniedEntry, PermittedEntry};

use crate::{OutcomeKind, Record};

/// What a record must be to be handed out. By itself it lets all through; each condition that is set lets fewer.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Filter {
    /// The tool, as the caller named it.
    pub tool: Option<String>,
    /// How the call ended.
    pub outcome: Option<OutcomeKind>,
    /// Whether something must have been denied.
    pub denied: bool,
    /// A host that it sent a request to, or asked to; as rules name it.
    pub host: Option<String>,
    /// A path in the guest's world that it asked for, or that is above one that it asked for.
    pub path: Option<String>,
    /// It ended at this time or later.
    pub since: Option<SystemTime>,
    /// It ended before this time.
    pub until: Option<SystemTime>,
}

impl Filter {
    /// Whether `record` is asked for.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        let Self { tool, outcome, denied, host, path, since, until } = self;
        tool.as_ref().is_none_or(|tool| *tool == record.tool)
            && outcome.is_none_or(|outcome| outcome == record.outcome)
            && (!denied || !record.decisions.denied.is_empty())
            // Both are of one form and one length, so text sorts as time does.
            && since.is_none_or(|since| record.time >= time_text(since))
            && until.is_none_or(|until| record.time < time_text(until))
            && host.as_ref().is_none_or(|host| ops(record).any(|op| is_on_host(op, host)))
            && path.as_ref().is_none_or(|path| ops(record).any(|op| is_on_path(op, path)))
    }

    /// Text that the line of every record has that is asked for, where there is such.
    pub(crate) fn needle(&self) -> Option<String> {
        let quoted =
            |text: &String| serde_json::to_string(text).ok().filter(|text| text.is_ascii() && !text.contains('\\'));
        match (&self.tool, &self.host) {
            (Some(tool), _) => quoted(tool).map(|tool| format!("\"tool\":{tool}")),
            // A host ends with a port, a path, or the end of a URL.
            (None, Some(host)) => quoted(host).map(|host| format!("//{}", host.trim_matches('"'))),
            (None, None) => None,
        }
    }
}

/// `time` as records have it.
pub(crate) fn time_text(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// All that a call asked for: the class and the op.
fn ops(record: &Record) -> impl Iterator<Item = (&str, &str)> {
    let decisions = &record.decisions;
    let permitted = decisions.permitted_ops.iter().map(|PermittedEntry { capability, op, .. }| (capability, op));
    let denied = decisions.denied.iter().map(|DeniedEntry { capability, op, .. }| (capability, op));
    permitted.chain(denied).map(|(capability, op)| (capability.as_str(), op.as_str()))
}

/// Whether the op is a request to `host`: `GET https://HOST:PORT/PATH at ADDRESS`.
fn is_on_host((capability, op): (&str, &str), host: &str) -> bool {
    if capability != "wasi:http" {
        return false;
    }
    let url = op.split(' ').nth(1).unwrap_or_default();
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let is_port = |rest: &str| rest.is_empty() || rest.starts_with(':');
    authority.strip_prefix(host).is_some_and(is_port)
}

/// Whether the op is on the file at `path`, or on one below it: `VERB PATH`.
fn is_on_path((capability, op): (&str, &str), path: &str) -> bool {
    let Some((_, asked)) = op.split_once(' ') else { return false };
    let path = path.trim_end_matches('/');
    let is_below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    capability == "wasi:filesystem" && asked.strip_prefix(path).is_some_and(is_below)
}
