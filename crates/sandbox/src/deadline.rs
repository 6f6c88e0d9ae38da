//! When a call's time is up: at one moment, moved by the time in which its guest waited for a person.
//!
//! Only the time counts in which a question was open and the guest itself did nothing: one that computes while a request of its own
//! waits for an answer uses up its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::asking::Asking;

/// The end of a call's time. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    /// Microseconds by which it is moved.
    moved: Arc<AtomicU64>,
    asking: Option<Arc<Asking>>,
}

/// How long had been waited for somebody when the guest stopped to wait for something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(Duration);

impl Deadline {
    pub(crate) fn new(at: Instant, asking: Option<Arc<Asking>>) -> Self {
        Self { at, moved: Arc::default(), asking }
    }

    /// The moment, as far as it is known.
    pub(crate) fn at(&self) -> Instant {
        self.at + Duration::from_micros(self.moved.load(Ordering::Relaxed))
    }

    /// The guest waits from now on.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.asking.as_ref().map(|asking| Mark(asking.waited(Instant::now())))
    }

    /// The moment for a guest that has waited since `mark`.
    pub(crate) fn since(&self, mark: Option<Mark>) -> Instant {
        self.at() + self.waited(mark)
    }

    /// The guest goes on, having waited since `mark`.
    pub(crate) fn go_on(&self, mark: Option<Mark>) {
        let waited = u64::try_from(self.waited(mark).as_micros()).unwrap_or(u64::MAX);
        if waited > 0 {
            self.moved.fetch_add(waited, Ordering::Relaxed);
        }
    }

    fn waited(&self, mark: Option<Mark>) -> Duration {
        let now = self.asking.as_ref().zip(mark).map(|(asking, Mark(before))| (asking.waited(Instant::now()), before));
        now.map_or(Duration::ZERO, |(now, before)| now.saturating_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use caplet_policy::{Asker, FilesystemSection, GuestPath, Journal, Layer, LayerKind, Policy, Question, Read, Rule};

    use super::*;
    use crate::asking::{Respond, Response};

    #[derive(Debug)]
    struct Nobody;

    #[async_trait]
    impl Respond for Nobody {
        async fn respond(&self, _question: &Question) -> Response {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_guest_that_computes_while_it_asks_uses_up_its_time() {
        let asking = Arc::new(Asking::new(Arc::new(Nobody)));
        let journal = Arc::new(Journal::new());
        journal.set_asker(Arc::clone(&asking) as Arc<dyn Asker>);
        let mut layer = Layer::new(LayerKind::Operator);
        layer.add_ask(Rule::parse_grant("read:/**", &GuestPath::root()).unwrap()).unwrap();
        let guard = Policy::new(layer).guard::<FilesystemSection>(&journal);
        let question = || guard.question(&Read("/a".parse().unwrap())).unwrap();
        let while_asked = async || {
            let short = Duration::from_millis(20);
            assert!(tokio::time::timeout(short, asking.settle(question())).await.is_err());
            short
        };
        let deadline = Deadline::new(Instant::now(), Some(Arc::clone(&asking)));
        let before = deadline.at();
        while_asked().await;
        assert_eq!(deadline.at(), before, "the guest did not wait meanwhile");
        let mark = deadline.mark();
        let waited = while_asked().await;
        assert!(deadline.since(mark) >= before + waited);
        deadline.go_on(mark);
        assert!(deadline.at() >= before + waited);
        let mark = deadline.mark();
        tokio::time::sleep(waited).await;
        let moved = deadline.at();
        deadline.go_on(mark);
        assert_eq!(deadline.at(), moved, "nothing was asked meanwhile");
    }
}
