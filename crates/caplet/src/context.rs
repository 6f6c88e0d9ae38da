//! What a call has beside its arguments: whose it is.

use std::sync::Arc;

use caplet_policy::Journal;

use crate::session_data::SessionData;

/// What a call has beside its arguments. By itself, a call is its own session.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CallContext {
    pub(crate) session: Option<Arc<SessionData>>,
    pub(crate) journal: Option<Arc<Journal>>,
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
}
