//! What a caller hands over for one call.

use std::sync::Arc;

use caplet_policy::{GuestPath, Journal, Limits, Policy};
use caplet_secrets::SecretSource;
use caplet_vfs::Mount;
use serde_json::Value;
use tokio::time::Instant;

use crate::asking::Asking;
use crate::capability::http::Connections;
use crate::capability::keyvalue::BucketSource;
use crate::capability::tools::{ToolSource, Within};
use crate::determinism::{self, NobodyIsAsked};
use crate::recording::Tape;

/// One call: which function, with what, under which policy, with what behind the mounts.
///
/// The policy alone decides what the guest may do; everything else here is what a permitted op acts on.
#[derive(Debug)]
pub struct Invocation {
    /// The name by which the caller knows the tool; it is the guest's `argv[0]` and appears in the outcome.
    pub tool: String,
    /// The function to call; may be left out where the component provides one.
    pub function: Option<String>,
    /// The input object.
    pub arguments: Value,
    /// All layers of authority.
    pub policy: Policy,
    /// Where every decision of this call is written.
    pub journal: Arc<Journal>,
    /// What stands behind guest paths, in the order in which the guest sees them.
    pub mounts: Vec<Mount>,
    /// The guest's current directory.
    pub cwd: Option<GuestPath>,
    /// Hard limits.
    pub limits: Limits,
    /// Connections that calls under the same policy may use again; with none, each call opens its own.
    pub connections: Option<Arc<Connections>>,
    /// Where key-value buckets are; with none, there are none.
    pub buckets: Option<Arc<dyn BucketSource>>,
    /// Where the values of secrets come from; with none, there are none.
    pub secrets: Option<Arc<dyn SecretSource>>,
    /// How many redirects of a request the host follows, as the manifest asks; the tool sees the others.
    pub redirects: u8,
    /// What is asked and answered where rules say to ask; with none, such ops are denied. It belongs to this call alone.
    pub asking: Option<Arc<Asking>>,
    /// Environment variables, names already granted and values filled in.
    pub environment: Vec<(String, String)>,
    /// The tools that the guest may find; with none, it can call none.
    pub tools: Option<Arc<dyn ToolSource>>,
    /// Where another call made this one: what they share.
    pub within: Option<Within>,
    /// In whose name the call runs where long calls take turns: a session, say. By itself, each tool is one.
    pub share: Option<String>,
    /// Refuse a component that imports something for which the policy has no rule, instead of denying its calls.
    pub strict_imports: bool,
    /// Make the call deterministic, with this seed: the same component, arguments and files give the same output, decisions and usage, on
    /// every machine. Where no fuel is set, the call gets as much as [`deterministic_limits`](crate::deterministic_limits) says.
    pub deterministic: Option<u64>,
    /// Where what crosses to the guest is noted, or comes from; see [`Recorder::begin`](crate::Recorder::begin).
    pub tape: Option<Tape>,
}

impl Invocation {
    /// A call of `tool` with an empty input, no mounts, the default limits and a journal of its own.
    #[must_use]
    pub fn new(tool: impl Into<String>, policy: Policy) -> Self {
        Self {
            tool: tool.into(),
            function: None,
            arguments: Value::Object(serde_json::Map::new()),
            policy,
            journal: Arc::new(Journal::new()),
            mounts: Vec::new(),
            cwd: None,
            limits: Limits::default(),
            connections: None,
            buckets: None,
            secrets: None,
            redirects: 0,
            asking: None,
            environment: Vec::new(),
            tools: None,
            within: None,
            share: None,
            strict_imports: false,
            deterministic: None,
            tape: None,
        }
    }

    /// In whose name the call runs where long calls take turns.
    pub(crate) fn share(&self) -> String {
        let above = || self.within.as_ref().map(|within| within.share.to_string());
        self.share.clone().or_else(above).unwrap_or_else(|| self.tool.clone())
    }

    /// When the call's wall time is over, if it begins now. In a deterministic call that is a backstop.
    pub(crate) fn ends(&self) -> Instant {
        let now = Instant::now();
        if self.deterministic.is_none() {
            return now + self.limits.timeout;
        }
        let backstop = now.checked_add(determinism::backstop(self.limits.timeout));
        let ends = backstop.unwrap_or_else(|| now + self.limits.timeout);
        self.within.as_ref().map_or(ends, |within| ends.min(within.ends()))
    }

    /// Takes its place below the call that made it, and becomes what a deterministic call is.
    pub(crate) fn settle(&mut self) {
        if let Some(repeats) = self.within.as_ref().and_then(|within| within.repeats.as_ref()) {
            self.deterministic = Some(repeats.seed());
        }
        if self.deterministic.is_some() {
            self.limits = determinism::limits(&self.limits);
            self.asking = None;
            self.journal.set_asker(Arc::new(NobodyIsAsked));
        }
        let Some(within) = &self.within else { return };
        within.lower(&mut self.limits);
        if let (Some(own), Some(above)) = (&self.asking, &within.asking) {
            own.belong_to(Arc::clone(above));
        }
    }
}
