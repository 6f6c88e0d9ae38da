//! Where a call goes on that computes for long.
//!
//! A call starts on its caller's runtime, and almost every one ends there within a millisecond. One that is still computing when the
//! epoch advances moves here: to threads of the lowest useful priority, which take turns between shares (a tool, or a session) and
//! then between the calls of a share, one epoch at a time. So a small call waits neither behind runaways nor behind a tool with
//! many long calls.
//!
//! What always holds: a call is polled by one thread at a time; dropping the caller's future ends the call after its current
//! epoch at the latest.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use async_task::Runnable;
use tokio::runtime::Handle;

use crate::engine::lock;

/// How much less than others the threads are to be scheduled, as `nice` counts.
const NICENESS: i32 = 10;

/// Set by a guest that gives way because an epoch is over.
#[derive(Clone, Debug)]
pub(crate) struct GaveWay(Arc<Turn>);

/// What is known of the guest's turn on its thread.
#[derive(Debug)]
struct Turn {
    is_over: AtomicBool,
    /// When it began, in microseconds after `base`.
    began: AtomicU64,
    base: Instant,
}

impl Default for GaveWay {
    fn default() -> Self {
        Self(Arc::new(Turn { is_over: AtomicBool::new(false), began: AtomicU64::new(0), base: Instant::now() }))
    }
}

impl GaveWay {
    /// Says that the guest gives way.
    pub(crate) fn set(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether it was said in this turn.
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// Begins a turn of the guest.
    pub(crate) fn begin_turn(&self) {
        self.0.is_over.store(false, Ordering::Relaxed);
        let since = u64::try_from(self.0.base.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.began.store(since, Ordering::Relaxed);
    }

    /// How long this turn has lasted at `now`.
    pub(crate) fn turn_lasted(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.0.base)
            .saturating_sub(Duration::from_micros(self.0.began.load(Ordering::Relaxed)))
    }

    fn take(&self) -> bool {
        self.0.is_over.swap(false, Ordering::Relaxed)
    }
}

/// The threads for long calls. They start with the first such call and end with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Lane(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    threads: usize,
    started: OnceLock<()>,
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        lock(&self.shared.queue).stopped = true;
        self.shared.work.notify_all();
    }
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// The shares that have something to run, the next one first.
    turns: VecDeque<Arc<str>>,
    runnable: HashMap<Arc<str>, VecDeque<Runnable>>,
    stopped: bool,
}

impl Queue {
    fn push(&mut self, share: Arc<str>, runnable: Runnable) {
        let waiting = self.runnable.entry(Arc::clone(&share)).or_default();
        if waiting.is_empty() {
            self.turns.push_back(share);
        }
        waiting.push_back(runnable);
    }

    fn pop(&mut self) -> Option<Runnable> {
        let share = self.turns.pop_front()?;
        let waiting = self.runnable.get_mut(&share)?;
        let runnable = waiting.pop_front();
        if waiting.is_empty() {
            self.runnable.remove(&share);
        } else {
            self.turns.push_back(share);
        }
        runnable
    }
}

impl Lane {
    pub(crate) fn new(threads: usize) -> Self {
        Self(Arc::new(Owner { threads, started: OnceLock::new(), shared: Arc::default() }))
    }

    pub(crate) fn threads(&self) -> usize {
        self.0.threads
    }

    /// Runs `call` where the caller is until it first gives way, and then here. Nothing comes back if the lane cannot run it.
    pub(crate) async fn drive<T: Send + 'static>(
        &self,
        share: &str,
        gave_way: &GaveWay,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let mut call: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(call);
        let at_once = poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if gave_way.take() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match at_once.await {
            Some(done) => Some(done),
            None => self.take_over(share, call).await,
        }
    }

    async fn take_over<T: Send + 'static>(
        &self,
        share: &str,
        mut call: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Option<T> {
        self.0.started.get_or_init(|| self.start());
        // Timers and threads that may block are still the caller's runtime's.
        let runtime = Handle::current();
        let call = poll_fn(move |context| {
            let _entered = runtime.enter();
            // A runtime that is being shut down has no timers any more, and its callers are gone: that must not end a thread here.
            let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context)));
            polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
        });
        let (share, shared): (Arc<str>, Weak<Shared>) = (Arc::from(share), Arc::downgrade(&self.0.shared));
        let schedule = move |runnable| {
            // Without threads the task is dropped, which its owner hears of.
            if let Some(shared) = shared.upgrade() {
                lock(&shared.queue).push(Arc::clone(&share), runnable);
                shared.work.notify_one();
            }
        };
        let (runnable, task) = async_task::spawn(call, schedule);
        runnable.schedule();
        task.fallible().await.flatten()
    }

    fn start(&self) {
        for _ in 0..self.0.threads {
            let shared = Arc::clone(&self.0.shared);
            let started = std::thread::Builder::new().name("caplet-lane".to_owned()).spawn(move || run(&shared));
            if started.is_err() {
                // With fewer threads it is slower; with none, what was queued is dropped and says so.
                break;
            }
        }
    }
}

thread_local! {
    static IS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is one of a lane's threads.
pub(crate) fn is_here() -> bool {
    IS_HERE.get()
}

fn run(shared: &Shared) {
    IS_HERE.set(true);
    // Without the right to lower one's own priority things are less fair, and still right.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    loop {
        let queue = shared.work.wait_while(lock(&shared.queue), |queue| queue.turns.is_empty() && !queue.stopped);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        if queue.stopped {
            return;
        }
        let next = queue.pop();
        drop(queue);
        if let Some(runnable) = next {
            runnable.run();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that notes its name when it is run.
    fn noting(name: &'static str, log: &Arc<Mutex<Vec<&'static str>>>) -> Runnable {
        let log = Arc::clone(log);
        let (runnable, task) = async_task::spawn(async move { lock(&log).push(name) }, |_| {});
        task.detach();
        runnable
    }

    #[test]
    fn shares_take_turns_whatever_they_queue() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut queue = Queue::default();
        for (share, name) in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1"), ("b", "b2")] {
            queue.push(Arc::from(share), noting(name, &log));
        }
        while let Some(runnable) = queue.pop() {
            runnable.run();
        }
        assert_eq!(*lock(&log), ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert!(queue.runnable.is_empty(), "a share that has nothing to run is forgotten");
    }
}
