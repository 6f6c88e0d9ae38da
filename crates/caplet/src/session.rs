//! Sessions: a row of calls that share one instance, for programs that ask for it, and for tools of which a toolbox says so. Every call has
//! its own record.

use std::borrow::Cow;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use caplet_audit::Outcome;
use caplet_component::Digest;
use caplet_policy::{Answered, Journal, Question};
use caplet_sandbox::{Asking, Respond, Response, SessionLimits};
use serde_json::Value;

use crate::context::CallContext;
use crate::granted::{Granted, OpenCall};
use crate::session_data::SessionData;

/// A row of calls of one tool that share one instance. Ends when it is dropped, when a call does not end well, or by its limits.
#[derive(Debug)]
pub struct Session {
    granted: Arc<Granted>,
    session: caplet_sandbox::Session,
    journal: Arc<Journal>,
    data: Arc<SessionData>,
    /// Of the calls that say nothing else.
    context: CallContext,
    desk: Arc<CurrentDesk>,
    /// Held by the call that runs.
    turn: tokio::sync::Mutex<()>,
    /// Whether a call was given up in its middle. What it left of the instance may take a moment to end.
    is_interrupted: AtomicBool,
}

impl Session {
    /// A session of `granted`, whose files and buckets are `data`.
    pub(crate) fn new(
        granted: Arc<Granted>,
        limits: SessionLimits,
        data: Arc<SessionData>,
        context: CallContext,
    ) -> Self {
        let journal = context.journal.clone().unwrap_or_default();
        let desk = Arc::new(CurrentDesk::default());
        let mut invocation = granted.session_invocation(&journal, &data);
        invocation.asking = Some(Arc::new(Asking::new(Arc::clone(&desk) as Arc<dyn Respond>)));
        let session = granted.prepared().session(invocation, limits);
        Self {
            granted,
            session,
            journal,
            data,
            context,
            desk,
            turn: tokio::sync::Mutex::new(()),
            is_interrupted: AtomicBool::new(false),
        }
    }

    /// Calls `function` in the session's instance, which has what earlier calls left in it. As [`Granted::call`] in all else; when the
    /// future is dropped, the session ends.
    pub async fn call(&self, function: Option<&str>, arguments: Value) -> Outcome {
        self.call_in(function, arguments, &self.context, pending()).await
    }

    /// As [`Session::call`], with the people and the tools that `context` says; files and buckets are the session's own. When `cancel`
    /// ends first, the guest stops at once, and the session with it.
    pub async fn call_in(
        &self,
        function: Option<&str>,
        arguments: Value,
        context: &CallContext,
        cancel: impl Future<Output = ()>,
    ) -> Outcome {
        let granted = &self.granted;
        if let Err(outcome) = granted.ready(function) {
            return *outcome;
        }
        let text = arguments.to_string();
        let mut open = OpenCall::new(granted, function, Digest::of(text.as_bytes()), Arc::default());
        open.trace = context.trace.clone();
        open.who = context.who.clone();
        open.text = granted.kept_arguments(&text);
        if let Some(error) = granted.refusal(function, text.len()) {
            return open.end(Outcome::refused(granted.name(), function.map(str::to_owned), error));
        }
        drop(text);
        let mut context = Cow::Owned(CallContext { session: Some(Arc::clone(&self.data)), ..context.clone() });
        let tools = granted.nest(&mut context, &mut open.branch);
        let mut cancel = pin!(cancel);
        // Whom to ask, and the journal, are the call's own, so the one before must be over.
        let _turn = tokio::select! {
            biased;
            turn = self.turn.lock() => turn,
            () = &mut cancel => {
                let outcome = open.cancelled();
                return open.end(outcome);
            }
        };
        open.journal = Arc::clone(&self.journal);
        self.desk.set(granted.desk(function, &context, Arc::clone(&self.data.answers)));
        let mut unfinished = Unfinished(Some(&self.is_interrupted));
        let mut outcome = tokio::select! {
            biased;
            outcome = self.session.call(function, arguments, tools) => {
                unfinished.0 = None;
                outcome
            }
            () = cancel => open.cancelled(),
        };
        drop(unfinished);
        granted.name().clone_into(&mut outcome.tool);
        open.end(outcome)
    }

    /// Whether another call can be made.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.is_interrupted.load(Ordering::Relaxed) && self.session.is_open()
    }

    /// Whether it is one of `granted`.
    pub(crate) fn is_of(&self, granted: &Arc<Granted>) -> bool {
        Arc::ptr_eq(&self.granted, granted)
    }
}

/// A call that has not come to its end.
struct Unfinished<'a>(Option<&'a AtomicBool>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(is_interrupted) = self.0 {
            is_interrupted.store(true, Ordering::Relaxed);
        }
    }
}

/// Whom the call asks that runs now.
#[derive(Debug, Default)]
struct CurrentDesk(Mutex<Option<Arc<dyn Respond>>>);

impl CurrentDesk {
    fn set(&self, desk: Option<Arc<dyn Respond>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = desk;
    }
}

#[async_trait]
impl Respond for CurrentDesk {
    async fn respond(&self, question: &Question) -> Response {
        let desk = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match desk {
            Some(desk) => desk.respond(question).await,
            None => {
                let how = "a rule says to ask, and nobody can be asked here".into();
                Response { answered: Answered { permits: false, how }, lasts: false }
            }
        }
    }
}
