//! Records for other programs: to a syslog, or to whoever takes them by HTTP.
//!
//! What always holds: no call waits for who takes them or fails with it, as records wait in a queue that is bounded in number and in
//! bytes, and those that find it full are dropped and counted; a record is sent on only when the log has it; what goes wrong is told once,
//! until it works again. The log is what counts: what is missing elsewhere is exported from there.

mod syslog;
mod target;
mod webhook;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use caplet_audit::{Record, Sink, SinkError};

pub use self::syslog::message as syslog_message;
use self::target::Target;

/// Records that wait.
const MOST_WAITING: usize = 4_096;

/// Bytes of all that wait: records are small, and a million of the largest ones would not fit into memory.
const MOST_BYTES: usize = 16 << 20;

/// Records that are sent at a time.
const BATCH: usize = 256;

/// How long a batch waits to become full.
const GATHER: Duration = Duration::from_millis(200);

/// How long to wait before each next try to send a batch. After the last it is dropped.
const TRIES: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];

/// How long the end waits for what is left.
const END: Duration = Duration::from_secs(2);

/// Records on their way to one place. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Forward(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Mutex<Option<SyncSender<String>>>,
    /// Closed when the thread has ended.
    ended: Mutex<Receiver<()>>,
    counts: Arc<Counts>,
}

/// What is in the queue, and what found no place in it or could not be sent.
#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicUsize,
    lost: AtomicU64,
}

/// Why records cannot be sent on.
#[derive(Debug, thiserror::Error)]
#[error("records cannot be sent to {place}: {why}")]
pub struct ForwardError {
    place: String,
    why: String,
}

impl Forward {
    /// Records that go to `place`: `syslog+unix://PATH`, `syslog+udp://HOST:PORT`, `syslog+tcp://HOST:PORT`, `http://…` or `https://…`. To the
    /// latter two, `token` goes along as a bearer's. What goes wrong with sending is told by `tell`.
    ///
    /// # Errors
    ///
    /// When `place` is none of these, or there can be no thread that sends. Whether anybody is there shows later.
    pub fn to(place: &str, token: Option<&str>, tell: fn(&str)) -> Result<Self, ForwardError> {
        let failed = |why: String| ForwardError { place: place.to_owned(), why };
        let target = Target::parse(place, token).map_err(failed)?;
        let (queue, waiting) = sync_channel(MOST_WAITING);
        let (ending, ended) = sync_channel(0);
        let counts = Arc::new(Counts::default());
        let sender = Sender { target, place: place.to_owned(), tell, is_failing: false, counts: Arc::clone(&counts) };
        let work = move || {
            sender.work(&waiting);
            drop(ending);
        };
        let thread = std::thread::Builder::new().name("audit-forward".to_owned());
        thread.spawn(work).map_err(|error| failed(error.to_string()))?;
        Ok(Self(Arc::new(Inner { queue: Mutex::new(Some(queue)), ended: Mutex::new(ended), counts })))
    }

    /// A sink that keeps records in `inner`, and sends on those that were kept.
    #[must_use]
    pub fn sink(&self, inner: Arc<dyn Sink>) -> Arc<dyn Sink> {
        Arc::new(Forwarding { forward: self.clone(), inner })
    }

    /// How many records found the queue full, or could not be sent.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.counts.lost.load(Ordering::Relaxed)
    }

    /// Sends what is left, and waits for that for at most two seconds. Records that come later are not sent. It blocks.
    pub fn end(&self) {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It is closed, and nothing is ever in it.
        let _ = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(END);
    }

    fn send(&self, record: &Record) {
        // A record that was kept can be written as a line.
        let Ok(line) = record.to_line() else { return };
        let counts = &self.0.counts;
        let length = line.len();
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return };
        if counts.bytes.load(Ordering::Relaxed).saturating_add(length) > MOST_BYTES {
            counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        counts.bytes.fetch_add(length, Ordering::Relaxed);
        match queue.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                counts.bytes.fetch_sub(length, Ordering::Relaxed);
                counts.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Sends on what goes by.
#[derive(Debug)]
struct Forwarding {
    forward: Forward,
    inner: Arc<dyn Sink>,
}

impl Sink for Forwarding {
    fn ready(&self) -> Result<(), SinkError> {
        self.inner.ready()
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        self.inner.append(record)?;
        self.forward.send(record);
        Ok(())
    }

    fn inner(&self) -> Option<&dyn Sink> {
        Some(&*self.inner)
    }
}

/// What the thread has.
struct Sender {
    target: Target,
    place: String,
    tell: fn(&str),
    is_failing: bool,
    counts: Arc<Counts>,
}

impl Sender {
    fn work(mut self, waiting: &Receiver<String>) {
        let mut is_open = true;
        while is_open {
            let Ok(first) = waiting.recv() else { return };
            let mut batch = vec![first];
            let until = Instant::now() + GATHER;
            while batch.len() < BATCH {
                match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(line) => batch.push(line),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        is_open = false;
                        break;
                    }
                }
            }
            self.counts.bytes.fetch_sub(batch.iter().map(String::len).sum(), Ordering::Relaxed);
            self.deliver(&batch);
        }
    }

    fn deliver(&mut self, batch: &[String]) {
        let mut pauses = TRIES.iter();
        loop {
            let Err(reason) = self.target.send(batch) else {
                self.is_failing = false;
                return;
            };
            if !std::mem::replace(&mut self.is_failing, true) {
                (self.tell)(&format!("records do not reach {}: {reason}", self.place));
            }
            let Some(pause) = pauses.next() else { break };
            std::thread::sleep(*pause);
        }
        self.counts.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
    }
}
