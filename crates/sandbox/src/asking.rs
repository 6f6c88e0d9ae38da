//! What is asked and answered in one call, where rules say to ask.
//!
//! A host function that needs an answer waits for it as it waits for anything else, so a call that waits holds up no thread and no
//! other call, and dropping it withdraws the question. What always holds: an answer is kept by the exact op; a question is put once,
//! however often the guest asks for the same; a guest that asks for ever new things is refused the rest.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use caplet_policy::{Answered, AnyOp, Asker, Denied, Guard, Permitted, Question, Section};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::engine::lock;

/// Different things that one call may have somebody asked about: nobody reads more of them with care.
const MOST_QUESTIONS: usize = 16;

/// Who answers. How long that may take is the implementor's to bound.
#[async_trait]
pub trait Respond: fmt::Debug + Send + Sync {
    /// Has `question` answered. When the future is dropped, nobody waits for the answer any more.
    async fn respond(&self, question: &Question) -> Response;
}

/// An answer, and how far it goes.
#[derive(Clone, Debug)]
pub struct Response {
    /// Whether the op is permitted, and who said so.
    pub answered: Answered,
    /// Whether it holds for more than this call. One that does not holds, for a request, for one request alone.
    pub lasts: bool,
}

/// The questions of one call. Only what was answered here permits anything: the guards of the call look it up.
pub struct Asking {
    respond: Arc<dyn Respond>,
    state: Mutex<State>,
    /// Those of the call that made this one: what is asked here is asked in its name too.
    above: OnceLock<Arc<Self>>,
    asked: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// The number of the call, among those that share an instance.
    call: u64,
    /// Answers that hold for the rest of the call.
    answers: HashMap<AnyOp, Answered>,
    /// Answers for one request each that were not taken yet. They stand beside the others: whoever asks next about the same may have
    /// been told no before the request that got a yes takes it, and neither undoes the other.
    once: HashMap<AnyOp, Vec<Answered>>,
    /// Questions that wait, with what they wait for.
    open: HashMap<AnyOp, Arc<OnceCell<Response>>>,
    waited: Duration,
    /// Since when at least one waits, and how many do.
    waiting: Option<(Instant, usize)>,
}

impl Asking {
    /// No questions yet. `respond` answers those to come.
    #[must_use]
    pub fn new(respond: Arc<dyn Respond>) -> Self {
        let (above, asked) = (OnceLock::new(), AtomicUsize::new(0));
        Self { respond, state: Mutex::new(State::default()), above, asked }
    }

    /// Who answers.
    pub(crate) fn responder(&self) -> Arc<dyn Respond> {
        Arc::clone(&self.respond)
    }

    /// The call was made by one whose questions are `above`: together they ask no more than one may, and while somebody is asked here,
    /// both wait for a person. The first one stays.
    pub(crate) fn belong_to(&self, above: Arc<Self>) {
        let _ = self.above.set(above);
    }

    /// Begins the next call of those that share an instance: nothing is asked or answered in it. What an earlier one has left that still
    /// waits gets no answer.
    pub(crate) fn renew(&self) {
        let mut state = lock(&self.state);
        *state = State { call: state.call.wrapping_add(1), ..State::default() };
        self.asked.store(0, Ordering::Relaxed);
    }

    /// Different questions so far of the call that nobody made who could ask, and of all below it.
    fn asked(&self) -> &AtomicUsize {
        self.above.get().map_or(&self.asked, |above| above.asked())
    }

    fn has_asked_enough(&self) -> bool {
        self.asked().load(Ordering::Relaxed) >= MOST_QUESTIONS
    }

    /// Waits until there is an answer to `question`, or it is clear that there will be none.
    pub(crate) async fn settle(&self, question: Question) {
        let call = self.call();
        while let Some(cell) = self.begin(call, &question.op) {
            let mut is_own = false;
            let ask = || {
                is_own = true;
                self.respond.respond(&question)
            };
            let waiting = Waiting::begin(self, call);
            let response = cell.get_or_init(ask).await.clone();
            drop(waiting);
            let is_for_one = response.answered.permits && !response.lasts && is_request(&question.op);
            self.keep(call, &question.op, (&cell, response), is_for_one.then_some(is_own));
            // What is for one request is for the one that was asked about: who only waited beside it asks again.
            if is_own || !is_for_one {
                return;
            }
        }
    }

    fn call(&self) -> u64 {
        lock(&self.state).call
    }

    /// What to wait for; nothing if there is nothing to wait for.
    fn begin(&self, call: u64, op: &AnyOp) -> Option<Arc<OnceCell<Response>>> {
        let mut state = lock(&self.state);
        if state.call != call || state.is_settled(op, self.has_asked_enough()) {
            return None;
        }
        if let Some(cell) = state.open.get(op) {
            return Some(Arc::clone(cell));
        }
        self.asked().fetch_add(1, Ordering::Relaxed);
        let cell = Arc::<OnceCell<Response>>::default();
        state.open.insert(op.clone(), Arc::clone(&cell));
        Some(cell)
    }

    /// Keeps `response`. Of one that is for one request, `one` says whether that request is the one that is kept for.
    fn keep(&self, call: u64, op: &AnyOp, (cell, response): (&Arc<OnceCell<Response>>, Response), one: Option<bool>) {
        let mut state = lock(&self.state);
        if state.call != call {
            return;
        }
        // Another question about the same may be open by now.
        if state.open.get(op).is_some_and(|open| Arc::ptr_eq(open, cell)) {
            state.open.remove(op);
        }
        match one {
            None => _ = state.answers.insert(op.clone(), response.answered),
            Some(true) => state.once.entry(op.clone()).or_default().push(response.answered),
            Some(false) => {}
        }
    }

    /// How long somebody was waited for until `now`.
    pub(crate) fn waited(&self, now: Instant) -> Duration {
        let state = lock(&self.state);
        let open = state.waiting.map_or(Duration::ZERO, |(since, _)| now.saturating_duration_since(since));
        state.waited + open
    }
}

impl State {
    fn is_settled(&self, op: &AnyOp, has_asked_enough: bool) -> bool {
        // What is left of an answer for one request belongs to the one that was asked about.
        self.answers.contains_key(op) || (has_asked_enough && !self.open.contains_key(op))
    }
}

/// Whether each time is another thing: with another body, or with other arguments.
fn is_request(op: &AnyOp) -> bool {
    matches!(op, AnyOp::Http(op) if op.address().is_none()) || matches!(op, AnyOp::Tools(_))
}

impl Asker for Asking {
    fn is_settled(&self, op: &AnyOp) -> bool {
        lock(&self.state).is_settled(op, self.has_asked_enough())
    }

    fn answer(&self, op: &AnyOp) -> Option<Answered> {
        let mut state = lock(&self.state);
        if let Some(answered) = state.once.get_mut(op).and_then(Vec::pop) {
            return Some(answered);
        }
        if let Some(answered) = state.answers.get(op) {
            return Some(answered.clone());
        }
        self.has_asked_enough().then(|| Answered {
            permits: false,
            how: format!("the tool had somebody asked about {MOST_QUESTIONS} other things in this call").into(),
        })
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("respond", &self.respond).finish_non_exhaustive()
    }
}

/// Counts the time of one who waits, even if he stops waiting half-way; and of those who wait for him.
struct Waiting<'a> {
    asking: &'a Asking,
    call: u64,
    _above: Option<Box<Self>>,
}

impl<'a> Waiting<'a> {
    fn begin(asking: &'a Asking, call: u64) -> Self {
        let above = asking.above.get().map(|above| Box::new(Self::begin(above, above.call())));
        let mut state = lock(&asking.state);
        if state.call == call {
            let (since, others) = state.waiting.unwrap_or_else(|| (Instant::now(), 0));
            state.waiting = Some((since, others + 1));
        }
        Self { asking, call, _above: above }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.asking.state);
        if state.call != self.call {
            return;
        }
        match state.waiting.take() {
            Some((since, waiting)) if waiting > 1 => state.waiting = Some((since, waiting - 1)),
            Some((since, _)) => state.waited += since.elapsed(),
            None => {}
        }
    }
}

/// Decides on `op`, after what has to be asked first.
pub(crate) async fn permit<S: Section, O: Clone + Into<S::Op>>(
    guard: &Guard<S>,
    asking: Option<&Asking>,
    op: O,
) -> Result<Permitted<O>, Denied> {
    if let (Some(asking), Some(question)) = (asking, guard.question(&op)) {
        asking.settle(question).await;
    }
    guard.check(op)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use caplet_policy::{GuestPath, HttpOp, HttpSection, Journal, Layer, LayerKind, Policy};

    use super::*;

    /// Says yes to the first few, each for once.
    #[derive(Debug)]
    struct YesTo(usize, AtomicUsize);

    #[async_trait]
    impl Respond for YesTo {
        async fn respond(&self, _question: &Question) -> Response {
            // So that all that ask at the same time wait for this.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let permits = self.1.fetch_add(1, Ordering::Relaxed) < self.0;
            Response { answered: Answered { permits, how: "by the test".into() }, lasts: false }
        }
    }

    /// The one that got a yes may be slower than the next that asks and gets a no.
    #[test]
    fn a_yes_for_once_and_a_later_no_do_not_undo_each_other() {
        for no_comes_first in [true, false] {
            let asking = Asking::new(Arc::new(YesTo(0, AtomicUsize::new(0))));
            let op = AnyOp::from(HttpOp::new("POST", "https://a.b/").unwrap());
            let says = |permits| Response { answered: Answered { permits, how: "by the test".into() }, lasts: false };
            let first = asking.begin(0, &op).unwrap();
            let yes = || asking.keep(0, &op, (&first, says(true)), Some(true));
            // Another that only waited for the first answer takes the question away, and puts it again.
            asking.keep(0, &op, (&first, says(true)), Some(false));
            let second = asking.begin(0, &op).unwrap();
            if no_comes_first {
                asking.keep(0, &op, (&second, says(false)), None);
                yes();
            } else {
                yes();
                asking.keep(0, &op, (&second, says(false)), None);
            }
            assert!(asking.begin(0, &op).is_none(), "who was told no is not asked about again");
            let answers = [(); 3].map(|()| asking.answer(&op).unwrap().permits);
            assert_eq!(answers, [true, false, false]);
        }
    }

    #[tokio::test]
    async fn each_yes_for_once_is_for_one_of_those_that_wait() {
        for (yes, asked) in [(0, 1), (1, 2), (3, 4), (10, 10)] {
            let respond = Arc::new(YesTo(yes, AtomicUsize::new(0)));
            let asking = Arc::new(Asking::new(Arc::clone(&respond) as _));
            let journal = Arc::new(Journal::new());
            journal.set_asker(Arc::clone(&asking) as Arc<dyn Asker>);
            let mut layer = Layer::new(LayerKind::Operator);
            layer
                .add_ask(caplet_policy::Rule::parse_grant("fetch:POST https://a.b/", &GuestPath::root()).unwrap())
                .unwrap();
            let guard = Policy::new(layer).guard::<HttpSection>(&journal);
            let mut requests = tokio::task::JoinSet::new();
            for _ in 0..10 {
                let (guard, asking) = (guard.clone(), Arc::clone(&asking));
                requests.spawn(async move {
                    permit(&guard, Some(&asking), HttpOp::new("POST", "https://a.b/").unwrap()).await.is_ok()
                });
            }
            let permitted = requests.join_all().await.into_iter().filter(|permitted| *permitted).count();
            assert_eq!((permitted, respond.1.load(Ordering::Relaxed)), (yes, asked));
        }
    }
}
