//! The engines: one for each combination of settings that wasm code depends on.
//!
//! Almost every call uses the same engine. A call that asks for fuel, or for another stack than the default, needs code or
//! stacks of its own; such an engine is built the first time that it is asked for, and kept. Engines share nothing, so code
//! compiled for one is never run by another.
//!
//! What always holds: the features that are off here are the ones that `caplet-component` refuses by name, a runaway guest is
//! interrupted within one [`TICK`], and no thread ticks while no guest runs.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Engine, EngineWeak, OptLevel};

use crate::error::SandboxError;
use crate::state::CallState;

/// How often a running guest looks at its deadline. Short enough that a deadline of a second is met within a percent, long
/// enough that waking the ticker costs nothing that can be measured.
const TICK: Duration = Duration::from_millis(5);

/// What a host function may use of an asynchronous stack beyond the guest's own share. The engine asks for stacks larger than
/// the wasm limit; one MiB is its own default difference.
const HOST_STACK_BYTES: u64 = 1 << 20;

/// The settings that compiled code depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flavor {
    /// Count every instruction, so that a call can be given an exact amount of fuel.
    pub(crate) fuel: bool,
    /// The guest's stack, in bytes.
    pub(crate) stack: u64,
}

/// An engine with its linker and its ticker.
#[derive(Clone)]
pub(crate) struct EngineParts {
    pub(crate) engine: Engine,
    pub(crate) linker: Arc<Linker<CallState>>,
    pub(crate) ticker: Arc<Ticker>,
}

/// Every engine built so far, by flavor.
#[derive(Default)]
pub(crate) struct Engines {
    built: Mutex<HashMap<Flavor, EngineParts>>,
}

impl Engines {
    /// The engine for `flavor`, built on first use.
    pub(crate) fn get(&self, flavor: Flavor) -> Result<EngineParts, SandboxError> {
        let mut built = lock(&self.built);
        if let Some(parts) = built.get(&flavor) {
            return Ok(parts.clone());
        }
        let parts = EngineParts::new(flavor)?;
        built.insert(flavor, parts.clone());
        Ok(parts)
    }
}

impl EngineParts {
    fn new(flavor: Flavor) -> Result<Self, SandboxError> {
        let engine = Engine::new(&config(flavor)).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let mut linker = Linker::new(&engine);
        crate::capability::link_all(&mut linker).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let ticker = Ticker::start(engine.weak())?;
        Ok(Self { engine, linker: Arc::new(linker), ticker: Arc::new(ticker) })
    }
}

fn config(flavor: Flavor) -> Config {
    let stack = usize::try_from(flavor.stack).unwrap_or(usize::MAX / 4);
    let stack_with_host = usize::try_from(flavor.stack.saturating_add(HOST_STACK_BYTES)).unwrap_or(usize::MAX / 2);
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .epoch_interruption(true)
        .consume_fuel(flavor.fuel)
        .max_wasm_stack(stack)
        .async_stack_size(stack_with_host)
        // Component-model async is not offered yet, and without it each call is cheaper.
        .concurrency_support(false)
        .wasm_component_model(true)
        .wasm_gc(true)
        .wasm_exceptions(true)
        .wasm_function_references(true)
        .wasm_memory64(false)
        // Which build of a compiler names its functions how is the guest's business; a host path never appears in a trace.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    config
}

/// Advances the epoch of one engine while at least one guest runs on it.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<TickerShared>,
}

#[derive(Debug, Default)]
struct TickerShared {
    state: Mutex<TickerState>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct TickerState {
    running_guests: usize,
    stopped: bool,
}

impl Ticker {
    fn start(engine: EngineWeak) -> Result<Self, SandboxError> {
        let shared = Arc::new(TickerShared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("caplet-ticker".to_owned()).spawn(move || tick(&theirs, &engine)).map_err(
            |error| SandboxError::Engine(format!("cannot start the thread that interrupts guests: {error}")),
        )?;
        Ok(Self { shared })
    }

    /// Keeps the epoch advancing until the guard is dropped.
    pub(crate) fn run(&self) -> Ticking {
        lock(&self.shared.state).running_guests += 1;
        self.shared.wake.notify_one();
        Ticking { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        lock(&self.shared.state).stopped = true;
        self.shared.wake.notify_one();
    }
}

/// While this lives, the epoch advances.
#[derive(Debug)]
pub(crate) struct Ticking {
    shared: Arc<TickerShared>,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        lock(&self.shared.state).running_guests -= 1;
    }
}

fn tick(shared: &TickerShared, engine: &EngineWeak) {
    loop {
        let idle = shared.wake.wait_while(lock(&shared.state), |state| state.running_guests == 0 && !state.stopped);
        if idle.unwrap_or_else(PoisonError::into_inner).stopped {
            return;
        }
        std::thread::sleep(TICK);
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
    }
}

/// Locks, whether or not another thread panicked with the lock held: every value guarded in this crate stays valid between
/// statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
