//! Many calls at once, calls beside runaways, and calls that run into their deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use caplet::{Caplet, Granted};
use serde_json::json;
use tokio::runtime::Runtime;
use wasmtime::Engine;
use wasmtime::component::{ComponentExportIndex, InstancePre};

use crate::figures::{Bound, Report, Samples};
use crate::{bare, guests, ours};

/// How long one reading of the throughput takes.
const READING: Duration = Duration::from_millis(700);

/// How often a small call is made beside the runaways, and how many of them.
const PACE: Duration = Duration::from_millis(2);
const PACED: u32 = 1_500;

fn runtime(threads: usize) -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

fn add(caplet: &Caplet) -> Arc<Granted> {
    Arc::new(ours::granted_bytes(caplet, "add", guests::ADD, &[]))
}

/// The trivial tool from eight tasks, on one thread and on two, beside the bare engine's.
pub(crate) fn throughput(report: &mut Report) {
    let caplet = ours::caplet_without_records();
    let granted = add(&caplet);
    let engine = bare::engine();
    let pre = bare::prepare(&engine, &wat::parse_str(guests::ADD).unwrap());
    let index = pre.component().get_export_index(None, "add").unwrap();
    let (bare, ours) = (Bare { engine, pre, index }, Ours(granted));
    let mut readings = [const { Samples::new() }; 4];
    for _ in 0..5 {
        let [bare_one, bare_two, one, two] = &mut readings;
        for (threads, of_bare, of_ours) in [(1, bare_one, one), (2, bare_two, two)] {
            of_bare.add_value(calls_per_second(threads, &bare));
            of_ours.add_value(calls_per_second(threads, &ours));
        }
    }
    // The best reading of each: whatever else runs on the machine only takes away from one.
    let [bare_one, bare_two, one, two] = readings.map(|samples| samples.percentile(100));
    report.count("throughput of the trivial tool, bare engine, one thread", bare_one, "calls/s");
    report.count("throughput of the trivial tool, bare engine, two threads", bare_two, "calls/s");
    report.count("throughput of the trivial tool, one thread", one, "calls/s");
    report.count("throughput of the trivial tool, two threads", two, "calls/s");
    report.note("throughput of the bare engine: two threads over one", &format!("{:.2}", bare_two / bare_one));
    report.figure("throughput: two threads over one", two / one, Bound::AtLeast(1.5));
}

/// What can be called again and again.
trait Callable: Clone + Send + Sync + 'static {
    fn call(&self) -> impl Future<Output = ()> + Send;
}

#[derive(Clone)]
struct Bare {
    engine: Engine,
    pre: InstancePre<bare::State>,
    index: ComponentExportIndex,
}

impl Callable for Bare {
    async fn call(&self) {
        let mut store = bare::store(&self.engine, None);
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let add = instance.get_typed_func::<(u32, u32), (u32,)>(&mut store, &self.index).unwrap();
        assert_eq!(add.call_async(&mut store, (2, 40)).await.unwrap(), (42,));
    }
}

#[derive(Clone)]
struct Ours(Arc<Granted>);

impl Callable for Ours {
    async fn call(&self) {
        ours::call(&self.0, json!({"a": 2, "b": 40})).await;
    }
}

/// How many calls a second eight tasks make together.
fn calls_per_second(threads: usize, callable: &impl Callable) -> f64 {
    let runtime = runtime(threads);
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (callable, stop) = (callable.clone(), Arc::clone(&stop));
            runtime.spawn(async move {
                let mut done = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    callable.call().await;
                    done += 1;
                    tokio::task::yield_now().await;
                }
                done
            })
        })
        .collect();
    std::thread::sleep(READING);
    stop.store(true, Ordering::Relaxed);
    let mut done = 0;
    runtime.block_on(async {
        for task in tasks {
            done += task.await.unwrap();
        }
    });
    done as f64 / started.elapsed().as_secs_f64()
}

/// A small call every two milliseconds, alone and beside four guests that never end.
pub(crate) fn runaways(report: &mut Report) {
    let runtime = runtime(2);
    let caplet = ours::caplet_without_records();
    let granted = add(&caplet);
    let quiet = paced(&runtime, &granted);
    let spin = Arc::new(ours::granted_bytes(&caplet, "spin", guests::SPIN, &["timeout=10m"]));
    let spinning: Vec<_> = (0..4)
        .map(|_| {
            let spin = Arc::clone(&spin);
            runtime.spawn(async move { spin.call(None, json!({})).await })
        })
        .collect();
    // Until they have moved out of the way.
    std::thread::sleep(Duration::from_millis(200));
    let beside = paced(&runtime, &granted);
    for task in &spinning {
        task.abort();
    }
    report.time("a small call every 2 ms, alone", &quiet);
    report.time("a small call every 2 ms, beside four runaways", &beside);
    report.figure("p99 beside four runaways over quiet p99", beside.p99() / quiet.p99(), Bound::AtMost(3.0));
    report.figure("p50 beside four runaways over quiet p50", beside.p50() / quiet.p50(), Bound::AtMost(3.0));
}

/// A small call every two milliseconds, beside a caller that calls one hostile guest after another.
pub(crate) fn hostile(report: &mut Report) {
    let caplet = ours::caplet_without_records();
    let granted = add(&caplet);
    let quiet = paced(&runtime(2), &granted);
    let mut worst: Option<(f64, &str)> = None;
    for (what, body) in guests::HOSTILE {
        let runtime = runtime(2);
        let hostile = Arc::new(ours::granted_bytes(&caplet, what, &guests::command(body), &["timeout=100ms"]));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let caller = runtime.spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let outcome = hostile.call(None, json!({})).await;
                assert!(outcome.error.is_some(), "{outcome:?}");
            }
        });
        let beside = paced(&runtime, &granted);
        stop.store(true, Ordering::Relaxed);
        runtime.block_on(caller).unwrap();
        report.time(&format!("a small call every 2 ms, beside a guest that {what}"), &beside);
        let ratio = beside.p50() / quiet.p50();
        if worst.is_none_or(|(known, _)| ratio > known) {
            worst = Some((ratio, what));
        }
    }
    if let Some((ratio, what)) = worst {
        report.figure(
            &format!("p50 beside the worst of them, which {what}, over quiet p50"),
            ratio,
            Bound::AtMost(3.0),
        );
    }
}

/// Latencies from the moment at which each call was due, so that one late call does not hide the next.
fn paced(runtime: &Runtime, granted: &Arc<Granted>) -> Samples {
    let started = Instant::now();
    let (sender, receiver) = std::sync::mpsc::channel();
    for number in 0..PACED {
        let due = started + PACE * number;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let (granted, sender) = (Arc::clone(granted), sender.clone());
        runtime.spawn(async move {
            ours::call(&granted, json!({"a": 2, "b": 40})).await;
            // The receiver waits for all of them.
            let _ = sender.send(due.elapsed());
        });
    }
    drop(sender);
    let mut samples = Samples::default();
    receiver.into_iter().for_each(|took| samples.add(took));
    samples
}

/// How far a runaway gets beyond its deadline.
pub(crate) fn deadline(report: &mut Report) {
    const DEADLINE: Duration = Duration::from_millis(10);
    /// How often a guest looks at its deadline.
    const TICK_US: f64 = 1_000.0;
    let runtime = runtime(2);
    let caplet = ours::caplet_without_records();
    let spin = ours::granted_bytes(&caplet, "spin", guests::SPIN, &["timeout=10ms"]);
    let mut overrun = Samples::default();
    let mut whole = Samples::default();
    for _ in 0..300 {
        let started = Instant::now();
        runtime.block_on(spin.call(None, json!({})));
        let took = started.elapsed();
        whole.add(took);
        overrun.add(took.saturating_sub(DEADLINE));
    }
    report.time("a runaway with a deadline of 10 ms", &whole);
    report.figure("overrun of the deadline at the median, in ticks", overrun.p50() / TICK_US, Bound::AtMost(1.0));
    report.figure("p99 over the deadline", whole.p99() / (DEADLINE.as_secs_f64() * 1e6), Bound::AtMost(2.0));
}

/// What a process holds after many calls more.
pub(crate) fn growth(report: &mut Report) {
    const CALLS: usize = 100_000;
    let runtime = runtime(1);
    let caplet = ours::caplet_without_records();
    let granted = add(&caplet);
    let call = |times: usize| {
        runtime.block_on(async {
            for _ in 0..times {
                ours::call(&granted, json!({"a": 2, "b": 40})).await;
            }
        });
    };
    call(CALLS / 10);
    let before = resident_kib();
    call(CALLS);
    report.figure("growth over 100,000 calls, in KiB", resident_kib() - before, Bound::AtMost(256.0));
}

fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The same work under fuel, again and again.
pub(crate) fn fuel(report: &mut Report) {
    let runtime = runtime(1);
    let caplet = ours::caplet_without_records();
    let granted = ours::granted_bytes(&caplet, "count", guests::COUNT, &["fuel=100000000"]);
    let mut counts = Vec::new();
    for _ in 0..5 {
        counts.push(runtime.block_on(granted.call(None, json!({"n": 100_000}))).usage.fuel.unwrap());
    }
    counts.sort_unstable();
    counts.dedup();
    report.figure("different fuel counts for the same work, five runs", counts.len() as f64, Bound::AtMost(1.0));
}
