//! Components that use the asynchronous part of the component model: they run, and nothing in it escapes a limit.

use caplet_audit::{ErrorKind, OutcomeKind};
use caplet_component::{Caps, inspect};
use serde_json::json;

use crate::harness::{Call, call};

/// A component whose asynchronous function `answer` has `start` as its body, and `again` as what the host calls when there is an
/// event. Both may call `$return`, `$waitables`, `$stream` and `$join`. A body gives 0 to end, 1 to be called again, or
/// `2 | set << 4` to be called when something in a waitable set happens.
fn asynchronous(start: &str, again: &str) -> String {
    format!(
        r#"(component
  (type $bytes (stream u8))
  (core module $m
    (import "" "return" (func $return (param i32)))
    (import "" "waitables" (func $waitables (result i32)))
    (import "" "stream" (func $stream (result i64)))
    (global $calls (mut i32) (i32.const 0))
    (func (export "start") (param $n i32) (result i32) {start})
    (func (export "again") (param i32 i32 i32) (result i32) {again}))
  (core func $return (canon task.return (result u32)))
  (core func $waitables (canon waitable-set.new))
  (core func $stream (canon stream.new $bytes))
  (core instance $i (instantiate $m (with "" (instance
    (export "return" (func $return))
    (export "waitables" (func $waitables))
    (export "stream" (func $stream))))))
  (func (export "answer") async (param "n" u32) (result u32)
    (canon lift (core func $i "start") async (callback (core func $i "again")))))"#
    )
}

fn answer(start: &str, again: &str) -> Call {
    call(&asynchronous(start, again)).arguments(json!({"n": 41}))
}

#[tokio::test]
async fn an_asynchronous_function_answers_at_once_or_after_it_gave_way() {
    let next = "(call $return (i32.add (local.get $n) (i32.const 1))) (i32.const 0)";
    let later = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (result i32) (i32.lt_u (global.get $calls) (i32.const 3))
          (then (i32.const 1))
          (else (call $return (i32.const 42)) (i32.const 0)))";
    for (start, again) in [(next, "unreachable"), ("(i32.const 1)", later)] {
        let outcome = answer(start, again).run().await;
        assert_eq!((outcome.outcome, outcome.output), (OutcomeKind::Ok, json!(42)), "{:?}", outcome.error);
    }
}

#[test]
fn only_a_component_that_uses_it_pays_for_it() {
    let needs = |text: &str| inspect(text.as_bytes(), &Caps::default()).unwrap().needs_concurrency;
    assert!(needs(&asynchronous("unreachable", "unreachable")));
    assert!(needs("(component (type (stream u8)))"));
    assert!(!needs("(component)"));
    assert!(!needs(r#"(module (func (export "_start")))"#));
}

#[tokio::test]
async fn the_limits_of_a_call_hold_in_all_of_it() {
    let hold_streams = "(loop $l (drop (call $stream)) (br $l)) (unreachable)";
    let hold_sets = "(loop $l (drop (call $waitables)) (br $l)) (unreachable)";
    let cases = [
        ("computes without end", "(loop $l (br $l)) (unreachable)", "unreachable", ErrorKind::Timeout),
        ("gives way without end", "(i32.const 1)", "(i32.const 1)", ErrorKind::Timeout),
        ("never drops a stream", hold_streams, "unreachable", ErrorKind::Handles),
        ("never drops a set", hold_sets, "unreachable", ErrorKind::Handles),
    ];
    for (name, start, again, kind) in cases {
        let outcome = answer(start, again).limit("timeout=300ms").run().await;
        let found = outcome.error.as_ref().map(|error| error.kind);
        assert_eq!((outcome.outcome, found), (OutcomeKind::Limit, Some(kind)), "{name}: {:?}", outcome.error);
    }
}

#[tokio::test]
async fn a_task_that_can_never_go_on_is_a_trap_and_no_hang() {
    let wait_on_nothing = "(i32.or (i32.const 2) (i32.shl (call $waitables) (i32.const 4)))";
    for (name, start) in [("waits for nothing", wait_on_nothing), ("ends without an answer", "(i32.const 0)")] {
        let outcome = answer(start, "unreachable").limit("timeout=5s").run().await;
        assert_eq!(outcome.outcome, OutcomeKind::Trap, "{name}: {:?}", outcome.error);
    }
}

#[tokio::test]
async fn an_interface_of_the_next_generation_that_nobody_provides_traps_where_it_is_called() {
    let text = r#"(component
      (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock (export "wait-for" (func async (param "how-long" u64)))))
      (core func $wait (canon lower (func $clock "wait-for")))
      (core module $m
        (import "" "wait" (func $wait (param i64)))
        (func (export "rest") (call $wait (i64.const 1)))
        (func (export "work") (result i32) (i32.const 7)))
      (core instance $i (instantiate $m (with "" (instance (export "wait" (func $wait))))))
      (func (export "rest") (canon lift (core func $i "rest")))
      (func (export "work") (result u32) (canon lift (core func $i "work"))))"#;
    let worked = call(text).function("work").run().await;
    assert_eq!((worked.outcome, worked.output), (OutcomeKind::Ok, json!(7)), "{:?}", worked.error);
    let rested = call(text).function("rest").run().await;
    assert_eq!(rested.outcome, OutcomeKind::Trap, "{:?}", rested.error);
}
