//! What a run keeps on the side of Rust: output, timers, operations under way, and why it has to stop.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::{Ctx, Function, Object, Persistent, Result, String as JsString, Value};

use crate::globals::Chunk;
use crate::host::Host;
use crate::kinds::Intrinsics;
use crate::native::fetch::Exchange;
use crate::output::Ends;

/// Bytes of an answer's parts; 256 KiB in all, as for the other tools.
pub(crate) const VALUE_LIMIT: usize = 128 * 1024;
const STDOUT_LIMIT: usize = 96 * 1024;
const STDERR_LIMIT: usize = 32 * 1024;
/// Notes in an answer.
const MAX_NOTES: usize = 20;

/// Why a run ends before its program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `process.exit` was called.
    Exit(i32),
    /// The time is over.
    Timeout,
}

/// The functions that settle a promise.
#[derive(Debug)]
pub(crate) struct Settle {
    pub(crate) resolve: Persistent<Function<'static>>,
    pub(crate) reject: Persistent<Function<'static>>,
}

impl Settle {
    pub(crate) fn resolve<'js>(self, ctx: &Ctx<'js>, value: Value<'js>) -> Result<()> {
        self.resolve.restore(ctx)?.call((value,))
    }

    pub(crate) fn reject<'js>(self, ctx: &Ctx<'js>, reason: Value<'js>) -> Result<()> {
        self.reject.restore(ctx)?.call((reason,))
    }
}

/// What is under way outside.
#[derive(Debug)]
pub(crate) enum Operation {
    Fetch(Box<Exchange>),
    Tool(Settle),
}

/// A call of a tool that the host had no place for. The arguments stay on the engine's heap, which has a limit.
#[derive(Debug)]
pub(crate) struct WaitingCall {
    pub(crate) name: String,
    pub(crate) arguments: Persistent<JsString<'static>>,
    pub(crate) settle: Settle,
}

/// A rejected promise that nothing handles yet.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) promise: Persistent<Value<'static>>,
    pub(crate) reason: Persistent<Value<'static>>,
}

/// The outside, which outlives an engine.
pub(crate) type SharedHost = Rc<RefCell<Box<dyn Host>>>;

/// The state of a session. Nothing of the engine that is kept here may outlive it: see [`State::clear`].
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) host: SharedHost,
    pub(crate) cwd: String,
    pub(crate) stdout: RefCell<Ends>,
    pub(crate) stderr: RefCell<Ends>,
    notes: RefCell<Vec<String>>,
    pub(crate) operations: RefCell<HashMap<u64, Operation>>,
    /// In the order in which they are to begin. There are none unless a call is under way.
    pub(crate) waiting_calls: RefCell<VecDeque<WaitingCall>>,
    next_operation: Cell<u64>,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) rejections: RefCell<Vec<Rejection>>,
    pub(crate) chunks: RefCell<HashMap<Chunk, Persistent<Object<'static>>>>,
    pub(crate) intrinsics: RefCell<Option<Intrinsics>>,
    pub(crate) deadline: Cell<Option<Instant>>,
    stop: Cell<Option<Stop>>,
}

/// What fires when: by time, then by number. The functions themselves are kept by `js/timers.js`, on the engine's heap.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Whether the run goes on because of it.
    due: BTreeMap<(Duration, u64), bool>,
    keeping: usize,
    last: u64,
    /// What the clock said last.
    pub(crate) now: Duration,
    pub(crate) fire: Option<Persistent<Function<'static>>>,
}

impl Timers {
    /// Adds one and gives its number.
    pub(crate) fn add(&mut self, due: Duration, keeps: bool) -> u64 {
        self.last += 1;
        self.due.insert((due, self.last), keeps);
        self.keeping += usize::from(keeps);
        self.last
    }

    pub(crate) fn remove(&mut self, due: Duration, number: u64) {
        if self.due.remove(&(due, number)) == Some(true) {
            self.keeping -= 1;
        }
    }

    pub(crate) fn first(&self) -> Option<(Duration, u64)> {
        self.due.first_key_value().map(|(key, _)| *key)
    }

    /// Whether a run has to go on for one of them.
    pub(crate) fn keep_running(&self) -> bool {
        self.keeping > 0
    }

    fn clear(&mut self) {
        self.due.clear();
        self.keeping = 0;
    }
}

impl State {
    pub(crate) fn new(host: SharedHost, cwd: String) -> Self {
        Self {
            host,
            cwd,
            stdout: RefCell::new(Ends::new(STDOUT_LIMIT)),
            stderr: RefCell::new(Ends::new(STDERR_LIMIT)),
            notes: RefCell::default(),
            operations: RefCell::default(),
            waiting_calls: RefCell::default(),
            next_operation: Cell::new(1),
            timers: RefCell::default(),
            rejections: RefCell::default(),
            chunks: RefCell::default(),
            intrinsics: RefCell::default(),
            deadline: Cell::new(None),
            stop: Cell::new(None),
        }
    }

    /// Adds a note, once.
    pub(crate) fn note(&self, text: impl Into<String>) {
        let (text, mut notes) = (text.into(), self.notes.borrow_mut());
        if notes.len() < MAX_NOTES && !notes.contains(&text) {
            notes.push(text);
        }
    }

    pub(crate) fn take_notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// What was printed, and empty outputs from now on.
    pub(crate) fn take_output(&self) -> (String, String) {
        let stdout = self.stdout.replace(Ends::new(STDOUT_LIMIT));
        let stderr = self.stderr.replace(Ends::new(STDERR_LIMIT));
        (stdout.finish("stdout"), stderr.finish("stderr"))
    }

    /// Makes the run end: the program itself soon does, and no timer or answer is waited for.
    pub(crate) fn stop(&self, why: Stop) {
        if self.stop.get().is_none() {
            self.stop.set(Some(why));
        }
    }

    pub(crate) fn stopped(&self) -> Option<Stop> {
        if self.stop.get().is_none() && self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline) {
            self.stop.set(Some(Stop::Timeout));
        }
        self.stop.get()
    }

    /// A number for an operation.
    pub(crate) fn operation(&self) -> u64 {
        let number = self.next_operation.get();
        self.next_operation.set(number + 1);
        number
    }

    /// Whether a call of a tool is under way.
    pub(crate) fn calls_tools(&self) -> bool {
        self.operations.borrow().values().any(|operation| matches!(operation, Operation::Tool(_)))
    }

    /// Ends what is under way, so that a later run of the session starts with nothing pending.
    pub(crate) fn settle_down(&self) {
        self.waiting_calls.take();
        for (number, _) in self.operations.take() {
            self.host.borrow_mut().cancel(number);
        }
        self.timers.borrow_mut().clear();
        self.rejections.take();
        self.deadline.set(None);
        self.stop.set(None);
    }

    /// Lets go of everything that belongs to the engine.
    pub(crate) fn clear(&self) {
        self.settle_down();
        self.timers.take();
        self.chunks.take();
        self.intrinsics.take();
    }
}
