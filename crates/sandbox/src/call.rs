//! One call: check the arguments, make the state, instantiate, run under the limits, read the answer.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use base64::Engine as _;
use caplet_audit::{ErrorKind, Outcome, Usage};
use caplet_component::{Contract, Tool};
use serde_json::Value;
use tokio::time::Instant;
use wasmtime::component::Val;
use wasmtime::{Store, UpdateDeadline};

use crate::end::{self, End, Stop};
use crate::engine::Flavor;
use crate::error::LimitHit;
use crate::invocation::Invocation;
use crate::prepared::{Compiled, Entry, Prepared};
use crate::state::{CallState, ProcessInput};
use crate::stdio::{Capture, Written, output_limit};
use crate::value;

impl Prepared {
    /// Runs one call in a fresh instance. Whatever happens is the outcome.
    ///
    /// Must be called inside a tokio runtime with its timer enabled. Dropping the future stops the guest.
    pub async fn call(&self, invocation: Invocation) -> Outcome {
        let started = Instant::now();
        let mut usage = Usage::default();
        let function = self.function_name(&invocation);
        let ended = self.run(&invocation, &mut usage).await;
        usage.wall_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        end::outcome(&invocation.tool, &function, ended, usage, invocation.journal.summary())
    }

    /// The function that a call names or means, for the outcome.
    fn function_name(&self, invocation: &Invocation) -> String {
        match (&invocation.function, self.component().tools.as_slice()) {
            (Some(function), _) => function.clone(),
            (None, [only]) => only.function.clone(),
            (None, _) => String::new(),
        }
    }

    async fn run(&self, invocation: &Invocation, usage: &mut Usage) -> Result<End, Stop> {
        let tool = self.select(invocation)?;
        check_imports(self, invocation)?;
        let input = Input::parse(self.component().contract, tool, invocation)?;
        let flavor = Flavor { fuel: invocation.limits.fuel.is_some(), stack: invocation.limits.stack };
        let compiled = self.compiled(flavor, invocation.limits.compile).await?;
        // Compiling has a limit of its own; the call's time starts when the tool could start.
        let deadline = Instant::now() + invocation.limits.timeout;
        let running = unpanicked(async { Ok(Running::new(invocation, &compiled, input, deadline)) }).await?;
        running.run(tool, usage).await
    }

    fn select(&self, invocation: &Invocation) -> Result<&Tool, Stop> {
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
fn check_imports(prepared: &Prepared, invocation: &Invocation) -> Result<(), Stop> {
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
    Err(Stop::Refused(caplet_audit::ErrorInfo {
        kind: ErrorKind::Denied,
        message: format!("strict imports: no rule of the policy covers {}", unmet.join(", ")),
        hint: Some(
            "grant what the tool needs, or leave out --strict-imports to have its calls denied one by one".to_owned(),
        ),
    }))
}

/// Arguments in the form that the contract takes.
enum Input {
    Process(ProcessInput),
    Values(Vec<Val>),
}

impl Input {
    fn parse(contract: Contract, tool: &Tool, invocation: &Invocation) -> Result<Self, Stop> {
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
struct Running<'a> {
    invocation: &'a Invocation,
    compiled: &'a Compiled,
    store: Store<CallState>,
    capture: Capture,
    input: Input,
    deadline: Instant,
}

impl<'a> Running<'a> {
    fn new(invocation: &'a Invocation, compiled: &'a Compiled, input: Input, deadline: Instant) -> Self {
        let capture = Capture::new(invocation.limits.output);
        let (process, input) = match input {
            Input::Process(process) => (process, Input::Values(Vec::new())),
            Input::Values(values) => (ProcessInput::default(), Input::Values(values)),
        };
        let command = matches!(compiled.entry, Entry::Command(_));
        let state = CallState::new(invocation, process, &capture, command);
        let mut store = Store::new(&compiled.parts.engine, state);
        bound(&mut store, invocation, deadline);
        Self { invocation, compiled, store, capture, input, deadline }
    }

    async fn run(mut self, tool: &Tool, usage: &mut Usage) -> Result<End, Stop> {
        let ticking = self.compiled.parts.ticker.run();
        let deadline = self.deadline;
        let answered = match tokio::time::timeout_at(deadline, unpanicked(self.enter(tool))).await {
            Ok(answered) => answered,
            Err(_elapsed) => Err(Stop::Limit(timeout_limit(self.invocation.limits.timeout))),
        };
        drop(ticking);
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
            None => ended,
        }
    }

    async fn enter(&mut self, tool: &Tool) -> Result<Answer, Stop> {
        let called = match &self.compiled.entry {
            Entry::Command(pre) => match pre.instantiate_async(&mut self.store).await {
                Ok(command) => command.wasi_cli_run().call_run(&mut self.store).await.map(Answer::Ran),
                Err(error) => Err(error),
            },
            Entry::Exports { pre, functions } => {
                let Some(index) = functions.get(&tool.function) else {
                    return Err(Stop::host("the compiled component lacks a function that was read from it"));
                };
                let Input::Values(arguments) = &self.input else {
                    return Err(Stop::host("a typed function was given a process's input"));
                };
                call_export(&mut self.store, pre, index, arguments, tool).await
            }
        };
        called.or_else(|error| Stop::classify(&error).map(Answer::Exited))
    }

    fn measure(&self, usage: &mut Usage, written: &Written) {
        let state = self.store.data();
        usage.memory_peak_bytes = state.meter.peak_bytes();
        usage.output_bytes = written.total();
        usage.http_requests = state.http_gate.requests();
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
    pre: &wasmtime::component::InstancePre<CallState>,
    index: &wasmtime::component::ComponentExportIndex,
    arguments: &[Val],
    tool: &Tool,
) -> wasmtime::Result<Answer> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let Some(function) = instance.get_func(&mut *store, index) else {
        wasmtime::bail!("the component does not export the function {}", tool.function);
    };
    let mut results = vec![Val::Bool(false); usize::from(tool.signature.result.is_some())];
    function.call_async(&mut *store, arguments, &mut results).await?;
    Ok(Answer::Value(value::Answered::new(tool, results.pop())))
}

/// Puts every limit that the engine itself enforces on `store`.
fn bound(store: &mut Store<CallState>, invocation: &Invocation, deadline: Instant) {
    let limits = &invocation.limits;
    store.limiter(|state| &mut state.meter);
    store.set_max_component_handles(crate::state::capacity(limits));
    store.set_hostcall_fuel(usize::try_from(hostcall_bytes(limits)).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    let timeout = limits.timeout;
    store.epoch_deadline_callback(move |_| {
        if Instant::now() >= deadline {
            return Err(timeout_limit(timeout).into());
        }
        // Yielding lets the runtime serve other calls, and lets the deadline's own timer fire.
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
fn hostcall_bytes(limits: &caplet_policy::Limits) -> u64 {
    const FLOOR: u64 = 1 << 20;
    limits.output.saturating_mul(8).saturating_add(FLOOR)
}

fn has_failed(ended: &Result<End, Stop>) -> bool {
    match ended {
        Ok(End::Output(_) | End::Exit { code: 0, .. }) => false,
        Ok(End::ToolError(_) | End::Exit { .. }) | Err(Stop::Trap(_)) => true,
        Err(Stop::Refused(_) | Stop::Limit(_) | Stop::Host(_)) => false,
    }
}

fn timeout_limit(timeout: Duration) -> LimitHit {
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

/// Polls `future`, and turns a panic into the end of this call alone. The store that may have been left in a bad state is
/// dropped with the call.
async fn unpanicked<T>(future: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))).unwrap_or_else(|_| {
            Poll::Ready(Err(Stop::host("the host hit a fault of its own while it served the tool")))
        })
    })
    .await
}
