//! Instances that are kept between the calls of one client, for tools of which the toolbox says `session = true`.
//!
//! What always holds: an instance is one client's, of one tool, under one grant; where the grant is another, the instance is another. There are
//! never more than a few of one client, nor than some tens of all together; one that nobody calls ends. Whoever finds a fresh instance
//! where there was one before is told why.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use caplet_sandbox::SessionLimits;

use crate::context::CallContext;
use crate::granted::Granted;
use crate::session::Session;
use crate::session_data::SessionData;

/// Instances of one client at a time: the interpreters that an agent works with, and one more. Each may hold as much memory as a call.
const MOST_OF_CLIENT: usize = 4;

/// Instances of all clients of a process at a time. Each takes a place from calls that come and go, of which there are a thousand.
const MOST_OF_ALL: usize = 64;

/// How long an instance lasts from its first call on. Without a call for a quarter of an hour it ends before.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The instances of one client. To drop them ends them.
#[derive(Debug, Default)]
pub struct Instances {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The one that was called last at the end.
    kept: Vec<(String, Arc<Session>)>,
    /// Why there is none any more, by the tool's name in the toolbox.
    gone: HashMap<String, &'static str>,
}

/// The instances of all clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllInstances(Arc<Mutex<Vec<Weak<Session>>>>);

impl AllInstances {
    /// Makes a session, if there is room for one more.
    fn make(&self, make: impl FnOnce() -> Session) -> Option<Arc<Session>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|session| session.upgrade().is_some_and(|session| session.is_open()));
        (all.len() < MOST_OF_ALL).then(|| {
            let session = Arc::new(make());
            all.push(Arc::downgrade(&session));
            session
        })
    }
}

impl Instances {
    /// None as yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The instance of `tool`, and why it is fresh, if there was one before. Without room there is none.
    pub(crate) fn of(
        &self,
        all: &AllInstances,
        tool: &str,
        granted: &Arc<Granted>,
        data: &Arc<SessionData>,
    ) -> Option<(Arc<Session>, Option<&'static str>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.drop_ended();
        if let Some(at) = state.kept.iter().position(|(name, _)| name == tool) {
            let (name, session) = state.kept.remove(at);
            if session.is_of(granted) {
                state.kept.push((name, Arc::clone(&session)));
                return Some((session, None));
            }
            state.gone.insert(name, "its configuration has changed");
        }
        if state.kept.len() >= MOST_OF_CLIENT {
            let (oldest, _) = state.kept.remove(0);
            state.gone.insert(oldest, "other tools needed the room");
        }
        let mut limits = SessionLimits::default();
        limits.lifetime = LIFETIME;
        let session = all.make(|| Session::new(Arc::clone(granted), limits, Arc::clone(data), CallContext::new()))?;
        state.kept.push((tool.to_owned(), Arc::clone(&session)));
        Some((session, state.gone.remove(tool)))
    }
}

impl State {
    /// Forgets those that have ended.
    fn drop_ended(&mut self) {
        let Self { kept, gone } = self;
        kept.retain(|(tool, session)| {
            let is_open = session.is_open();
            if !is_open {
                gone.insert(tool.clone(), "a call of it did not end well, or nobody called it for too long");
            }
            is_open
        });
    }
}
