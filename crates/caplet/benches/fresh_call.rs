//! What a call costs over the bare engine: `cargo bench -p caplet`.
//!
//! One process, the two sides in turn, so that both see the same machine in the same minute. Bare: a store, an instance and a typed
//! call with the settings that the sandbox uses. Caplet: the public library, with a policy, JSON in and out, decisions and a record in
//! memory. Printed: the median and the 99th percentile of each, in microseconds, and the ratio of the medians.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reports on standard output and stops at a fault"
)]

use std::sync::Arc;
use std::time::Instant;

use caplet::audit::MemorySink;
use caplet::{Caplet, Grant, Source};
use serde_json::json;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

/// `add: func(a: u32, b: u32) -> u32`.
const ADD: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;

const ROUNDS: usize = 2_000;
const WARM_UP: usize = 200;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(compare());
}

async fn compare() {
    let bare = Bare::new();
    let ours = Ours::new();
    let (mut bare_ns, mut our_ns) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + ROUNDS {
        let started = Instant::now();
        bare.call().await;
        let middle = Instant::now();
        ours.call().await;
        let ended = Instant::now();
        if round >= WARM_UP {
            bare_ns.push((middle - started).as_nanos());
            our_ns.push((ended - middle).as_nanos());
        }
    }
    let (bare, ours) = (Summary::of(bare_ns), Summary::of(our_ns));
    println!("fresh instance, typed call, n = {ROUNDS}, interleaved");
    println!("  bare engine  p50 {:8.1} us   p99 {:8.1} us", bare.p50, bare.p99);
    println!("  caplet       p50 {:8.1} us   p99 {:8.1} us", ours.p50, ours.p99);
    println!("  ratio of medians {:.2}", ours.p50 / bare.p50);
}

struct Bare {
    engine: Engine,
    pre: wasmtime::component::InstancePre<()>,
}

impl Bare {
    fn new() -> Self {
        let mut config = Config::new();
        config.epoch_interruption(true).concurrency_support(false).max_wasm_stack(1 << 20).async_stack_size(2 << 20);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, wat::parse_str(ADD).unwrap()).unwrap();
        let pre = Linker::new(&engine).instantiate_pre(&component).unwrap();
        Self { engine, pre }
    }

    async fn call(&self) {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(1_000_000);
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let add = instance.get_typed_func::<(u32, u32), (u32,)>(&mut store, "add").unwrap();
        let (sum,) = add.call_async(&mut store, (2, 40)).await.unwrap();
        assert_eq!(sum, 42);
    }
}

struct Ours {
    granted: caplet::Granted,
}

impl Ours {
    fn new() -> Self {
        let caplet = Caplet::builder().sink(Arc::new(MemorySink::new())).build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("add.wat");
        std::fs::write(&file, ADD).unwrap();
        let tool = caplet.load(&Source::Path(file)).unwrap();
        let mut grant = Grant::new(folder.path()).unwrap();
        grant.allow("clock:1ms").unwrap();
        Self { granted: caplet.grant(&tool, grant).unwrap() }
    }

    async fn call(&self) {
        let outcome = self.granted.call(None, json!({"a": 2, "b": 40})).await;
        assert_eq!(outcome.output, json!(42));
    }
}

/// Microseconds.
struct Summary {
    p50: f64,
    p99: f64,
}

impl Summary {
    fn of(mut nanos: Vec<u128>) -> Self {
        nanos.sort_unstable();
        let at = |percent: usize| nanos.get(nanos.len() * percent / 100).copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let micros = |nanos: u128| nanos as f64 / 1_000.0;
        Self { p50: micros(at(50)), p99: micros(at(99)) }
    }
}
