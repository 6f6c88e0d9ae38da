//! One call: check the arguments, make the state, instantiate, run under the limits, read the answer.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use base64::Engine as _;
use caplet_audit::{ErrorInfo, ErrorKind, Outcome, Usage};
use caplet_component::{Contract, Tool};
use caplet_policy::Limits;
use serde_json::Value;
use tokio::time::Instant;
use wasmtime::component::{Instance, Val};
use wasmtime::{Store, UpdateDeadline};

use crate::deadline::Deadline;
use crate::determinism;
use crate::end::{self, End, Stop};
use crate::error::LimitHit;
use crate::invocation::Invocation;
use crate::lane::{self, GaveWay};
use crate::prepared::{Entry, Loaded, Prepared};
use crate::recording::Tape;
use crate::sandbox::Shared;
use crate::state::{CallState, ProcessInput};
use crate::stdio::{Capture, Written, output_limit};
use crate::ticker::TICK;
use crate::value;

/// A call that computes for less gives way to its caller's other tasks only now and then; any other always does.
const SMALL_CALL_US: u64 = 100;

impl Prepared {
    /// Runs one call in a fresh instance. Whatever happens is the outcome.
    ///
    /// Must be called inside a tokio runtime with its timer enabled. Dropping the future stops the guest.
    pub async fn call(&self, mut invocation: Invocation) -> Outcome {
        invocation.settle();
        let gave_way = GaveWay::default();
        let Some(lane) = &self.sandbox.lane else { return self.whole(invocation, gave_way).await };
        let (tool, function) = (invocation.tool.clone(), self.function_name(invocation.function.as_deref()));
        let share = invocation.share();
        let (this, theirs) = (self.clone(), gave_way.clone());
        let whole = async move { this.whole(invocation, theirs).await };
        let outcome = lane.drive(&share, &gave_way, whole).await.unwrap_or_else(|| {
            let error = ErrorInfo::new(ErrorKind::Host, "there is no thread on which the call could go on");
            Outcome::host(tool, Some(function), error)
        });
        // A deterministic call does not say how long it took.
        let is_small =
            outcome.error.is_none() && outcome.deterministic.is_none() && outcome.usage.cpu_us < SMALL_CALL_US;
        // Who makes one call after another must not keep a thread of the runtime to itself.
        if is_small {
            tokio::task::coop::consume_budget().await
        } else {
            tokio::task::yield_now().await
        }
        outcome
    }

    async fn whole(&self, invocation: Invocation, gave_way: GaveWay) -> Outcome {
        let started = Instant::now();
        let mut usage = Usage::default();
        let function = self.function_name(invocation.function.as_deref());
        let ended = self.run(&invocation, &gave_way, &mut usage).await;
        usage.wall_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        if invocation.deterministic.is_some() {
            (usage.wall_us, usage.cpu_us) = (0, 0);
        }
        let decisions = invocation.journal.summary();
        let outcome = end::outcome(&invocation.tool, &function, ended, usage, decisions);
        Outcome { deterministic: invocation.deterministic, ..outcome }
    }

    /// The function that a call names or means, for the outcome.
    pub(crate) fn function_name(&self, named: Option<&str>) -> String {
        match (named, self.component().tools.as_slice()) {
            (Some(function), _) => function.to_owned(),
            (None, [only]) => only.function.clone(),
            (None, _) => String::new(),
        }
    }

    async fn run(&self, invocation: &Invocation, gave_way: &GaveWay, usage: &mut Usage) -> Result<End, Stop> {
        let tool = self.select(invocation)?;
        check_imports(self, invocation)?;
        let input = Input::parse(self.component().contract, tool, invocation)?;
        let limits = &invocation.limits;
        let mut flavor = self.flavor(limits, invocation.deterministic.is_some());
        // Compiling and waiting for a place have limits of their own; the call's time starts when the tool could start.
        // Boxed, as everything rare here is: what a call's future holds is moved around with it.
        let mut loaded = match self.ready(flavor) {
            Some(loaded) => loaded,
            None => Box::pin(self.loaded(flavor, limits.compile)).await?,
        };
        let depth = invocation.within.as_ref().map_or(0, |within| within.depth);
        let _place = match self.sandbox.admission.try_enter(depth)? {
            Some(place) => place,
            None => Box::pin(self.sandbox.admission.enter(depth, limits.timeout)).await?,
        };
        let deadline = Deadline::new(invocation.ends(), invocation.asking.clone());
        loop {
            let make = || Running::new(&self.sandbox, invocation, &loaded, &input, &deadline, gave_way);
            let mut running = std::panic::catch_unwind(AssertUnwindSafe(make)).map_err(|_| host_fault())?;
            match running.run(tool, usage).await {
                // The pool has run out of something that this component needs much of.
                Err(Stop::NoSlot) if flavor != flavor.on_demand() => {
                    flavor = flavor.on_demand();
                    loaded = Box::pin(self.loaded(flavor, limits.compile)).await?;
                }
                ended => return ended,
            }
        }
    }

    pub(crate) fn select(&self, invocation: &Invocation) -> Result<&Tool, Stop> {
        let tools = &self.component().tools;
        let names = || tools.iter().map(|tool| tool.function.as_str()).collect::<Vec<_>>().join(", ");
        match (&invocation.function, tools.as_slice()) {
            (Some(wanted), _) => tools.iter().find(|tool| tool.function == *wanted).ok_or_else(|| {
                Stop::refused(
                    ErrorKind::UnknownTool,
                    format!("{} has no function {wanted:?}", invocation.tool),
                    Some(format!("its functions are: {}", names())),
                )
            }),
            (None, [only]) => Ok(only),
            (None, []) => Err(Stop::refused(
                ErrorKind::UnknownTool,
                format!("{} provides no function that can be called", invocation.tool),
                Some(format!("see `caplet inspect {}` for what was left out, and why", invocation.tool)),
            )),
            (None, _) => Err(Stop::refused(
                ErrorKind::UnknownTool,
                format!("{} has several functions; say which", invocation.tool),
                Some(format!("its functions are: {}", names())),
            )),
        }
    }
}

/// With strict imports, a component must not import what the policy has no rule for.
pub(crate) fn check_imports(prepared: &Prepared, invocation: &Invocation) -> Result<(), Stop> {
    if !invocation.strict_imports {
        return Ok(());
    }
    let unmet: Vec<String> = prepared
        .component()
        .imports
        .iter()
        .filter(|import| !import.is_granted(&invocation.policy))
        .map(|import| import.name.clone())
        .collect();
    if unmet.is_empty() {
        return Ok(());
    }
    Err(Stop::Refused(ErrorInfo {
        kind: ErrorKind::Denied,
        message: format!("strict imports: no rule of the policy covers {}", unmet.join(", ")),
        hint: Some(
            "grant what the tool needs, or leave out --strict-imports to have its calls denied one by one".to_owned(),
        ),
    }))
}

/// Arguments in the form that the contract takes.
pub(crate) enum Input {
    Process(ProcessInput),
    Values(Vec<Val>),
}

impl Input {
    pub(crate) fn parse(contract: Contract, tool: &Tool, invocation: &Invocation) -> Result<Self, Stop> {
        match contract {
            Contract::Command => value::process_input(tool, &invocation.tool, &invocation.arguments).map(Self::Process),
            Contract::Exports => value::arguments(tool, &invocation.arguments).map(Self::Values),
        }
        .map_err(|error| {
            Stop::refused(
                ErrorKind::InvalidArgs,
                error.to_string(),
                Some(format!("`caplet inspect {}` shows the input schema", invocation.tool)),
            )
        })
    }
}

/// A call whose instance is about to run.
pub(crate) struct Running<'a> {
    pub(crate) invocation: &'a Invocation,
    pub(crate) loaded: &'a Loaded,
    pub(crate) store: Store<CallState>,
    pub(crate) capture: Capture,
    pub(crate) input: &'a Input,
    pub(crate) deadline: Deadline,
    /// Set by the guest when it gives way.
    pub(crate) gave_way: GaveWay,
    /// The instance, once there is one. A session brings its own.
    pub(crate) instance: Option<Instance>,
}

impl<'a> Running<'a> {
    pub(crate) fn new(
        shared: &Shared,
        invocation: &'a Invocation,
        loaded: &'a Loaded,
        input: &'a Input,
        deadline: &Deadline,
        gave_way: &GaveWay,
    ) -> Self {
        let capture = Capture::new(invocation.limits.output);
        let process = match input {
            Input::Process(process) => process.clone(),
            Input::Values(_) => ProcessInput::default(),
        };
        let command = matches!(loaded.entry, Entry::Command(_));
        let state = CallState::new(invocation, process, &capture, shared, command);
        let mut store = Store::new(&loaded.parts.engine, state);
        bound(&mut store, &invocation.limits, deadline.clone(), gave_way.clone());
        let deadline = deadline.clone();
        Self { invocation, loaded, store, capture, input, deadline, gave_way: gave_way.clone(), instance: None }
    }

    pub(crate) async fn run(&mut self, tool: &Tool, usage: &mut Usage) -> Result<End, Stop> {
        let ticking = self.loaded.parts.ticker.run();
        let (deadline, timeout) = (self.deadline.clone(), self.invocation.limits.timeout);
        let gave_way = self.gave_way.clone();
        let mut computing = Duration::ZERO;
        let answered = bounded(&mut computing, &deadline, &gave_way, self.enter(tool)).await;
        let answered = answered.unwrap_or_else(|| Err(Stop::Limit(overdue(self.store.data(), timeout))));
        drop(ticking);
        // What the guest began and did not wait for ends here, before it is counted.
        self.store.data().http_gate.close();
        self.store.data_mut().tools.close().await;
        if let Some(Tape::Recording(recorder)) = &self.invocation.tape {
            recorder.mask(self.store.data().http_gate.masker());
        }
        usage.cpu_us = u64::try_from(computing.as_micros()).unwrap_or(u64::MAX);
        let written = self.capture.take();
        self.measure(usage, &written);
        let ended = answered.and_then(|answer| self.conclude(answer, written));
        if !has_failed(&ended) {
            return ended;
        }
        // A guest that failed after it ran into a limit failed because of it.
        let state = self.store.data();
        match state.meter.refused() {
            Some(hit) => Err(Stop::Limit(hit.clone())),
            None if state.files.exceeded() => Err(Stop::Limit(file_quota_limit())),
            None => match state
                .http_gate
                .exceeded()
                .or_else(|| state.keyvalue.exceeded())
                .or_else(|| state.tools.exceeded())
            {
                Some(hit) => Err(Stop::Limit(hit)),
                None => ended,
            },
        }
    }

    async fn enter(&mut self, tool: &Tool) -> Result<Answer, Stop> {
        let called = match &self.loaded.entry {
            Entry::Command(pre) => match pre.instantiate_async(&mut self.store).await {
                Ok(command) => command.wasi_cli_run().call_run(&mut self.store).await.map(Answer::Ran),
                Err(error) => Err(error),
            },
            Entry::Exports { pre, functions } => {
                let Some(index) = functions.get(&tool.function) else {
                    return Err(Stop::host("the compiled component lacks a function that was read from it"));
                };
                let Input::Values(arguments) = self.input else {
                    return Err(Stop::host("a typed function was given a process's input"));
                };
                call_export(&mut self.store, &mut self.instance, pre, index, arguments, tool).await
            }
        };
        called.or_else(|error| Stop::classify(&error).map(Answer::Exited))
    }

    fn measure(&self, usage: &mut Usage, written: &Written) {
        let state = self.store.data();
        usage.memory_peak_bytes = state.meter.peak_bytes();
        usage.output_bytes = written.total();
        usage.calls = state.tools.calls();
        (usage.file_read_bytes, usage.file_written_bytes) = state.files.transferred();
        usage.ops =
            self.invocation.journal.ops().into_iter().map(|(class, count)| (class.to_string(), count)).collect();
        let traffic = state.http_gate.traffic();
        usage.http_requests = traffic.requests;
        (usage.http_sent_bytes, usage.http_received_bytes) = (traffic.sent, traffic.received);
        usage.fuel = self.invocation.limits.fuel.map(|given| given.saturating_sub(self.store.get_fuel().unwrap_or(0)));
    }

    fn conclude(&self, answer: Answer, written: Written) -> Result<End, Stop> {
        let stderr = || String::from_utf8_lossy(&written.stderr).trim_end().to_owned();
        match answer {
            Answer::Ran(Ok(())) => Ok(End::Output(text(written.stdout))),
            Answer::Ran(Err(())) => Ok(End::Exit { code: 1, stderr: stderr(), output: text(written.stdout) }),
            Answer::Exited(code) => Ok(End::Exit { code, stderr: stderr(), output: text(written.stdout) }),
            Answer::Value(answered) => {
                let room = self.invocation.limits.output.saturating_sub(written.total());
                answered.into_end(room).map_err(|too_large| match too_large {
                    value::OutputError::TooLarge => Stop::Limit(output_limit(self.invocation.limits.output)),
                    value::OutputError::Invalid(message) => Stop::Trap(message),
                })
            }
        }
    }
}

/// What came back from an instance.
enum Answer {
    /// `wasi:cli/run` returned.
    Ran(Result<(), ()>),
    /// The guest asked to exit.
    Exited(u32),
    /// A typed function returned.
    Value(value::Answered),
}

async fn call_export(
    store: &mut Store<CallState>,
    kept: &mut Option<Instance>,
    pre: &wasmtime::component::InstancePre<CallState>,
    index: &wasmtime::component::ComponentExportIndex,
    arguments: &[Val],
    tool: &Tool,
) -> wasmtime::Result<Answer> {
    let instance = match kept {
        Some(instance) => *instance,
        None => *kept.insert(pre.instantiate_async(&mut *store).await?),
    };
    let Some(function) = instance.get_func(&mut *store, index) else {
        wasmtime::bail!("the component does not export the function {}", tool.function);
    };
    let mut results = vec![Val::Bool(false); usize::from(tool.signature.result.is_some())];
    function.call_async(&mut *store, arguments, &mut results).await?;
    Ok(Answer::Value(value::Answered::new(tool, results.pop())))
}

/// Puts every limit that the engine itself enforces on `store`.
pub(crate) fn bound(store: &mut Store<CallState>, limits: &Limits, deadline: Deadline, gave_way: GaveWay) {
    store.data_mut().tools.until(deadline.clone());
    store.limiter(|state| &mut state.meter);
    store.set_max_component_handles(crate::state::capacity(limits));
    store.set_hostcall_fuel(usize::try_from(hostcall_bytes(limits)).unwrap_or(usize::MAX));
    // The first one may be over at once. A call that ends within the second need not move.
    store.set_epoch_deadline(2);
    let timeout = limits.timeout;
    store.epoch_deadline_callback(move |store| {
        let now = Instant::now();
        if now >= deadline.at() {
            return Err(overdue(store.data(), timeout).into());
        }
        // Epochs pass while a guest waits, too. What only just came back from that is not computing for long.
        if gave_way.turn_lasted(now.into_std()) < TICK / 2 {
            return Ok(UpdateDeadline::Continue(1));
        }
        // Giving way lets other calls be served, and lets the deadline's own timer fire.
        gave_way.set();
        Ok(UpdateDeadline::Yield(1))
    });
    if let Some(fuel) = limits.fuel {
        // The engine was chosen because fuel was asked for, so setting it cannot fail; if it did, no fuel is the safe amount.
        let _ = store.set_fuel(fuel);
    }
}

/// What a guest may hand to the host in one call of a host function, or as its result, in bytes of the host's own form: a string
/// takes its length, an element of a list 40 bytes. Room for four times the output limit, and never less than what the result of a
/// tool that gives bytes needs.
fn hostcall_bytes(limits: &Limits) -> u64 {
    const FLOOR: u64 = 1 << 20;
    limits.output.saturating_mul(8).saturating_add(FLOOR)
}

fn has_failed(ended: &Result<End, Stop>) -> bool {
    match ended {
        Ok(End::Output(_) | End::Exit { code: 0, .. }) => false,
        Ok(End::ToolError(_) | End::Exit { .. }) | Err(Stop::Trap(_)) => true,
        Err(Stop::Refused(_) | Stop::Limit(_) | Stop::Host(_) | Stop::NoSlot) => false,
    }
}

/// The call's time is over; that of a deterministic call is a backstop, which its fuel should have come before.
fn overdue(state: &CallState, timeout: Duration) -> LimitHit {
    if state.determinism.is_some() {
        return determinism::overdue(timeout);
    }
    LimitHit::new(ErrorKind::Timeout, format!("the tool ran longer than its limit of {timeout:?}"), "timeout")
}

fn file_quota_limit() -> LimitHit {
    LimitHit::new(ErrorKind::Quota, "the tool wrote more to files than its limit allows", "file-writes")
}

/// Standard output as JSON: text where it is text, else a data URL, so that no byte is lost.
fn text(bytes: Vec<u8>) -> Value {
    Value::String(String::from_utf8(bytes).unwrap_or_else(|error| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(error.as_bytes());
        format!("data:application/octet-stream;base64,{encoded}")
    }))
}

/// Polls `future` until `deadline`, adds up in `computing` the processor time that it takes, and turns a panic into the end of this call
/// alone. The store that may have been left in a bad state is dropped with the call. Nothing comes back after the deadline, which
/// stays away while the guest waits for a person.
async fn bounded<T>(
    computing: &mut Duration,
    deadline: &Deadline,
    gave_way: &GaveWay,
    future: impl Future<Output = Result<T, Stop>>,
) -> Option<Result<T, Stop>> {
    let mut future = pin!(future);
    let mut timer = None;
    let mut mark = None;
    std::future::poll_fn(|context| {
        deadline.go_on(mark.take());
        gave_way.begin_turn();
        let clock = Clock::start();
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        *computing += clock.elapsed();
        match polled {
            Err(_panicked) => Poll::Ready(Some(Err(host_fault()))),
            Ok(Poll::Ready(ended)) => Poll::Ready(Some(ended)),
            // A guest that computes looks at its deadline itself.
            Ok(Poll::Pending) if gave_way.is_set() => Poll::Pending,
            // A host call that waits is waited for until then.
            Ok(Poll::Pending) => {
                mark = deadline.mark();
                let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.at())));
                while timer.as_mut().poll(context).is_ready() {
                    let due = deadline.since(mark);
                    if due <= Instant::now() {
                        return Poll::Ready(None);
                    }
                    // While a question is open, it moves on with the time.
                    timer.as_mut().reset(due.max(Instant::now() + TICK));
                }
                Poll::Pending
            }
        }
    })
    .await
}

/// What a panic becomes. Its text is not the caller's business.
fn host_fault() -> Stop {
    Stop::host("the host hit a fault of its own while it served the tool")
}

/// Measures the processor time of one poll. Asking the system for it takes a tenth of a small call, so for calls that have not moved to
/// the lane, whose polls end within an epoch, the wall clock stands for it.
enum Clock {
    Wall(std::time::Instant),
    Processor(Duration),
}

impl Clock {
    fn start() -> Self {
        if lane::is_here() { Self::Processor(thread_time()) } else { Self::Wall(std::time::Instant::now()) }
    }

    fn elapsed(&self) -> Duration {
        match self {
            Self::Wall(started) => started.elapsed(),
            Self::Processor(started) => thread_time().saturating_sub(*started),
        }
    }
}

/// The processor time that this thread has used.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
