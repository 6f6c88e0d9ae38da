//! What is counted, and told at `/metrics` in the text format of Prometheus.
//!
//! What always holds: a label takes few values, of plain letters, whatever tools and clients call themselves.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caplet_audit::{Record, Sink, SinkError};
use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Names of tools that are told apart. Those beyond are counted together: a client can ask for any name that it likes.
const MOST_TOOLS: usize = 256;

/// What tools beyond are called, which no name in a label is.
const OTHER: &str = "(other)";

/// The longest label, in letters.
const LONGEST_LABEL: usize = 64;

/// Upper bounds of the histogram, in seconds: from a call that only computes to one that hits the default limit of 30 s.
const BUCKETS: [f64; 11] = [0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// What is counted. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    seconds: Family<ToolLabels, Histogram>,
    denied: Family<ClassLabels, Counter>,
    requests: Family<StatusLabels, Counter>,
    unauthorized: Family<ReasonLabels, Counter>,
    sessions: Gauge,
    /// Names that have a label of their own.
    tools: Mutex<HashSet<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    tool: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToolLabels {
    tool: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl Default for Inner {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("caplet");
        let calls = Family::default();
        registry.register("calls", "Calls of tools, by how they ended", calls.clone());
        let seconds = Family::new_with_constructor(duration_histogram as fn() -> Histogram);
        registry.register_with_unit("call_duration", "Time that calls took", Unit::Seconds, seconds.clone());
        let denied = Family::default();
        registry.register("denied_ops", "What tools asked for and were refused, by capability", denied.clone());
        let requests = Family::default();
        registry.register("http_requests", "Requests, by the status of the answer", requests.clone());
        let unauthorized = Family::default();
        registry.register("auth_failures", "Requests without a principal, by why they have none", unauthorized.clone());
        let sessions = Gauge::default();
        registry.register("sessions", "Sessions that are open", sessions.clone());
        let tools = Mutex::default();
        Self { registry, calls, seconds: seconds.clone(), denied, requests, unauthorized, sessions, tools }
    }
}

fn duration_histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Metrics {
    /// Nothing was counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A sink that counts each record, and keeps it in `inner`.
    #[must_use]
    pub fn sink(&self, inner: Arc<dyn Sink>) -> Arc<dyn Sink> {
        Arc::new(Counting { metrics: self.clone(), inner })
    }

    fn call(&self, record: &Record) {
        let counted = &*self.0;
        let tool = self.label_of(&record.tool);
        let took = Duration::from_micros(record.usage.wall_us);
        counted.seconds.get_or_create(&ToolLabels { tool: tool.clone() }).observe(took.as_secs_f64());
        counted.calls.get_or_create(&CallLabels { tool, outcome: record.outcome.as_str() }).inc();
        for entry in &record.decisions.denied {
            let class = plain(&entry.capability).into_owned();
            counted.denied.get_or_create(&ClassLabels { class }).inc_by(entry.count);
        }
    }

    /// What `tool` is called in labels.
    fn label_of(&self, tool: &str) -> String {
        let label = plain(tool);
        let mut tools = self.0.tools.lock().unwrap_or_else(PoisonError::into_inner);
        if tools.contains(&*label) || (tools.len() < MOST_TOOLS && tools.insert(label.clone().into_owned())) {
            label.into_owned()
        } else {
            OTHER.to_owned()
        }
    }

    pub(crate) fn request(&self, status: StatusCode) {
        self.0.requests.get_or_create(&StatusLabels { status: status.as_u16() }).inc();
    }

    pub(crate) fn unauthorized(&self, reason: &'static str) {
        self.0.unauthorized.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// All of it as text.
    pub(crate) fn text(&self, sessions: usize) -> String {
        self.0.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
        let mut text = String::new();
        // It writes to a string, which takes everything.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

/// `name` in the letters that names have, and not too many of them.
fn plain(name: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '/' | ':');
    if name.len() <= LONGEST_LABEL && name.chars().all(is_plain) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.chars().take(LONGEST_LABEL).map(|letter| if is_plain(letter) { letter } else { '_' }).collect())
}

/// Counts what goes by.
#[derive(Debug)]
struct Counting {
    metrics: Metrics,
    inner: Arc<dyn Sink>,
}

impl Sink for Counting {
    fn ready(&self) -> Result<(), SinkError> {
        self.inner.ready()
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        self.metrics.call(record);
        self.inner.append(record)
    }

    fn inner(&self) -> Option<&dyn Sink> {
        Some(&*self.inner)
    }
}
