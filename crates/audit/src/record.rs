//! The entry that a call leaves in the audit log.
//!
//! A record says who was called, with what, under which authority, what it asked for and how it ended. It holds digests of the
//! component, the manifest, the policy and the arguments, not the things themselves: arguments and answers may be private.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use caplet_policy::Decisions;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::log::canonical;
use crate::text::shortened;
use crate::{ErrorInfo, Outcome, OutcomeKind, TraceParent, Usage};

/// The version of the record's shape. Version 1 had neither who called nor arguments, and is read as if nothing was known of them.
const VERSION: u32 = 2;

/// Names of tools and functions, in bytes. The longest that a component may export is far shorter.
const NAME_BYTES: usize = 256;

/// One op, rule, hint or message, in bytes: a path of the longest kind that Linux opens (4,096) still fits.
const TEXT_BYTES: usize = 5 * 1024;

/// The arguments, in bytes: more than any model writes by hand, and little enough for a line with all decisions.
const ARGUMENTS_BYTES: usize = 64 * 1024;

/// A whole record as a line, in bytes. What is beyond is counted instead of listed.
pub(crate) const LINE_BYTES: usize = 1024 * 1024;

/// The id of a record: a ULID, so that ids sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Ulid);

impl RecordId {
    /// An id of the present moment that no one can guess.
    #[must_use]
    pub fn generate() -> Self {
        Self(Ulid::generate())
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where the outermost layer of a call's policy came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CeilingSource {
    /// There is no manifest: the tool may compute and nothing else.
    #[default]
    None,
    /// The component's manifest.
    Manifest,
    /// The operator opened it for this call.
    Open,
}

/// Who asked for a call, as far as that is known. A client names itself: none of its names is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// The name that the client gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The version that it says it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The session, by an id of Caplet's own: calls with the same one came over one connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The profile that was served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// One entry of the audit log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of this shape.
    pub version: u32,
    /// The entry's id, a ULID.
    pub id: String,
    /// When the call ended, RFC 3339 in UTC.
    pub time: String,
    /// The id of the record of the call that made this one, if one did. Records are a tree by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The ids of the records of the calls that this one made, in the order in which they began; of very many, the first. Each of them
    /// names this one as its caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// The tool, as the caller named it.
    pub tool: String,
    /// The function that was called, where one was found.
    pub function: Option<String>,
    /// SHA-256 of the component's bytes, where they could be read.
    pub component: Option<Arc<str>>,
    /// SHA-256 of the manifest's text.
    pub manifest: Option<Arc<str>>,
    /// SHA-256 of the text of all layers.
    pub policy: Option<Arc<str>>,
    /// SHA-256 of the arguments as JSON.
    pub arguments: Option<String>,
    /// The arguments as JSON, where they are to be kept; of very long ones, the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments_text: Option<String>,
    /// Who called, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// How many records before this one could not be kept. There where calls go on without their records, even if none was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Where the call belongs in its caller's trace, where the caller says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
    /// The seed, where the call was deterministic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deterministic: Option<u64>,
    /// SHA-256 of what of a deterministic call's output and record is the same each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// SHA-256 of the index of the call's recording, where it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// Where the ceiling came from.
    pub ceiling: CeilingSource,
    /// How the call ended.
    pub outcome: OutcomeKind,
    /// Why it did not end well.
    pub error: Option<ErrorInfo>,
    /// The code that the tool exited with, where it did.
    pub exit_code: Option<u32>,
    /// The limits that held, by key.
    pub limits: Arc<BTreeMap<String, String>>,
    /// What was used.
    pub usage: Usage,
    /// What the tool asked for: everything permitted and everything denied.
    pub decisions: Decisions,
}

impl Record {
    /// The record of a call that ended just now with `outcome`. Digests, limits and the ceiling's source are for the caller to add.
    ///
    /// Text longer than a record may hold is shortened here, so that a record is bounded from the start.
    #[must_use]
    pub fn new(outcome: &Outcome) -> Self {
        let mut record = Self {
            version: VERSION,
            id: RecordId::generate().to_string(),
            time: now(),
            caller: None,
            calls: Vec::new(),
            tool: shortened(&outcome.tool, NAME_BYTES).into_owned(),
            function: outcome.function.as_deref().map(|name| shortened(name, NAME_BYTES).into_owned()),
            component: None,
            manifest: None,
            policy: None,
            arguments: None,
            arguments_text: None,
            who: None,
            lost: None,
            trace: None,
            deterministic: outcome.deterministic,
            digest: None,
            recording: None,
            ceiling: CeilingSource::None,
            outcome: outcome.outcome,
            error: outcome.error.clone(),
            exit_code: outcome.exit_code,
            limits: Arc::default(),
            usage: outcome.usage.clone(),
            decisions: outcome.decisions.clone(),
        };
        record.shorten();
        record
    }

    /// Keeps the arguments as text, cut to what a record holds.
    pub fn keep_arguments(&mut self, text: &str) {
        self.arguments_text = Some(shortened(text, ARGUMENTS_BYTES).into_owned());
    }

    /// Says who called; their names are cut to what a record holds.
    pub fn called_by(&mut self, who: Who) {
        let short = |name: Option<String>| name.map(|name| shortened(&name, NAME_BYTES).into_owned());
        let Who { client, version, session, profile } = who;
        let who =
            Who { client: short(client), version: short(version), session: short(session), profile: short(profile) };
        self.who = (who != Who::default()).then_some(who);
    }

    fn shorten(&mut self) {
        if let Some(error) = &mut self.error {
            cut(&mut error.message);
            error.hint.as_mut().map(cut);
        }
        for entry in &mut self.decisions.denied {
            cut(&mut entry.op);
            cut(&mut entry.rule);
            cut(&mut entry.hint);
        }
        for entry in &mut self.decisions.permitted_ops {
            cut(&mut entry.op);
        }
    }

    /// The record as one line of printable JSON without the line break: its canonical text ([`crate::log::canonical`]). Entries of decisions
    /// that do not fit are dropped from the end of the longer list and counted in `overflow`.
    ///
    /// # Errors
    ///
    /// None that a record made by [`Record::new`] can cause.
    pub fn to_line(&self) -> serde_json::Result<String> {
        self.to_canonical().map(|line| String::from_utf8_lossy(&line).into_owned())
    }

    pub(crate) fn to_canonical(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = Vec::with_capacity(2048);
        canonical::write(&mut line, self)?;
        if line.len() <= LINE_BYTES {
            return Ok(line);
        }
        let mut smaller = self.clone();
        if !smaller.halve() {
            return Ok(line);
        }
        smaller.to_canonical()
    }

    /// Drops half of the longer list of decisions; false when there is nothing left to drop.
    fn halve(&mut self) -> bool {
        let Decisions { denied, permitted_ops, overflow, .. } = &mut self.decisions;
        let before = denied.len() + permitted_ops.len();
        if permitted_ops.len() >= denied.len() {
            permitted_ops.truncate(permitted_ops.len() / 2);
        } else {
            denied.truncate(denied.len() / 2);
        }
        let dropped = before - denied.len() - permitted_ops.len();
        *overflow = overflow.saturating_add(u64::try_from(dropped).unwrap_or(u64::MAX));
        dropped > 0
    }
}

/// The present moment as records have it: RFC 3339 in UTC.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

fn cut(text: &mut String) {
    if text.len() > TEXT_BYTES {
        *text = shortened(text, TEXT_BYTES).into_owned();
    }
}
