//! The notes of a call in the form in which they are kept.

use caplet_audit::{ErrorInfo, Outcome, OutcomeKind};
use caplet_policy::Decisions;
use caplet_vfs::recording::Tree;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::buckets::KeyValueNotes;
use super::given::Given;
use super::http::Exchanged;
use super::respond::SeenAnswer;
use super::row::Row;
use super::tools::ToolNotes;

/// The version of this form.
pub(super) const VERSION: u32 = 1;

/// All that a call was given, saw and came to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct World {
    pub(super) version: u32,
    pub(super) given: Given,
    pub(super) mounts: Vec<SeenMount>,
    /// In hexadecimal.
    pub(super) seed: String,
    pub(super) seen: Seen,
    pub(super) ended: Ended,
}

/// What was noted in the course of the call, besides files.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Seconds and nanoseconds.
    pub(super) wall: Row<(u64, u32)>,
    /// Nanoseconds.
    pub(super) monotonic: Row<u64>,
    /// Which of several things that were waited for were ready.
    pub(super) polls: Row<Vec<u32>>,
    /// Whether one thing was ready.
    pub(super) ready: Row<bool>,
    pub(super) exchanges: Vec<Exchanged>,
    pub(super) buckets: KeyValueNotes,
    pub(super) tools: ToolNotes,
    pub(super) answers: Vec<SeenAnswer>,
}

/// A mount, and what was seen of its store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenMount {
    pub(super) at: String,
    pub(super) read_only: bool,
    pub(super) tree: Tree,
}

/// How a call ended, as far as a replay must end alike: not how long it took, or how much memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// How.
    pub outcome: OutcomeKind,
    /// What it answered.
    pub output: Value,
    /// Why it did not end well.
    pub error: Option<ErrorInfo>,
    /// The code that it exited with.
    pub exit_code: Option<u32>,
    /// What it asked for and what it was refused.
    pub decisions: Decisions,
}

impl From<&Outcome> for Ended {
    fn from(outcome: &Outcome) -> Self {
        Self {
            outcome: outcome.outcome,
            output: outcome.output.clone(),
            error: outcome.error.clone(),
            exit_code: outcome.exit_code,
            decisions: outcome.decisions.clone(),
        }
    }
}

impl World {
    /// The pieces of content that go with it, always in the same order.
    pub(super) fn contents(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        let files = self.mounts.iter_mut().flat_map(|mount| mount.tree.contents());
        let bodies = self.seen.exchanges.iter_mut().flat_map(Exchanged::contents);
        files.chain(bodies).chain(self.seen.buckets.contents())
    }
}
