//! Futures in one thread: several run in turns, and each lets the others go on when it waits for one of them.
//!
//! There is nothing to wake: whoever waits is asked again as long as anybody has made [`progress`].

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A future whose type is not told.
pub(crate) type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How many steps pass before a busy future lets others go on, and the time is looked at.
const STEPS: u32 = 256;

thread_local! {
    static PROGRESS: Cell<u64> = const { Cell::new(0) };
    static LEFT: Cell<u32> = const { Cell::new(STEPS) };
}

/// Says that something has changed that another future may wait for.
pub(crate) fn progress() {
    PROGRESS.set(PROGRESS.get().wrapping_add(1));
}

/// One step of work. Every so often it lets others go on.
pub(crate) async fn breathe() {
    let left = LEFT.get();
    if left > 0 {
        LEFT.set(left - 1);
        return;
    }
    LEFT.set(STEPS);
    rest().await;
}

/// Lets others go on once.
pub(crate) async fn rest() {
    let mut asked = false;
    poll_fn(|_| {
        if asked {
            return Poll::Ready(());
        }
        asked = true;
        progress();
        Poll::Pending
    })
    .await;
}

/// Why a future did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// Its time is over.
    Timeout,
    /// Everybody waits for somebody else.
    Stuck,
}

/// Runs a future to its end in this thread, for at most as long as `limit`.
pub(crate) fn run<T>(future: impl Future<Output = T>, limit: Option<Duration>) -> Result<T, Unfinished> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        let before = PROGRESS.get();
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Ok(value);
        }
        if PROGRESS.get() == before {
            return Err(Unfinished::Stuck);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Unfinished::Timeout);
        }
    }
}

/// Runs a future until it ends or `limit` is over; none then.
pub(crate) async fn within<T>(future: impl Future<Output = T>, limit: Duration) -> Option<T> {
    let deadline = Instant::now() + limit;
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if Instant::now() >= deadline => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Waits for a span of time, letting others go on.
pub(crate) async fn sleep(span: Duration) {
    let deadline = Instant::now() + span;
    loop {
        let now = Instant::now();
        if now >= deadline {
            return;
        }
        std::thread::sleep((deadline - now).min(Duration::from_millis(5)));
        rest().await;
    }
}

/// Runs all in turns. Each is dropped when it ends. Once one fails, the others end too.
pub(crate) async fn all<T, E>(tasks: Vec<Task<'_, Result<T, E>>>) -> Result<Vec<T>, E> {
    let mut running: Vec<Option<Task<'_, Result<T, E>>>> = tasks.into_iter().map(Some).collect();
    let mut results: Vec<Option<T>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (task, result) in running.iter_mut().zip(&mut results) {
            let Some(future) = task else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(Ok(value)) => {
                    *result = Some(value);
                    *task = None;
                    progress();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => waiting = true,
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(Ok(())) }
    })
    .await?;
    Ok(results.into_iter().flatten().collect())
}
