//! Answers that hold for more than one call, and questions that several calls of a session ask at the same time.
//!
//! What always holds: both are by exact op, function and component; what a guest asks for cannot make them grow without bound.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use caplet_policy::AnyOp;
use tokio::sync::OnceCell;

use super::Answer;

/// Answers that are kept: more than a person gives in a session. One more holds for its call alone.
const MOST_KEPT: usize = 1024;

/// What an answer is about. Nothing less was shown to who gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The name under which the tool asked.
    pub(super) tool: Arc<str>,
    /// The digest of its component.
    pub(super) component: Arc<str>,
    pub(super) function: Option<Arc<str>>,
    pub(super) op: AnyOp,
}

/// What came of a question: how far a yes goes, and the words for the record.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) answer: Answer,
    pub(super) how: Arc<str>,
}

/// An open question, for all who ask it.
pub(super) type Open = Arc<OnceCell<Verdict>>;

/// What was answered with a yes that lasts.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    yes: HashSet<Key>,
    open: HashMap<Key, Open>,
}

impl Answers {
    pub(super) fn has(&self, key: &Key) -> bool {
        self.lock().yes.contains(key)
    }

    /// Keeps a yes, if there is room.
    pub(super) fn keep(&self, key: &Key) {
        let mut state = self.lock();
        if state.yes.len() < MOST_KEPT {
            state.yes.insert(key.clone());
        }
    }

    /// The question that is open about `key`, or a new one.
    pub(super) fn open(&self, key: &Key) -> Open {
        Arc::clone(self.lock().open.entry(key.clone()).or_default())
    }

    /// Forgets a question that was answered, or that nobody asks any more.
    pub(super) fn close(&self, key: &Key, open: Open) {
        let mut state = self.lock();
        if !state.open.get(key).is_some_and(|known| Arc::ptr_eq(known, &open)) {
            return;
        }
        let is_answered = open.initialized();
        // What is counted below is who else has a part in it.
        drop(open);
        if is_answered || state.open.get(key).is_some_and(|known| Arc::strong_count(known) == 1) {
            state.open.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What a panic leaves behind are whole entries.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
