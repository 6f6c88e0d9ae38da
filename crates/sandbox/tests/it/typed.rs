//! Typed functions: JSON in, component values, JSON out, and what happens to input that does not fit.

use caplet_audit::{ErrorKind, OutcomeKind};
use serde_json::json;

use crate::harness::call;

/// `add: func(a: u32, b: u32) -> u32` and `fail: func() -> result<u32, u32>`, written by hand.
const ARITHMETIC: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "fail") (result i32) (i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 42)) (i32.const 0))
    (func (export "spin") (result i32) (loop $l (br $l)) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b-value" u32) (result u32) (canon lift (core func $i "add")))
  (func (export "fail") (result (result u32 (error u32)))
    (canon lift (core func $i "fail") (memory (core memory $i "memory"))))
  (func (export "spin") (result u32) (canon lift (core func $i "spin"))))"#;

/// Gives back the string that it was given.
const ECHO: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32) (local.set $at (global.get $top))
      (global.set $top (i32.add (global.get $top) (local.get 3)))
      (block $room (loop $l
        (br_if $room (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow (i32.const 16))) (br $l)))
      (local.get $at))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1)) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "echo") (param "text" string) (result string)
    (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;

#[tokio::test]
async fn a_typed_function_takes_and_gives_json() {
    let outcome = call(ARITHMETIC).function("add").arguments(json!({"a": 2, "b_value": 40})).run().await;
    assert_eq!((outcome.outcome, outcome.output), (OutcomeKind::Ok, json!(42)));
}

#[tokio::test]
async fn the_error_case_of_a_result_is_the_tools_error() {
    let outcome = call(ARITHMETIC).function("fail").run().await;
    let error = outcome.error.unwrap();
    assert_eq!((outcome.outcome, error.kind, error.message.as_str()), (OutcomeKind::Error, ErrorKind::ToolError, "42"));
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_refused_before_anything_runs() {
    for (arguments, word) in [
        (json!({"a": 1}), "b_value"),
        (json!({"a": 1, "b_value": "x"}), "b_value"),
        (json!({"a": -1, "b_value": 1}), "a"),
        (json!({"a": 1, "b_value": 4_294_967_296u64}), "b_value"),
        (json!({"a": 1, "b_value": 1.5}), "b_value"),
        (json!({"a": 1, "b_value": 1, "c": 1}), "c"),
        (json!({"a": 1, "b-value": 1}), "b-value"),
        (json!([1, 2]), "object"),
        (json!(null), "object"),
    ] {
        let outcome = call(ARITHMETIC).function("add").arguments(arguments.clone()).run().await;
        let error = outcome.error.unwrap();
        assert_eq!((outcome.outcome, error.kind), (OutcomeKind::Refused, ErrorKind::InvalidArgs), "{arguments}");
        assert!(error.message.contains(word), "{arguments}: {}", error.message);
    }
}

#[tokio::test]
async fn a_function_must_be_named_where_there_are_several() {
    let unnamed = call(ARITHMETIC).run().await.error.unwrap();
    assert_eq!(unnamed.kind, ErrorKind::UnknownTool);
    assert!(unnamed.hint.unwrap().contains("add"));
    let unknown = call(ARITHMETIC).function("sub").run().await.error.unwrap();
    assert_eq!(unknown.kind, ErrorKind::UnknownTool);
}

#[tokio::test]
async fn a_string_comes_back_as_it_went_in() {
    for text in ["", "plain", "häß 🙂 \u{202e}", "line\nline\0nul"] {
        let outcome = call(ECHO).arguments(json!({ "text": text })).run().await;
        assert_eq!((outcome.outcome, outcome.output), (OutcomeKind::Ok, json!(text)));
    }
}

#[tokio::test]
async fn a_result_above_the_output_limit_is_a_limit() {
    let outcome = call(ECHO).arguments(json!({"text": "x".repeat(100_000)})).limit("output=10KiB").run().await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Output));
    let twin = call(ECHO).arguments(json!({"text": "x".repeat(100_000)})).limit("output=200KiB").run().await;
    assert_eq!(twin.outcome, OutcomeKind::Ok);
}

#[tokio::test]
async fn a_typed_function_that_never_returns_ends_at_its_deadline() {
    let outcome = call(ARITHMETIC).function("spin").limit("timeout=300ms").run().await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Timeout));
}

#[tokio::test]
async fn each_call_has_a_fresh_instance() {
    let counter = r#"(component
      (core module $m (global $n (mut i32) (i32.const 0))
        (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
      (core instance $i (instantiate $m))
      (func (export "next") (result u32) (canon lift (core func $i "next"))))"#;
    for _ in 0..3 {
        assert_eq!(call(counter).run().await.output, json!(1));
    }
}

#[tokio::test]
async fn calls_run_side_by_side_and_a_runaway_ends_alone() {
    let runaway = tokio::spawn(call(ARITHMETIC).function("spin").limit("timeout=400ms").run());
    let sum = call(ARITHMETIC).function("add").arguments(json!({"a": 1, "b_value": 1})).run().await;
    assert_eq!(sum.output, json!(2));
    assert_eq!(runaway.await.unwrap().error.unwrap().kind, ErrorKind::Timeout);
}
