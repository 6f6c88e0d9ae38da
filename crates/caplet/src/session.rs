//! Sessions: a row of calls that share one instance, for programs that ask for it. Every call has its own record.

use std::sync::Arc;

use caplet_audit::Outcome;
use caplet_component::Digest;
use caplet_policy::Journal;
use caplet_sandbox::{Asking, SessionLimits};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::approval::Answers;
use crate::context::CallContext;
use crate::granted::{Granted, OpenCall};

/// A row of calls of one tool that share one instance. Ends when it is dropped, when a call does not end well, or by its limits.
#[derive(Debug)]
pub struct Session {
    granted: Arc<Granted>,
    session: caplet_sandbox::Session,
    journal: Arc<Journal>,
    context: CallContext,
    /// What was answered for the session.
    answers: Arc<Answers>,
    asking: Option<Arc<Asking>>,
    /// Whoever has it calls: what is asked about is asked for the call that runs.
    turn: Mutex<()>,
}

impl Session {
    pub(crate) fn new(granted: Arc<Granted>, limits: SessionLimits, context: CallContext) -> Self {
        let journal = context.journal.clone().unwrap_or_default();
        let invocation = granted.session_invocation(&journal, &context);
        let (asking, answers) = (invocation.asking.clone(), granted.answers(&context));
        let session = granted.prepared().session(invocation, limits);
        Self { granted, session, journal, context, answers, asking, turn: Mutex::default() }
    }

    /// Calls `function` in the session's instance, which has what earlier calls left in it. As [`Granted::call_in`] in all else; when
    /// the future is dropped, the session ends.
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
        let _turn = self.turn.lock().await;
        let desk = granted.desk(function, &self.context, Arc::clone(&self.answers));
        if let Some((asking, desk)) = self.asking.as_ref().zip(desk) {
            asking.renew(desk);
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
