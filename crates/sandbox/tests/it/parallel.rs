//! Many calls at once: places, fairness, memory together, and what is left of calls that were given up.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use caplet_audit::{ErrorKind, OutcomeKind};
use caplet_component::{Caps, inspect};
use caplet_policy::{Layer, LayerKind, Policy};
use caplet_sandbox::{Invocation, Prepared, Sandbox, SandboxConfig};
use serde_json::json;

/// `add`, `spin` which never ends, and `take` which grows its memory by a MiB and never ends.
const TOOL: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "spin") (loop $l (br $l)))
    (func (export "take") (param i32) (drop (memory.grow (local.get 0))) (loop $l (br $l))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "take") (param "pages" u32) (canon lift (core func $i "take"))))"#;

fn prepare(config: &SandboxConfig) -> Prepared {
    let component = inspect(TOOL.as_bytes(), &Caps::default()).unwrap();
    Sandbox::new(config).unwrap().prepare(Arc::new(component))
}

fn invocation(function: &str, arguments: serde_json::Value, timeout: Duration) -> Invocation {
    let mut invocation = Invocation::new("tool", Policy::new(Layer::open(LayerKind::Manifest)));
    invocation.function = Some(function.to_owned());
    invocation.arguments = arguments;
    invocation.limits.timeout = timeout;
    invocation
}

fn add() -> Invocation {
    invocation("add", json!({"a": 2, "b": 40}), Duration::from_secs(30))
}

fn spin(timeout: Duration) -> Invocation {
    invocation("spin", json!({}), timeout)
}

/// Starts a call of its own.
fn start(tool: &Prepared, invocation: Invocation) -> tokio::task::JoinHandle<caplet_audit::Outcome> {
    let tool = tool.clone();
    tokio::spawn(async move { tool.call(invocation).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_all_end_well() {
    for config in
        [SandboxConfig::default(), SandboxConfig::one_shot(), SandboxConfig::default().calls(NonZero::new(3).unwrap())]
    {
        let tool = prepare(&config);
        let calls: Vec<_> = (0..1_000).map(|_| start(&tool, add())).collect();
        for call in calls {
            let outcome = call.await.unwrap();
            assert_eq!((outcome.outcome, outcome.output), (OutcomeKind::Ok, json!(42)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_its_places_and_its_queue_a_call_is_turned_away() {
    let tool = prepare(&SandboxConfig::default().calls(NonZero::new(2).unwrap()).waiting(1));
    assert_eq!(tool.call(add()).await.output, json!(42));
    let running = [start(&tool, spin(Duration::from_secs(60))), start(&tool, spin(Duration::from_secs(60)))];
    // A call that finds no place within its own time is told so; before the two have theirs, it may find one, or find one waiting.
    let hasty = || tool.call(invocation("add", json!({"a": 2, "b": 40}), Duration::from_millis(50)));
    let waited = |outcome: &caplet_audit::Outcome| {
        outcome.error.as_ref().is_some_and(|error| error.message.contains("none ended within"))
    };
    let mut outcome = hasty().await;
    while !waited(&outcome) {
        outcome = hasty().await;
    }
    assert_eq!((outcome.outcome, outcome.error.as_ref().unwrap().kind), (OutcomeKind::Host, ErrorKind::Host));
    assert!(outcome.error.unwrap().message.contains("overloaded: 2 calls run"));
    // Of two, one waits for its time, and the other is turned away at once.
    let (one, other) = tokio::join!(hasty(), hasty());
    let said = [one, other].map(|outcome| outcome.error.unwrap().message);
    assert!(said.iter().any(|message| message.contains("none ended within")), "{said:?}");
    assert!(said.iter().any(|message| message.contains("1 more wait already")), "{said:?}");
    let waiting = start(&tool, add());
    // Giving up the running ones makes room at once.
    running.iter().for_each(tokio::task::JoinHandle::abort);
    let outcome = waiting.await.unwrap();
    assert_eq!(outcome.output, json!(42), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_calls_end_beside_runaways() {
    let tool = prepare(&SandboxConfig::default());
    let runaways: Vec<_> = (0..8).map(|_| start(&tool, spin(Duration::from_secs(120)))).collect();
    for _ in 0..200 {
        let outcome = tokio::time::timeout(Duration::from_secs(30), tool.call(add())).await.unwrap();
        assert_eq!(outcome.output, json!(42));
    }
    runaways.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_guests_together_hold_no_more_than_they_were_given_together() {
    let tool = prepare(&SandboxConfig::default().memory(64 << 20));
    // 40 MiB are within each one's own limit, but only one of them can have so much.
    let take = || invocation("take", json!({"pages": 640}), Duration::from_millis(500));
    for _ in 0..3 {
        // What the calls before held has come back when they are gone. Which of the two comes first is open.
        let (one, other) = tokio::join!(tool.call(take()), tool.call(take()));
        let kind = |outcome: &caplet_audit::Outcome| outcome.error.as_ref().unwrap().kind;
        let (holder, refused) = if kind(&one) == ErrorKind::Memory { (other, one) } else { (one, other) };
        assert_eq!((kind(&holder), kind(&refused)), (ErrorKind::Timeout, ErrorKind::Memory));
        assert_eq!(refused.outcome, OutcomeKind::Limit);
        assert!(refused.error.unwrap().message.contains("all tools together"));
        assert_eq!(tool.call(add()).await.output, json!(42), "what is left is enough for others");
    }
}

/// Threads and open files of this process.
fn held() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

#[test]
fn calls_that_are_given_up_leave_nothing_behind() {
    let run = |times: usize, tool: &Prepared| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            for _ in 0..times {
                let calls: Vec<_> = (0..8).map(|_| start(tool, spin(Duration::from_secs(60)))).collect();
                let dropped =
                    tokio::time::timeout(Duration::from_millis(5), tool.call(spin(Duration::from_secs(60)))).await;
                assert!(dropped.is_err());
                calls.iter().for_each(tokio::task::JoinHandle::abort);
                assert_eq!(tool.call(add()).await.output, json!(42), "the engine serves on");
            }
        });
    };
    let tool = prepare(&SandboxConfig::default().calls(NonZero::new(16).unwrap()));
    run(2, &tool);
    let before = held();
    run(40, &tool);
    // Other tests of this process have threads and files of their own, which come and go; what leaked would stay.
    let started = std::time::Instant::now();
    loop {
        let after = held();
        if after.0 <= before.0 + 40 && after.1 <= before.1 + 40 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{before:?} {after:?}");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_one_call_is_visible_to_the_next() {
    // Writes over two MiB of memory and a table, and tells what the first word and the last were before.
    const DIRTY: &str = r#"(component
      (core module $m
        (table $t 100 funcref)
        (memory (export "memory") 32)
        (func $f)
        (elem declare func $f)
        (func (export "leave") (result i32) (local $found i32)
          (local.set $found (i32.or (i32.load (i32.const 16)) (i32.load (i32.const 2097148))))
          (local.set $found (i32.or (local.get $found) (i32.eqz (ref.is_null (table.get $t (i32.const 99))))))
          (memory.fill (i32.const 16) (i32.const 255) (i32.const 2097136))
          (table.set $t (i32.const 99) (ref.func $f))
          (local.get $found)))
      (core instance $i (instantiate $m))
      (func (export "leave") (result u32) (canon lift (core func $i "leave"))))"#;
    let component = inspect(DIRTY.as_bytes(), &Caps::default()).unwrap();
    for config in
        [SandboxConfig::default(), SandboxConfig::default().calls(NonZero::new(1).unwrap()), SandboxConfig::one_shot()]
    {
        let tool = Sandbox::new(&config).unwrap().prepare(Arc::new(component.clone()));
        for _ in 0..50 {
            let outcome = tool.call(invocation("leave", json!({}), Duration::from_secs(30))).await;
            assert_eq!((outcome.outcome, outcome.output), (OutcomeKind::Ok, json!(0)));
        }
    }
}

#[tokio::test]
async fn what_no_slot_holds_runs_without_one() {
    // More memory than a slot has, more tables than a slot has, and more stack.
    let tool = prepare(&SandboxConfig::default());
    for assignment in ["memory=1GiB", "tables=200000", "stack=2MiB", "fuel=1000000"] {
        let mut limits = caplet_policy::LimitSet::default();
        limits.assign(assignment).unwrap();
        let mut call = add();
        call.limits = caplet_policy::Limits::default().overridden_by(&limits);
        let outcome = tool.call(call).await;
        assert_eq!(outcome.output, json!(42), "{assignment}: {outcome:?}");
    }
    let wide = r#"(component (core module $m (table 150000 funcref) (memory (export "memory") 1)
        (func (export "f") (result i32) (i32.const 7)))
      (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))"#;
    let component = inspect(wide.as_bytes(), &Caps::default()).unwrap();
    let wide = Sandbox::new(&SandboxConfig::default()).unwrap().prepare(Arc::new(component));
    let outcome = wide.call(invocation("f", json!({}), Duration::from_secs(30))).await;
    assert_eq!(outcome.error.unwrap().kind, ErrorKind::Tables, "the limit says so, not the pool");
}
