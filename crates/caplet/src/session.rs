//! Sessions: a row of calls that share one instance, for programs that ask for it. Every call has its own record.

use std::sync::Arc;

use caplet_audit::Outcome;
use caplet_component::Digest;
use caplet_policy::Journal;
use caplet_sandbox::SessionLimits;
use serde_json::Value;

use crate::granted::{Granted, OpenCall};

/// A row of calls of one tool that share one instance. Ends when it is dropped, when a call does not end well, or by its limits.
#[derive(Debug)]
pub struct Session {
    granted: Arc<Granted>,
    session: caplet_sandbox::Session,
    journal: Arc<Journal>,
}

impl Session {
    pub(crate) fn new(granted: Arc<Granted>, limits: SessionLimits) -> Self {
        let journal = Arc::new(Journal::new());
        let session = granted.prepared().session(granted.session_invocation(&journal), limits);
        Self { granted, session, journal }
    }

    /// Calls `function` in the session's instance, which has what earlier calls left in it. As [`Granted::call`] in all else; when the
    /// future is dropped, the session ends.
    pub async fn call(&self, function: Option<&str>, arguments: Value) -> Outcome {
        let granted = &self.granted;
        if let Err(outcome) = granted.ready(function) {
            return *outcome;
        }
        let text = arguments.to_string();
        let mut open = OpenCall::new(granted, function, Digest::of(text.as_bytes()), Arc::clone(&self.journal));
        if let Some(error) = granted.refusal(function, text.len()) {
            return open.end(Outcome::refused(granted.name(), function.map(str::to_owned), error));
        }
        let mut outcome = self.session.call(function, arguments).await;
        granted.name().clone_into(&mut outcome.tool);
        open.end(outcome)
    }

    /// Whether another call can be made.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.session.is_open()
    }
}
