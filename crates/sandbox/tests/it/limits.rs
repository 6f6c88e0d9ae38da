//! Every limit, as an attack: the outcome names it, near the limit, and the next call is not affected.

use std::time::{Duration, Instant};

use caplet_audit::{ErrorKind, OutcomeKind};

use crate::harness::{SLEEPS, call, preview1};

async fn next_call_works() {
    let outcome = call(&preview1("", "(call $exit (i32.const 0))")).run().await;
    assert_eq!(outcome.exit_code, Some(0));
}

#[tokio::test]
async fn a_loop_ends_at_its_deadline() {
    let started = Instant::now();
    let outcome = call(&preview1("", "(loop $l (br $l))")).limit("timeout=500ms").run().await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Timeout));
    assert!(outcome.usage.wall_us >= 500_000);
    assert!(started.elapsed() < Duration::from_secs(30), "it did not wait for the default of 30 s");
    next_call_works().await;
}

#[tokio::test]
async fn a_loop_in_a_start_function_ends_too() {
    let text =
        r#"(module (memory (export "memory") 1) (func $s (loop $l (br $l))) (start $s) (func (export "_start")))"#;
    let outcome = call(text).limit("timeout=300ms").run().await;
    assert_eq!(outcome.error.unwrap().kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn a_deadline_ends_a_host_call_that_waits() {
    let outcome = call(SLEEPS).limit("timeout=300ms").run().await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Timeout));
}

#[tokio::test]
async fn memory_is_bounded_over_all_growth() {
    let outcome = call(&preview1("", "(loop $l (drop (memory.grow (i32.const 16))) (br $l))"))
        .limit("memory=8MiB")
        .limit("timeout=10s")
        .run()
        .await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Memory));
    assert!(outcome.usage.memory_peak_bytes <= 8 << 20);
    next_call_works().await;
}

#[tokio::test]
async fn an_initial_memory_above_the_limit_never_starts() {
    let text = r#"(module (memory (export "memory") 65536) (func (export "_start")))"#;
    let outcome = call(text).limit("memory=16MiB").run().await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Memory));
}

#[tokio::test]
async fn many_small_memories_count_together() {
    let memories: String = (0..20).map(|_| "(memory 16)").collect();
    let text = format!(r#"(module (memory (export "memory") 1) {memories} (func (export "_start")))"#);
    let outcome = call(&text).limit("memory=8MiB").run().await;
    assert_eq!(outcome.error.unwrap().kind, ErrorKind::Memory);
}

#[tokio::test]
async fn tables_are_bounded() {
    let text = r#"(module (memory (export "memory") 1) (table $t 1 funcref)
        (func (export "_start") (loop $l (drop (table.grow $t (ref.null func) (i32.const 10000))) (br $l))))"#;
    let outcome = call(text).limit("timeout=10s").run().await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Tables));
}

#[tokio::test]
async fn recursion_ends_at_the_stack_limit() {
    let text = r#"(module (memory (export "memory") 1) (func $f (param i64) (result i64)
          (i64.add (call $f (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
        (func (export "_start") (drop (call $f (i64.const 0)))))"#;
    for stack in ["stack=1MiB", "stack=256KiB"] {
        let outcome = call(text).limit(stack).run().await;
        assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Stack), "{stack}");
    }
    next_call_works().await;
}

#[tokio::test]
async fn output_is_cut_at_its_limit_and_kept_up_to_it() {
    let text = preview1(
        "",
        "(i32.store (i32.const 8) (i32.const 1024)) (i32.store (i32.const 12) (i32.const 4096))
         (loop $l (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))) (br $l))",
    );
    let outcome = call(&text).limit("output=64KiB").limit("timeout=20s").run().await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Output));
    assert_eq!(outcome.usage.output_bytes, 64 << 10);
}

#[tokio::test]
async fn fuel_is_exact_and_ends_a_call() {
    let text = preview1(
        "",
        "(local $i i32) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))",
    );
    let first = call(&text).limit("fuel=1000000").run().await;
    let second = call(&text).limit("fuel=1000000").run().await;
    assert_eq!(first.outcome, OutcomeKind::Ok);
    assert!(first.usage.fuel.is_some_and(|used| used > 1000));
    assert_eq!(first.usage.fuel, second.usage.fuel, "the same work costs the same");
    let starved = call(&text).limit("fuel=500").run().await;
    assert_eq!((starved.outcome, starved.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Fuel));
    let unmetered = call(&text).run().await;
    assert_eq!(unmetered.usage.fuel, None, "fuel is off unless asked for");
}
