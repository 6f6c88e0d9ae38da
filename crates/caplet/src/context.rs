//! What a call has beside its arguments: whose it is, and who is asked.

use std::sync::Arc;
use std::time::Duration;

use caplet_audit::{TraceParent, Who};
use caplet_policy::Journal;

use crate::approval::{Approver, PATIENCE};
use crate::callees::Callees;
use crate::catalog::Catalog;
use crate::instances::Instances;
use crate::session_data::SessionData;

/// What a call has beside its arguments. By itself, a call is its own session.
#[derive(Clone, Debug)]
#[must_use]
pub struct CallContext {
    pub(crate) session: Option<Arc<SessionData>>,
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) approver: Option<Arc<dyn Approver>>,
    pub(crate) patience: Duration,
    pub(crate) client: Option<String>,
    pub(crate) session_name: Option<String>,
    pub(crate) who: Who,
    pub(crate) trace: Option<TraceParent>,
    pub(crate) tools: Option<Callees>,
    pub(crate) instances: Option<Arc<Instances>>,
    /// The tools that called this one, the nearest first.
    pub(crate) callers: Vec<String>,
}

impl Default for CallContext {
    fn default() -> Self {
        let patience = PATIENCE;
        Self {
            session: None,
            journal: None,
            approver: None,
            patience,
            client: None,
            session_name: None,
            who: Who::default(),
            trace: None,
            tools: None,
            instances: None,
            callers: Vec::new(),
        }
    }
}

impl CallContext {
    /// Nothing but the arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// The files and buckets that `session` means, in place of the grant's.
    pub fn session(mut self, data: Arc<SessionData>) -> Self {
        self.session = Some(data);
        self
    }

    /// Where the call's decisions go, for who wants to see them while it runs. It must be new.
    pub fn journal(mut self, journal: Arc<Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Who is asked where a rule says so. Without this, such ops are denied.
    pub fn approver(mut self, approver: Arc<dyn Approver>) -> Self {
        self.approver = Some(approver);
        self
    }

    /// How long each answer is waited for, instead of 60 seconds. After that it is a no.
    pub fn approval_timeout(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Who calls, by the name that a client gives itself: shown to who is asked.
    pub fn client(mut self, name: impl Into<String>) -> Self {
        self.client = Some(name.into());
        self
    }

    /// Where tools keep their instances of which the toolbox says so. Without this, or without [`CallContext::session`], each call has a
    /// fresh one, and its outcome says so.
    pub fn instances(self, instances: Arc<Instances>) -> Self {
        Self { instances: Some(instances), ..self }
    }

    /// What the tool can call, as far as its policy lets it: what `catalog` offers, each under its own grant, in the same session and with
    /// the same people asked. Without this there is nothing to call.
    pub fn tools(self, catalog: Catalog) -> Self {
        Self { tools: Some(Callees::of(catalog)), ..self }
    }

    /// As [`CallContext::tools`], with a catalog that is not made before the tool looks for one.
    pub fn tools_when_called(self, make: impl FnOnce() -> Catalog + Send + 'static) -> Self {
        Self { tools: Some(Callees::made_by(make)), ..self }
    }

    /// What the session is called: shown to who is asked.
    pub fn session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = Some(name.into());
        self
    }

    /// Who calls: for its record, and those of the calls that it makes.
    pub fn who(self, who: Who) -> Self {
        Self { who, ..self }
    }

    /// Where the call belongs in its caller's trace: for its record.
    pub fn trace(mut self, parent: TraceParent) -> Self {
        self.trace = Some(parent);
        self
    }
}
