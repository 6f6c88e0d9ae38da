//! Requests without a session: known while they are answered, so that they end with what their principal is known by.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Sessions;
use crate::auth::Principal;

/// All requests without a session, by number.
#[derive(Debug, Default)]
pub(super) struct Requests {
    next: u64,
    requests: HashMap<u64, Stateless>,
}

/// A request without a session that is being answered.
#[derive(Debug)]
struct Stateless {
    owner: Principal,
    end: CancellationToken,
}

/// Keeps a request known until it is dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    sessions: Arc<Sessions>,
    number: u64,
}

impl Sessions {
    /// Makes a request of `owner` known. Its `end` is cancelled when the principal is gone or over.
    pub(crate) fn register(self: &Arc<Self>, owner: Principal, end: CancellationToken) -> Registered {
        let mut stateless = self.stateless();
        let number = stateless.next;
        stateless.next += 1;
        stateless.requests.insert(number, Stateless { owner, end });
        Registered { sessions: Arc::clone(self), number }
    }

    /// Ends the requests of all principals that `is_over` says so of.
    pub(super) fn end_stateless(&self, is_over: impl Fn(&Principal) -> bool) {
        self.stateless().requests.values().filter(|request| is_over(&request.owner)).for_each(|it| it.end.cancel());
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.sessions.stateless().requests.remove(&self.number);
    }
}
