//! The engines: one for each combination of settings that an instance depends on.
//!
//! Almost every call uses the same engine, whose instances come from a pool of slots that are made once and reset after use. A call
//! that asks for fuel, for another stack, or for more than a slot holds gets an engine that allocates on demand; it is built
//! the first time that it is asked for, and kept.
//!
//! What always holds: the features that are off here are the ones that `caplet-component` refuses by name. No engine that runs
//! guests can compile: code comes from [`code`](crate::code), so that an engine starts in microseconds. Code depends on
//! [`CodeSettings`] alone, so engines that differ only in how they allocate run the same code.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use caplet_policy::Limits;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::error::SandboxError;
use crate::ticker::Ticker;

/// What a host function may use of an asynchronous stack beyond the guest's own share. The engine asks for stacks larger than
/// the wasm limit; one MiB is its own default difference.
const HOST_STACK_BYTES: u64 = 1 << 20;

/// The largest memory that a slot of the pool can hold. Twice the default limit on all memories of a call, so that only calls that
/// were given more go another way. A slot reserves addresses, not memory.
pub(crate) const SLOT_MEMORY_BYTES: u64 = 512 << 20;

/// The most elements that a table in a slot can hold: the default limit on all tables of a call.
pub(crate) const SLOT_TABLE_ELEMENTS: u64 = 100_000;

/// How much of a memory is kept and reset by copying when its slot is used again; what lies beyond goes back to the system and is
/// faulted in anew. Measured: resetting a page by copying takes a fiftieth of the fault that it saves, so this covers tools that
/// start with a few hundred KiB. At most [`WARM_SLOTS`] times this much memory is held while no call runs.
const KEEP_RESIDENT_BYTES: usize = 512 << 10;

/// How many unused slots stay as their last guest's component left them, for the next call of the same.
const WARM_SLOTS: u32 = 100;

/// Core instances, memories and tables that a component made from an interpreted language needs at once, on average.
const PARTS_PER_CALL: u32 = 8;

/// The settings that compiled code depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CodeSettings {
    /// Count every instruction, so that a call can be given an exact amount of fuel.
    pub(crate) fuel: bool,
    /// Have the asynchronous part of the component model, which costs each call and which few components use.
    pub(crate) concurrency: bool,
    /// Compute the same bits on every processor. What the standard leaves open (the bits of a NaN, relaxed SIMD) is settled, at the cost
    /// of some instructions.
    pub(crate) same_bits: bool,
}

impl CodeSettings {
    /// What code for most calls is compiled with.
    pub(crate) const USUAL: Self = Self { fuel: false, concurrency: false, same_bits: false };

    /// The settings as a byte, for what stands outside of this process.
    pub(crate) fn to_byte(self) -> u8 {
        let Self { fuel, concurrency, same_bits } = self;
        u8::from(fuel) | u8::from(concurrency) << 1 | u8::from(same_bits) << 2
    }

    /// The settings that `byte` stands for.
    pub(crate) fn from_byte(byte: u8) -> Self {
        Self { fuel: byte & 1 != 0, concurrency: byte & 2 != 0, same_bits: byte & 4 != 0 }
    }
}

/// Where instances come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Allocation {
    /// From slots that are made once.
    Pooled,
    /// From the system, each time.
    OnDemand,
}

/// The settings of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flavor {
    pub(crate) code: CodeSettings,
    /// The guest's stack, in bytes.
    pub(crate) stack: u64,
    pub(crate) allocation: Allocation,
}

impl Flavor {
    /// The same, without slots.
    pub(crate) fn on_demand(self) -> Self {
        Self { allocation: Allocation::OnDemand, ..self }
    }
}

/// An engine and its ticker.
#[derive(Clone, Debug)]
pub(crate) struct EngineParts {
    pub(crate) engine: Engine,
    pub(crate) ticker: Arc<Ticker>,
}

/// Every engine built so far, by flavor.
#[derive(Debug)]
pub(crate) struct Engines {
    slots: u32,
    built: Mutex<HashMap<Flavor, EngineParts>>,
    /// Why there is no pool, if one was wanted.
    without_pool: OnceLock<String>,
}

impl Engines {
    /// Engines whose pool has `slots`; with none, everything is allocated on demand.
    pub(crate) fn new(slots: u32) -> Self {
        Self { slots, built: Mutex::default(), without_pool: OnceLock::new() }
    }

    /// The flavor for a call with these limits, of a component that is compiled with `code` where it does without fuel.
    pub(crate) fn flavor(&self, code: CodeSettings, limits: &Limits) -> Flavor {
        let usual = Limits::default();
        let fits = limits.fuel.is_none()
            && limits.stack == usual.stack
            && limits.memory <= SLOT_MEMORY_BYTES
            && limits.tables <= SLOT_TABLE_ELEMENTS;
        let pooled = fits && self.slots > 0 && self.without_pool.get().is_none();
        Flavor {
            code: CodeSettings { fuel: limits.fuel.is_some(), ..code },
            stack: limits.stack,
            allocation: if pooled { Allocation::Pooled } else { Allocation::OnDemand },
        }
    }

    /// The engine for `flavor`, built on first use. Where the machine refuses a pool, one that allocates on demand, from then on.
    pub(crate) fn get(&self, flavor: Flavor) -> Result<EngineParts, SandboxError> {
        let mut built = lock(&self.built);
        if let Some(parts) = built.get(&flavor) {
            return Ok(parts.clone());
        }
        let parts = match EngineParts::new(flavor, self.slots) {
            Ok(parts) => parts,
            Err(SandboxError::Engine(reason)) if flavor.allocation == Allocation::Pooled => {
                // The first reason is as good as any other.
                let _ = self.without_pool.set(reason);
                EngineParts::new(flavor.on_demand(), self.slots)?
            }
            Err(error) => return Err(error),
        };
        built.insert(flavor, parts.clone());
        Ok(parts)
    }

    /// How many slots the pool has, or why there is none.
    pub(crate) fn pool(&self) -> Result<u32, String> {
        match self.without_pool.get() {
            Some(reason) => Err(reason.clone()),
            None if self.slots == 0 => Err("it was not asked for".to_owned()),
            None => Ok(self.slots),
        }
    }
}

impl EngineParts {
    fn new(flavor: Flavor, slots: u32) -> Result<Self, SandboxError> {
        let failed = |error: wasmtime::Error| SandboxError::Engine(format!("{error:#}"));
        let mut config = common(flavor.code);
        config.enable_compiler(false);
        let stack = usize::try_from(flavor.stack).unwrap_or(usize::MAX / 4);
        let with_host = usize::try_from(flavor.stack.saturating_add(HOST_STACK_BYTES)).unwrap_or(usize::MAX / 2);
        config.max_wasm_stack(stack).async_stack_size(with_host);
        if flavor.allocation == Allocation::Pooled {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
        }
        let engine = Engine::new(&config).map_err(failed)?;
        let ticker = Ticker::start(engine.weak())?;
        Ok(Self { engine, ticker: Arc::new(ticker) })
    }
}

/// An engine that compiles for the engines above, and runs nothing.
pub(crate) fn compiler(code: CodeSettings) -> wasmtime::Result<Engine> {
    let mut config = common(code);
    config.enable_compiler(true).cranelift_opt_level(OptLevel::Speed).parallel_compilation(true);
    if code.same_bits {
        config.cranelift_nan_canonicalization(true);
    }
    Engine::new(&config)
}

/// What compiled code depends on, in the same words for those that compile it and those that run it.
fn common(code: CodeSettings) -> Config {
    let mut config = Config::new();
    config
        .memory_init_cow(true)
        .epoch_interruption(true)
        .consume_fuel(code.fuel)
        .relaxed_simd_deterministic(code.same_bits)
        .concurrency_support(code.concurrency)
        .wasm_component_model(true)
        .wasm_component_model_async(code.concurrency)
        .wasm_gc(true)
        .wasm_exceptions(true)
        .wasm_function_references(true)
        .wasm_memory64(false)
        // Traps are traced by the engine's own maps; tables for other unwinders only make code slower to load.
        .native_unwind_info(false)
        // Which build of a compiler names its functions how is the guest's business; a host path never appears in a trace.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let parts = slots.saturating_mul(PARTS_PER_CALL);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(parts)
        .total_memories(slots.saturating_mul(2))
        .total_tables(parts)
        .total_stacks(slots)
        .total_gc_heaps(slots)
        .max_memory_size(usize::try_from(SLOT_MEMORY_BYTES).unwrap_or(usize::MAX))
        .table_elements(usize::try_from(SLOT_TABLE_ELEMENTS).unwrap_or(usize::MAX))
        .max_tables_per_module(64)
        .max_memories_per_module(16)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .max_unused_warm_slots(WARM_SLOTS)
        .decommit_batch_size(1)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(64 << 10)
        // A page that the system swapped out would keep what the last guest left in it.
        .pagemap_scan(Enabled::No);
    pool
}

/// Locks, whether or not another thread panicked with the lock held: every value guarded in this crate stays valid between
/// statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
