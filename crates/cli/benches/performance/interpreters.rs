//! Tools in languages that are interpreted inside the sandbox: large components.

use std::sync::Arc;
use std::time::Instant;

use caplet::audit::MemorySink;
use caplet::sandbox::{Cache, CompilerProgram, SandboxConfig, SessionLimits};
use caplet::{Caplet, Grant, Granted, Source};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wasmtime::component::Val;

use crate::figures::{Bound, Report, Samples, in_turn};
use crate::{bare, guests, ours};

const ROUNDS: usize = 400;

const ECHO: Option<&str> = Some("echo");

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
    let granted = Arc::new(grant(&open(), source));
    let echo = json!({"text": "hello"});
    // First, before anything is compiled here that the allocator could give back meanwhile.
    idle(report, language, &granted, ECHO, echo.clone(), 50, 1_024.0);
    assert_eq!(runtime.block_on(ours::call_function(&granted, ECHO, echo.clone())), json!("hello"));

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
        runtime.block_on(ours::call_function(&granted, ECHO, echo.clone()));
    };
    let (bare, warm) = in_turn(ROUNDS, bare_call, our_call);
    report.time(&format!("{language} tool, bare engine"), &bare);
    report.time(&format!("{language} tool, Caplet"), &warm);
    report.figure(&format!("{language} tool: Caplet over bare"), warm.p50() / bare.p50(), Bound::AtMost(1.3));

    let loads = loading(&runtime, &open, source);
    report.time(&format!("{language} tool, loading what is cached, authentication included"), &loads);
    let milliseconds = loads.p50() / 1_000.0;
    report.figure(&format!("{language} tool: loading, in milliseconds"), milliseconds, Bound::AtMost(6.0));
}

/// What a trivial tool holds between calls.
pub(crate) fn trivial_idle(report: &mut Report) {
    let granted = ours::granted_bytes(&ours::caplet_without_records(), "add", guests::ADD, &[]);
    idle(report, "trivial", &Arc::new(granted), None, json!({"a": 2, "b": 40}), 500, 32.0);
}

/// What a called instance holds that nobody calls, page tables included.
fn idle(
    report: &mut Report,
    what: &str,
    granted: &Arc<Granted>,
    function: Option<&str>,
    arguments: Value,
    sessions: usize,
    bound: f64,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // The first one brings what all share.
        let first = granted.session(SessionLimits::default());
        first.call(function, arguments.clone()).await;
        let before = private_kib();
        let mut open = Vec::new();
        for _ in 0..sessions {
            let session = granted.session(SessionLimits::default());
            assert!(session.call(function, arguments.clone()).await.error.is_none());
            open.push(session);
        }
        let each = (private_kib() - before) / sessions as f64;
        report.figure(
            &format!("{what} tool: memory of a called instance that is idle, in KiB"),
            each,
            Bound::AtMost(bound),
        );
    });
}

/// Memory of this process alone, and the tables that map it.
fn private_kib() -> f64 {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap()
    };
    field("/proc/self/smaps_rollup", "Private_Dirty:") + field("/proc/self/status", "VmPTE:")
}

/// What a Caplet that has loaded nothing yet does before the first call: facts, code, linking.
fn loading(runtime: &Runtime, open: &dyn Fn() -> Caplet, source: &Source) -> Samples {
    let mut samples = Samples::default();
    for _ in 0..20 {
        let caplet = open();
        // The engine itself starts with the first call of any tool.
        let add = ours::granted_bytes(&caplet, "add", guests::ADD, &[]);
        runtime.block_on(ours::call(&add, json!({"a": 2, "b": 40})));
        let started = Instant::now();
        let granted = grant(&caplet, source);
        runtime.block_on(granted.warm()).unwrap();
        samples.add(started.elapsed());
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
