//! Tools in languages that are interpreted inside the sandbox: large components.

use std::sync::Arc;
use std::time::Instant;

use caplet::audit::MemorySink;
use caplet::sandbox::{Cache, CompilerProgram, SandboxConfig};
use caplet::{Caplet, Grant, Granted, Source};
use serde_json::json;
use tokio::runtime::Runtime;
use wasmtime::component::Val;

use crate::figures::{Bound, Report, Samples, in_turn};
use crate::{bare, guests, ours};

const ROUNDS: usize = 400;

/// `echo: func(text: string) -> string`, in JavaScript and in Python.
pub(crate) fn interpreters(report: &mut Report) {
    for (language, name) in [("JavaScript", "js"), ("Python", "py")] {
        match guests::component(name) {
            Some(file) => measure(report, language, &Source::Path(file)),
            None => report.note(language, "not measured: `cargo xtask programs --components` builds the tool"),
        }
    }
}

fn measure(report: &mut Report, language: &str, source: &Source) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(&folder.path().join("code"), 1 << 30).unwrap();
    let open = || {
        let mut config = SandboxConfig::default();
        if let Some(program) = std::env::var_os("CAPLET_BENCH_PROGRAM") {
            config = config.compiler(CompilerProgram::new(program, ["compile-worker"]));
        }
        Caplet::builder().sink(Arc::new(MemorySink::new())).sandbox(config).cache(cache.clone()).build().unwrap()
    };
    let granted = grant(&open(), source);
    let echo = json!({"text": "hello"});
    assert_eq!(runtime.block_on(ours::call(&granted, echo.clone())), json!("hello"));

    let component = caplet::read_component(source, &caplet::authority::Limits::default()).unwrap();
    let engine = bare::engine();
    let pre = bare::prepare_all(&engine, &component.engine_bytes.get().unwrap());
    let index = pre.component().get_export_index(None, "echo").unwrap();
    let bare_call = || {
        runtime.block_on(async {
            let mut store = bare::store(&engine, None);
            let instance = pre.instantiate_async(&mut store).await.unwrap();
            let function = instance.get_func(&mut store, index).unwrap();
            let mut results = [Val::Bool(false)];
            function.call_async(&mut store, &[Val::String("hello".to_owned())], &mut results).await.unwrap();
            assert_eq!(results[0], Val::String("hello".to_owned()));
        });
    };
    let our_call = || {
        runtime.block_on(ours::call(&granted, echo.clone()));
    };
    let (bare, warm) = in_turn(ROUNDS, bare_call, our_call);
    report.time(&format!("{language} tool, bare engine"), &bare);
    report.time(&format!("{language} tool, Caplet"), &warm);
    report.figure(&format!("{language} tool: Caplet over bare"), warm.p50() / bare.p50(), Bound::AtMost(1.3));

    let loads = loading(&runtime, &open, source, warm.p50());
    report.time(&format!("{language} tool, loading what is cached, authentication included"), &loads);
    let milliseconds = loads.p50() / 1_000.0;
    report.figure(&format!("{language} tool: loading, in milliseconds"), milliseconds, Bound::AtMost(6.0));
}

/// The first call of a Caplet that has loaded nothing yet, without what a call takes.
fn loading(runtime: &Runtime, open: &dyn Fn() -> Caplet, source: &Source, call: f64) -> Samples {
    let mut samples = Samples::default();
    for _ in 0..20 {
        let caplet = open();
        // The engine itself starts with the first call of any tool.
        let add = ours::granted_bytes(&caplet, "add", guests::ADD, &[]);
        runtime.block_on(ours::call(&add, json!({"a": 2, "b": 40})));
        let started = Instant::now();
        let granted = grant(&caplet, source);
        runtime.block_on(ours::call(&granted, json!({"text": "hello"})));
        samples.add_value(started.elapsed().as_secs_f64() * 1e6 - call);
    }
    samples
}

fn grant(caplet: &Caplet, source: &Source) -> Granted {
    let tool = caplet.load(source).unwrap();
    let mut grant = Grant::new("/").unwrap();
    grant.ceiling(caplet::Ceiling::Open);
    grant.allow("random").unwrap();
    grant.limit("compile=10m").unwrap();
    caplet.grant(&tool, grant).unwrap()
}
