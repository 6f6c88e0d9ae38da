//! A row of calls that share one instance, for callers that ask for it.
//!
//! What always holds: calls of a session run one after another, each under all limits of its own; what the instance holds counts
//! against the limits of the session as a whole; and an instance that trapped, exited, hit a limit or was left in the middle of
//! a call is never entered again. A session holds a place like a call does, and gives it back when it ends, also while nobody calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use caplet_audit::{ErrorKind, Outcome, OutcomeKind, Usage};
use caplet_component::Contract;
use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit};
use tokio::time::Instant;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::call::{Input, Running, bound, check_imports};
use crate::capability::tools::ToolSource;
use crate::deadline::Deadline;
use crate::end::{self, End, Stop};
use crate::invocation::Invocation;
use crate::lane::GaveWay;
use crate::prepared::{Loaded, Prepared};
use crate::state::CallState;
use crate::stdio::Capture;

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SessionLimits {
    /// From its first call on, whatever it does.
    pub lifetime: Duration,
    /// Without a call.
    pub idle: Duration,
}

impl Default for SessionLimits {
    /// An hour, and a quarter of an hour: longer than a conversation pauses, shorter than anybody forgets.
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(60 * 60), idle: Duration::from_secs(15 * 60) }
    }
}

/// A row of calls that share one instance. Ends when it is dropped.
pub struct Session {
    prepared: Prepared,
    limits: SessionLimits,
    /// The invocation that each call starts from.
    state: Arc<Mutex<State>>,
}

enum State {
    Unborn(Box<Invocation>),
    Live(Box<Live>),
    Ended(&'static str),
}

/// An instance between calls.
struct Live {
    invocation: Invocation,
    loaded: Arc<Loaded>,
    store: Store<CallState>,
    instance: Instance,
    capture: Capture,
    place: OwnedSemaphorePermit,
    ends: Instant,
    idle_until: Instant,
}

impl Prepared {
    /// A session whose calls are like `invocation`, but for function and arguments. Its decisions go to the invocation's journal,
    /// which each call empties into its outcome. The instance is made by the first call.
    #[must_use]
    pub fn session(&self, invocation: Invocation, limits: SessionLimits) -> Session {
        let state = Arc::new(Mutex::new(State::Unborn(Box::new(invocation))));
        Session { prepared: self.clone(), limits, state }
    }
}

impl Session {
    /// Calls `function` with `arguments` in the session's instance, which finds `tools` to call. Waits for the call before it, if one runs.
    ///
    /// Must be called inside a tokio runtime with its timer enabled. Dropping the future ends the session, once the call has begun.
    pub async fn call(&self, function: Option<&str>, arguments: Value, tools: Option<Arc<dyn ToolSource>>) -> Outcome {
        let state = Arc::clone(&self.state).lock_owned().await;
        let gave_way = GaveWay::default();
        let call = Call {
            prepared: self.prepared.clone(),
            limits: self.limits,
            function: function.map(str::to_owned),
            arguments,
            tools,
            gave_way: gave_way.clone(),
            reaped: Arc::downgrade(&self.state),
        };
        let share = format!("session {:p}", Arc::as_ptr(&self.state));
        match &self.prepared.sandbox.lane {
            None => call.run(state).await,
            Some(lane) => lane.drive(&share, &gave_way, call.run(state)).await.unwrap_or_else(|| {
                let stop = Stop::host("there is no thread on which the call could go on");
                end::outcome(
                    "",
                    &self.prepared.function_name(function),
                    Err(stop),
                    Usage::default(),
                    Default::default(),
                )
            }),
        }
    }

    /// Whether another call can be made.
    #[must_use]
    pub fn is_open(&self) -> bool {
        // While a call runs it is not known yet.
        self.state.try_lock().map_or(true, |state| !matches!(*state, State::Ended(_)))
    }
}

/// One call of a session.
struct Call {
    prepared: Prepared,
    limits: SessionLimits,
    function: Option<String>,
    arguments: Value,
    tools: Option<Arc<dyn ToolSource>>,
    gave_way: GaveWay,
    reaped: std::sync::Weak<Mutex<State>>,
}

impl Call {
    async fn run(self, mut state: OwnedMutexGuard<State>) -> Outcome {
        let started = Instant::now();
        // Whatever interrupts this call, the state stays ended.
        let taken = std::mem::replace(&mut *state, State::Ended("its last call was interrupted"));
        let mut usage = Usage::default();
        let (tool, ended, journal) = match taken {
            State::Ended(why) => {
                *state = State::Ended(why);
                let message = format!("the session has ended: {why}");
                let stop = Stop::refused(ErrorKind::Cancelled, message, Some("open another session".to_owned()));
                (String::new(), Err(stop), None)
            }
            State::Unborn(invocation) => {
                let (tool, journal) = (invocation.tool.clone(), Arc::clone(&invocation.journal));
                let ended = self.first(*invocation, &mut state, &mut usage).await;
                (tool, ended, Some(journal))
            }
            State::Live(live) => {
                let (tool, journal) = (live.invocation.tool.clone(), Arc::clone(&live.invocation.journal));
                let ended = self.next(*live, &mut state, &mut usage).await;
                (tool, ended, Some(journal))
            }
        };
        usage.wall_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let decisions = journal.map(|journal| journal.take()).unwrap_or_default();
        let outcome =
            end::outcome(&tool, &self.prepared.function_name(self.function.as_deref()), ended, usage, decisions);
        if !matches!(outcome.outcome, OutcomeKind::Ok | OutcomeKind::Error | OutcomeKind::Denied | OutcomeKind::Refused)
        {
            *state = State::Ended("a call of it did not end well");
        }
        outcome
    }

    /// The first call, which makes the instance.
    async fn first(&self, mut invocation: Invocation, state: &mut State, usage: &mut Usage) -> Result<End, Stop> {
        let (function, arguments) = (self.function.clone(), self.arguments.clone());
        let input = match self.input(&mut invocation, function, arguments) {
            Ok(input) => input,
            Err(stop) => {
                *state = State::Unborn(Box::new(invocation));
                return Err(stop);
            }
        };
        let tool = self.prepared.select(&invocation)?;
        let limits = &invocation.limits;
        let mut flavor = self.prepared.flavor(limits, false);
        let mut loaded = self.prepared.loaded(flavor, limits.compile).await?;
        let place = self.prepared.sandbox.admission.enter(0, limits.timeout).await?;
        let ends = Instant::now() + self.limits.lifetime;
        let deadline = Deadline::new(ends.min(Instant::now() + limits.timeout), invocation.asking.clone());
        let (ended, store, capture, instance) = loop {
            let shared = &self.prepared.sandbox;
            let mut running = Running::new(shared, &invocation, &loaded, &input, &deadline, &self.gave_way);
            let ended = running.run(tool, usage).await;
            let Running { store, capture, instance, .. } = running;
            if !matches!(ended, Err(Stop::NoSlot)) || flavor == flavor.on_demand() {
                break (ended, store, capture, instance);
            }
            // The pool has run out of something that this component needs much of.
            flavor = flavor.on_demand();
            loaded = self.prepared.loaded(flavor, limits.compile).await?;
        };
        if let (true, Some(instance)) = (is_sound(&ended), instance) {
            *state = self.waiting(Live { invocation, loaded, store, instance, capture, place, ends, idle_until: ends });
            tokio::spawn(reap(self.reaped.clone(), self.limits.idle));
        }
        ended
    }

    /// The state between calls.
    fn waiting(&self, mut live: Live) -> State {
        // What belongs to the call that is over.
        live.invocation.tools = None;
        live.store.data_mut().tools.forget();
        State::Live(Box::new(Live { idle_until: Instant::now() + self.limits.idle, ..live }))
    }

    async fn next(&self, mut live: Live, state: &mut State, usage: &mut Usage) -> Result<End, Stop> {
        if Instant::now() >= live.ends {
            *state = State::Ended("its lifetime is over");
            return Err(Stop::refused(ErrorKind::Cancelled, "the session has ended: its lifetime is over", None));
        }
        let (function, arguments) = (self.function.clone(), self.arguments.clone());
        let input = match self.input(&mut live.invocation, function, arguments) {
            Ok(input) => input,
            Err(stop) => {
                *state = State::Live(Box::new(live));
                return Err(stop);
            }
        };
        let Live { invocation, loaded, mut store, instance, capture, place, ends, .. } = live;
        let tool = self.prepared.select(&invocation)?;
        let deadline = ends.min(Instant::now() + invocation.limits.timeout);
        let deadline = Deadline::new(deadline, invocation.asking.clone());
        if let Some(asking) = &invocation.asking {
            asking.renew();
        }
        capture.renew(invocation.limits.output);
        store.data_mut().renew(&invocation);
        bound(&mut store, &invocation.limits, deadline.clone(), self.gave_way.clone());
        let instance = Some(instance);
        let gave_way = self.gave_way.clone();
        let mut running = Running {
            invocation: &invocation,
            loaded: &loaded,
            store,
            capture,
            input: &input,
            deadline,
            gave_way,
            instance,
        };
        let ended = running.run(tool, usage).await;
        let Running { store, capture, instance, .. } = running;
        if let (true, Some(instance)) = (is_sound(&ended), instance) {
            *state = self.waiting(Live { invocation, loaded, store, instance, capture, place, ends, idle_until: ends });
        }
        ended
    }

    fn input(&self, invocation: &mut Invocation, function: Option<String>, arguments: Value) -> Result<Input, Stop> {
        (invocation.function, invocation.arguments) = (function, arguments);
        invocation.tools.clone_from(&self.tools);
        if invocation.deterministic.is_some() {
            let message = "a deterministic call runs in an instance of its own, and a session keeps one";
            let hint = "make each call by itself, or leave determinism out";
            return Err(Stop::refused(ErrorKind::InvalidConfig, message, Some(hint.to_owned())));
        }
        if self.prepared.component().contract == Contract::Command {
            let message = "a command runs once and ends, so it has no sessions";
            return Err(Stop::refused(ErrorKind::InvalidArgs, message, None));
        }
        let tool = self.prepared.select(invocation)?;
        check_imports(&self.prepared, invocation)?;
        Input::parse(Contract::Exports, tool, invocation)
    }
}

/// Whether an instance may be entered again after a call that ended so.
fn is_sound(ended: &Result<End, Stop>) -> bool {
    matches!(ended, Ok(End::Output(_) | End::ToolError(_)))
}

/// Ends a session that nobody calls, so that it gives back what it holds.
async fn reap(session: std::sync::Weak<Mutex<State>>, idle: Duration) {
    let mut until = Instant::now() + idle;
    loop {
        tokio::time::sleep_until(until).await;
        let Some(state) = session.upgrade() else { return };
        let mut state = state.lock().await;
        match &*state {
            State::Live(live) if live.idle_until.min(live.ends) > Instant::now() => {
                until = live.idle_until.min(live.ends)
            }
            State::Live(_) => *state = State::Ended("nobody called it for too long"),
            State::Unborn(_) | State::Ended(_) => return,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("prepared", &self.prepared)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
