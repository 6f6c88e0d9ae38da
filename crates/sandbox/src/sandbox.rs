//! The sandbox: what all calls have in common, and the settings of it.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use caplet_component::Component;
use tokio::sync::Semaphore;

use crate::admission::{Admission, MemoryBudget};
use crate::cache::Cache;
use crate::capability::http::{NetworkConfig, SharedNetwork};
use crate::code::{Coder, Notice};
use crate::engine::{CodeSettings, Engines};
use crate::error::SandboxError;
use crate::lane::Lane;
use crate::prepared::Prepared;
use crate::worker::CompilerProgram;

/// How many calls run at one time, unless the settings say otherwise. A place in the pool takes some microseconds to make and
/// addresses, but no memory; a process may have 65,530 mappings, and a place takes four.
const CALLS: u32 = 1_000;

/// Memory that the machine should have for each place, at least: what a tool in an interpreted language holds.
const BYTES_PER_CALL: u64 = 8 << 20;

/// How many calls may wait for a place, unless the settings say otherwise.
const WAITING: usize = 10_000;

/// Settings of a [`Sandbox`].
///
/// The default is for a process that serves many calls: instances come from a pool, long calls move to threads of lower priority,
/// compiling happens in this process, and nothing is cached on disk.
#[derive(Clone, Default)]
#[must_use]
pub struct SandboxConfig {
    one_shot: bool,
    calls: Option<NonZero<u32>>,
    waiting: Option<usize>,
    memory: Option<u64>,
    cache: Option<Cache>,
    compiler: Option<CompilerProgram>,
    network: NetworkConfig,
    notice: Option<Notice>,
}

impl SandboxConfig {
    /// Settings for a process that makes one call: no pool and no threads, so that nothing is paid for in advance.
    pub fn one_shot() -> Self {
        Self { one_shot: true, ..Self::default() }
    }

    /// How many calls may run at one time. The default is 1,000, or fewer on a small machine.
    pub fn calls(mut self, calls: NonZero<u32>) -> Self {
        self.calls = Some(calls);
        self
    }

    /// How many calls may wait for one of the others to end. One more is turned away. The default is 10,000.
    pub fn waiting(mut self, waiting: usize) -> Self {
        self.waiting = Some(waiting);
        self
    }

    /// How many bytes all guests together may hold. The default is three quarters of the machine's memory.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Keeps compiled code in `cache`.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Compiles in a process of its own, which can be stopped. Without one, a compile that takes too long is given up, but goes
    /// on in the background until it ends.
    pub fn compiler(mut self, program: CompilerProgram) -> Self {
        self.compiler = Some(program);
        self
    }

    /// How the requests of tools reach the network.
    pub fn network(mut self, network: NetworkConfig) -> Self {
        self.network = network;
        self
    }

    /// Tells `notice` what a person should know, such as that a cache entry was not what it should be.
    pub fn notice(mut self, notice: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.notice = Some(Arc::new(notice));
        self
    }
}

impl fmt::Debug for SandboxConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { one_shot, calls, waiting, memory, cache, compiler, network, notice: _ } = self;
        f.debug_struct("SandboxConfig")
            .field("one_shot", one_shot)
            .field("calls", calls)
            .field("waiting", waiting)
            .field("memory", memory)
            .field("cache", cache)
            .field("compiler", compiler)
            .field("network", network)
            .finish_non_exhaustive()
    }
}

/// Prepares components and runs their calls. Cheap to clone; clones share engines.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

/// What all calls have in common.
pub(crate) struct Shared {
    pub(crate) engines: Engines,
    pub(crate) coder: Coder,
    pub(crate) admission: Admission,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) network: Arc<SharedNetwork>,
    /// Where long calls go on; nowhere else in a process that makes one call.
    pub(crate) lane: Option<Lane>,
}

/// What a sandbox uses of the machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Facilities {
    /// How many instances the pool has places for, or why there is no pool.
    pub pool: Result<u32, String>,
    /// How many bytes all guests together may hold.
    pub memory_bytes: u64,
    /// How many threads serve long calls.
    pub lane_threads: usize,
    /// Whether compiling happens in a process that can be stopped.
    pub compiler_process: bool,
}

impl Sandbox {
    /// A sandbox. Engines and threads start when a call first needs them.
    ///
    /// # Errors
    ///
    /// None in this version; later settings may be refused by the machine.
    pub fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let memory = rustix::system::sysinfo().totalram;
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let fitting = u32::try_from(memory / BYTES_PER_CALL).unwrap_or(CALLS).clamp(1, CALLS);
        let calls = config.calls.map_or(fitting, NonZero::get);
        let shared = Shared {
            engines: Engines::new(if config.one_shot { 0 } else { calls }),
            coder: Coder {
                cache: config.cache.clone(),
                program: config.compiler.clone(),
                notice: config.notice.clone(),
                at_once: Arc::new(Semaphore::new(cores)),
            },
            admission: Admission::new(calls, config.waiting.unwrap_or(WAITING)),
            memory: MemoryBudget::new(config.memory.unwrap_or(memory / 4 * 3)),
            network: Arc::new(SharedNetwork::new(config.network.clone())),
            lane: (!config.one_shot).then(|| Lane::new(cores)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Makes `component` callable. It is compiled when it is first called.
    #[must_use]
    pub fn prepare(&self, component: Arc<Component>) -> Prepared {
        Prepared::new(Arc::clone(&self.shared), component)
    }

    /// What this sandbox uses of the machine. Starts the engine that most calls use, to find out.
    #[must_use]
    pub fn facilities(&self) -> Facilities {
        let engines = &self.shared.engines;
        let usual = engines.get(engines.flavor(CodeSettings::USUAL, &caplet_policy::Limits::default()));
        Facilities {
            pool: usual.map_err(|error| error.to_string()).and_then(|_| engines.pool()),
            memory_bytes: self.shared.memory.total(),
            lane_threads: self.shared.lane.as_ref().map_or(0, Lane::threads),
            compiler_process: self.shared.coder.program.is_some(),
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}
