//! Advances the epoch of one engine, so that its guests look at their deadlines.
//!
//! What always holds: while a guest runs, the epoch advances every [`TICK`]; a while after the last one ended, no thread wakes any
//! more. Starting and ending a call costs an atomic addition each, and a wake-up only after a rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::EngineWeak;

use crate::error::SandboxError;

/// How often a running guest looks at its deadline. Short enough that a guest that computes for long gives way before others
/// notice, long enough that waking costs nothing that can be measured.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// How many ticks without a guest it takes until the thread rests. Calls that come in a row never find it resting.
const IDLE_TICKS: u32 = 50;

/// The thread that advances one engine's epoch. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    running_guests: AtomicUsize,
    resting: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: EngineWeak) -> Result<Self, SandboxError> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let ticking = thread::Builder::new().name("caplet-ticker".to_owned()).spawn(move || tick(&theirs, &engine));
        let ticking = ticking.map_err(|error| {
            SandboxError::Engine(format!("cannot start the thread that interrupts guests: {error}"))
        })?;
        Ok(Self { shared, thread: ticking.thread().clone() })
    }

    /// Keeps the epoch advancing until the guard is dropped.
    pub(crate) fn run(&self) -> Ticking {
        // In one order with the thread's own look before it rests: either it sees this guest, or it is seen resting here.
        self.shared.running_guests.fetch_add(1, Ordering::SeqCst);
        if self.shared.resting.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// While this lives, the epoch advances.
#[derive(Debug)]
pub(crate) struct Ticking {
    shared: Arc<Shared>,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.shared.running_guests.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(shared: &Shared, engine: &EngineWeak) {
    let mut idle = 0;
    while !shared.stopped.load(Ordering::SeqCst) {
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
        drop(engine);
        idle = if shared.running_guests.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle < IDLE_TICKS {
            thread::sleep(TICK);
        } else {
            rest(shared);
            idle = 0;
        }
    }
}

fn rest(shared: &Shared) {
    shared.resting.store(true, Ordering::SeqCst);
    while shared.running_guests.load(Ordering::SeqCst) == 0 && !shared.stopped.load(Ordering::SeqCst) {
        thread::park();
    }
    shared.resting.store(false, Ordering::SeqCst);
}
