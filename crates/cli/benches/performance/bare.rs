//! The floor: the bare engine with the settings that the sandbox uses, and nothing else.

use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, StoreLimits,
    StoreLimitsBuilder, UpdateDeadline,
};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

/// What a call of the bare engine owns.
pub(crate) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoNetwork,
    table: ResourceTable,
    limits: StoreLimits,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Sends nothing: no tool that is measured asks for it.
struct NoNetwork;

type Sent<T> = Box<dyn Future<Output = Result<T, Error>> + Send>;

impl WasiHttpHooks for NoNetwork {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _written: Sent<()>,
    ) -> Sent<(http::Response<WasiBody>, Sent<()>)> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// An engine with a pool as the sandbox's: asynchronous, interrupted by epochs, with a limiter.
pub(crate) fn engine() -> Engine {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(1000)
        .total_core_instances(8000)
        .total_memories(2000)
        .total_tables(8000)
        .total_stacks(1000)
        .max_memory_size(512 << 20)
        .table_elements(100_000)
        .max_tables_per_module(64)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .decommit_batch_size(1)
        .linear_memory_keep_resident(512 << 10)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::No);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .native_unwind_info(false)
        .max_wasm_stack(1 << 20)
        .async_stack_size(2 << 20)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).unwrap()
}

/// A component, compiled and linked against plain WASI.
pub(crate) fn prepare(engine: &Engine, bytes: &[u8]) -> InstancePre<State> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    linker.instantiate_pre(&Component::new(engine, bytes).unwrap()).unwrap()
}

/// As [`prepare`], for a component that imports `wasi:http` as well.
pub(crate) fn prepare_all(engine: &Engine, bytes: &[u8]) -> InstancePre<State> {
    let mut linker = Linker::new(engine);
    let component = Component::new(engine, bytes).unwrap();
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
    linker.instantiate_pre(&component).unwrap()
}

/// A store for one call; `folder` is preopened under its own path where there is one.
pub(crate) fn store(engine: &Engine, folder: Option<&str>) -> Store<State> {
    let mut wasi = WasiCtx::builder();
    if let Some(folder) = folder {
        wasi.preopened_dir(folder, folder, FsPerms::ReadOnly).unwrap();
        wasi.initial_cwd(folder);
    }
    let limits = StoreLimitsBuilder::new().memory_size(256 << 20).build();
    let mut store = Store::new(
        engine,
        State { wasi: wasi.build(), http: WasiHttpCtx::new(), hooks: NoNetwork, table: ResourceTable::new(), limits },
    );
    store.limiter(|state| &mut state.limits);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
    store
}
