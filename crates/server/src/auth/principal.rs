//! Who sends a request, as far as this server knows.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

/// Who sends a request. Two are the same when they are the same party under the same profile: a session that was opened with wide
/// authority is not there for a later token of the same user that has less. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Principal(Arc<Inner>);

struct Inner {
    /// Unique: tokens by name and hash, users of an issuer by their subject and client.
    who: String,
    profile: String,
    may_read_metrics: bool,
    until: Option<SystemTime>,
}

impl Principal {
    pub(crate) fn new(who: String, profile: String) -> Self {
        Self(Arc::new(Inner { who, profile, may_read_metrics: false, until: None }))
    }

    /// Whoever reaches a server that asks nobody who they are.
    pub(crate) fn anyone(profile: &str) -> Self {
        Self::new("local".to_owned(), profile.to_owned()).metrics(true)
    }

    /// Whether it may read `/metrics`.
    pub(crate) fn metrics(self, may_read_metrics: bool) -> Self {
        let Inner { who, profile, may_read_metrics: _, until } = &*self.0;
        Self(Arc::new(Inner { who: who.clone(), profile: profile.clone(), may_read_metrics, until: *until }))
    }

    /// What it is known by ends at `until`.
    pub(crate) fn until(self, until: Option<SystemTime>) -> Self {
        let Inner { who, profile, may_read_metrics, until: _ } = &*self.0;
        let (who, profile, may_read_metrics) = (who.clone(), profile.clone(), *may_read_metrics);
        Self(Arc::new(Inner { who, profile, may_read_metrics, until }))
    }

    pub(crate) fn profile(&self) -> &str {
        &self.0.profile
    }

    pub(crate) fn who(&self) -> &str {
        &self.0.who
    }

    pub(crate) fn may_read_metrics(&self) -> bool {
        self.0.may_read_metrics
    }

    pub(crate) fn is_over(&self, now: SystemTime) -> bool {
        self.0.until.is_some_and(|until| until <= now)
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.0.who == other.0.who && self.0.profile == other.0.profile
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.who.hash(state);
        self.0.profile.hash(state);
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("who", &self.0.who).field("profile", &self.0.profile).finish_non_exhaustive()
    }
}
