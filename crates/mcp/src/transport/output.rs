//! What is written: each message at once where the client keeps up, and from a buffer where it does not.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use serde::Serialize;
use tokio::io::AsyncWrite;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How long the end of a session waits for a client to read what it was sent.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The way out. Positions in it are counted in bytes from its beginning.
#[derive(Debug)]
pub(crate) struct Output<W> {
    shared: Arc<Shared<W>>,
    written: watch::Receiver<Written>,
    /// Ends the task that writes what could not be written at once.
    stop: CancellationToken,
}

/// How far the output is written.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    until: u64,
    is_broken: bool,
}

#[derive(Debug)]
struct Shared<W> {
    queue: Mutex<Queue<W>>,
    written: watch::Sender<Written>,
    has_more: Notify,
}

#[derive(Debug)]
struct Queue<W> {
    writer: W,
    waiting: BytesMut,
    /// The position after all that was ever queued.
    end: u64,
}

impl<W: AsyncWrite + Unpin + Send + 'static> Output<W> {
    /// What `writer` takes must be on its way, without a flush. `gone` is cancelled when nothing can be written any more.
    pub(crate) fn new(writer: W, gone: CancellationToken) -> Self {
        let (sender, written) = watch::channel(Written::default());
        let queue = Mutex::new(Queue { writer, waiting: BytesMut::new(), end: 0 });
        let shared = Arc::new(Shared { queue, written: sender, has_more: Notify::new() });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(drain(Arc::clone(&shared), gone)));
        Self { shared, written, stop }
    }

    /// Queues `message` as one line, and gives the position of its end.
    pub(crate) fn push<M: Serialize + ?Sized>(&self, message: &M) -> u64 {
        let mut queue = self.shared.lock();
        let Ok(line) = serde_json::to_vec(message) else { return queue.end };
        let was_empty = queue.waiting.is_empty();
        queue.waiting.reserve(line.len() + 1);
        queue.waiting.extend_from_slice(&line);
        queue.waiting.extend_from_slice(b"\n");
        queue.end += u64::try_from(line.len()).unwrap_or(u64::MAX).saturating_add(1);
        let now = &mut Context::from_waker(Waker::noop());
        if !was_empty || !matches!(self.shared.advance(&mut queue, now), Poll::Ready(Ok(()))) {
            // The task writes the rest, or tells that nothing can be written any more.
            self.shared.has_more.notify_one();
        }
        queue.end
    }

    /// The position after all that was queued.
    pub(crate) fn end(&self) -> u64 {
        self.shared.lock().end
    }

    /// Bytes that are queued and not written.
    pub(crate) fn unread(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// Ends when everything before `until` is written, or nothing can be any more.
    pub(crate) fn written(&self, until: Option<u64>) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let mut written = self.written.clone();
        async move {
            let Some(until) = until else { return Ok(()) };
            let reached = written.wait_for(|written| written.is_broken || written.until >= until).await;
            match reached.map(|reached| reached.is_broken) {
                Ok(false) => Ok(()),
                Ok(true) | Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
    }

    /// Gives the client a moment to read the rest.
    pub(crate) async fn close(&mut self) {
        let rest = self.written(Some(self.end()));
        let rest = async {
            let is_written = rest.await.is_ok();
            // A writer may have taken it without having written it: that of a file has a thread for that.
            if is_written {
                let _ = poll_fn(|context| Pin::new(&mut self.shared.lock().writer).poll_flush(context)).await;
            }
        };
        // A client that does not read misses the rest.
        let _ = tokio::time::timeout(LAST_WORDS, rest).await;
        self.stop.cancel();
    }
}

impl<W> Drop for Output<W> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl<W: AsyncWrite + Unpin> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, Queue<W>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes as much as the client takes now.
    fn advance(&self, queue: &mut Queue<W>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !queue.waiting.is_empty() {
            match Pin::new(&mut queue.writer).poll_write(context, &queue.waiting) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.give_up(queue, io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(count)) => {
                    queue.waiting.advance(count);
                    self.report(queue);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.give_up(queue, error))),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn report(&self, queue: &Queue<W>) {
        let waiting = u64::try_from(queue.waiting.len()).unwrap_or(u64::MAX);
        self.written.send_modify(|written| written.until = queue.end.saturating_sub(waiting));
    }

    fn give_up(&self, queue: &mut Queue<W>, error: io::Error) -> io::Error {
        queue.waiting = BytesMut::new();
        self.written.send_modify(|written| written.is_broken = true);
        error
    }
}

/// Writes what could not be written at once, until nothing can be written any more.
async fn drain<W: AsyncWrite + Unpin>(shared: Arc<Shared<W>>, gone: CancellationToken) {
    loop {
        let is_broken = poll_fn(|context| shared.advance(&mut shared.lock(), context)).await.is_err();
        if is_broken || shared.written.borrow().is_broken {
            return gone.cancel();
        }
        shared.has_more.notified().await;
    }
}
