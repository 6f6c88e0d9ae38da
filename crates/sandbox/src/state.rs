//! What one call owns on the host side. Made fresh for each call and dropped with it, so nothing outlives the call.

use std::sync::Arc;

use caplet_policy::{Asker, ConfigSection, FilesystemSection, Guard, Journal, Limits};
use caplet_vfs::Namespace;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_io::IoView;

use crate::asking::Asking;
use crate::capability::filesystem::namespace;
use crate::capability::{clocks, http::HttpGate, keyvalue::KeyValueGate, random, tools::ToolsGate};
use crate::counts::Counts;
use crate::determinism::Determinism;
use crate::invocation::Invocation;
use crate::limits::MemoryMeter;
use crate::recording::Tape;
use crate::sandbox::Shared;
use crate::stdio::{Capture, Stream};

/// Resources that the host makes for a guest on its own account: standard streams, the preopened directories and the like.
/// They come on top of the handles that the limit counts.
const HOST_HANDLES: usize = 64;

/// The host side of one call.
pub(crate) struct CallState {
    pub(crate) table: ResourceTable,
    pub(crate) meter: MemoryMeter,
    pub(crate) files: Namespace,
    pub(crate) guards: Guards,
    pub(crate) config: Vec<(String, String)>,
    pub(crate) keyvalue: Arc<KeyValueGate>,
    pub(crate) http_gate: HttpGate,
    pub(crate) tools: ToolsGate,
    pub(crate) http: WasiHttpCtx,
    pub(crate) journal: Arc<Journal>,
    pub(crate) asking: Option<Arc<Asking>>,
    /// What a deterministic call has in the place of the host's time and chance.
    pub(crate) determinism: Option<Determinism>,
    pub(crate) tape: Option<Tape>,
    wasi: WasiCtx,
}

/// The guards of capabilities that have no state of their own.
#[derive(Debug)]
pub(crate) struct Guards {
    pub(crate) config: Guard<ConfigSection>,
}

/// What a command is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessInput {
    pub(crate) argv: Vec<String>,
    pub(crate) stdin: Vec<u8>,
}

impl CallState {
    /// The state for `invocation`: every capability's guard hangs on its policy and writes to its journal.
    pub(crate) fn new(
        invocation: &Invocation,
        process: ProcessInput,
        capture: &Capture,
        shared: &Shared,
        command: bool,
    ) -> Self {
        let policy = &invocation.policy;
        let journal = &invocation.journal;
        let limits = &invocation.limits;
        if let Some(asking) = &invocation.asking {
            journal.set_asker(Arc::clone(asking) as Arc<dyn Asker>);
        }
        let within = invocation.within.as_ref();
        let counts = Counts::new(limits, within.map(|within| Arc::clone(&within.counts)));
        let memory = within.map_or(&shared.memory, |within| &within.memory).below(limits.memory);
        let mut table = ResourceTable::new();
        table.set_max_capacity(capacity(limits));
        let determinism = Determinism::of(invocation);
        let wasi = wasi(invocation, process, capture, determinism.as_ref());
        let time = determinism.as_ref().map(Determinism::time);
        Self {
            table,
            meter: MemoryMeter::new(limits.memory, limits.tables, memory.share()),
            files: namespace(invocation, policy.guard::<FilesystemSection>(journal), command, time),
            guards: Guards { config: policy.guard(journal) },
            config: invocation.tape.as_ref().and_then(Tape::config).unwrap_or_else(|| policy.config()),
            keyvalue: Arc::new(KeyValueGate::new(invocation, shared.coder.notice.clone(), &counts)),
            http_gate: HttpGate::new(invocation, &shared.network, &counts),
            tools: ToolsGate::new(invocation, &counts, &memory),
            http: WasiHttpCtx::new(),
            journal: Arc::clone(journal),
            asking: invocation.asking.clone(),
            determinism,
            tape: invocation.tape.clone(),
            wasi,
        }
    }

    /// Gives the next call of a session its own counts. What the instance holds stays counted, and what secrets it used stays masked.
    pub(crate) fn renew(&mut self, invocation: &Invocation) {
        // Who makes calls in sessions is nobody's nested call.
        let counts = Counts::new(&invocation.limits, None);
        self.files.recount();
        self.keyvalue = Arc::new(self.keyvalue.renewed(invocation, &counts));
        self.http_gate.renew(&counts);
        self.tools.renew(invocation, &counts);
    }

    /// Puts the refusal of a socket operation on record.
    pub(crate) fn refuse_socket(&mut self, op: &str) {
        self.journal.refuse(
            "wasi:sockets",
            op,
            "sockets are never available to a tool; grant HTTP requests with --allow 'fetch:URL-PATTERN' instead",
        );
    }
}

/// How many resources a call may hold at once.
pub(crate) fn capacity(limits: &Limits) -> usize {
    usize::try_from(limits.handles).unwrap_or(usize::MAX).saturating_add(HOST_HANDLES)
}

fn wasi(
    invocation: &Invocation,
    process: ProcessInput,
    capture: &Capture,
    determinism: Option<&Determinism>,
) -> WasiCtx {
    let mut wasi = WasiCtx::builder();
    wasi.args(&process.argv)
        .envs(&invocation.environment)
        .stdin(MemoryInputPipe::new(process.stdin))
        .stdout(capture.stream(Stream::Stdout))
        .stderr(capture.stream(Stream::Stderr));
    if let Some(cwd) = &invocation.cwd {
        wasi.initial_cwd(cwd.as_str());
    }
    let tape = invocation.tape.as_ref();
    clocks::configure(&mut wasi, invocation.policy.clock(), determinism.map(Determinism::time), tape);
    random::configure(&mut wasi, invocation.policy.random(), determinism.map(Determinism::seed), tape);
    wasi.build()
}

impl std::fmt::Debug for CallState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallState").field("files", &self.files).field("meter", &self.meter).finish_non_exhaustive()
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl IoView for CallState {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}
