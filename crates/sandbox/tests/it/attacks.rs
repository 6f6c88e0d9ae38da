//! Guests that attack the host through values, handles and the garbage collector; and a host that fails by itself.

use std::sync::Arc;
use std::time::Duration;

use caplet_audit::{ErrorKind, Outcome, OutcomeKind};
use caplet_policy::GuestPath;
use caplet_vfs::{FileSystem, FsError, Mount, NodeRef};
use serde_json::json;

use crate::faulty::{FaultyNode, Panics};
use crate::harness::{call, preview1};

/// A component with one function `f` of the WIT result type `result`, whose core function has `body` and gives a pointer.
fn gives(result: &str, pages: u32, body: &str) -> String {
    format!(
        r#"(component
  {types}
  (core module $m (memory (export "memory") {pages}) (func (export "f") (result i32) {body}))
  (core instance $i (instantiate $m))
  (func (export "f") (result {result}) (canon lift (core func $i "f") (memory (core memory $i "memory")))))"#,
        types = r#"(type $record' (record (field "a" u8)))
  (type $flags' (flags "a" "b"))
  (type $enum' (enum "a" "b"))
  (export $record "record-type" (type $record'))
  (export $flags "flags-type" (type $flags'))
  (export $enum "enum-type" (type $enum'))"#
    )
}

/// The pointer and length of a list or string at address 0.
fn slice(pointer: i64, length: i64) -> String {
    format!(
        "(i32.store (i32.const 0) (i32.const {pointer})) (i32.store (i32.const 4) (i32.const {length})) (i32.const 0)"
    )
}

#[track_caller]
fn assert_limit(outcome: &Outcome, kind: ErrorKind, what: &str) {
    let found = outcome.error.as_ref().map(|error| error.kind);
    assert_eq!((outcome.outcome, found), (OutcomeKind::Limit, Some(kind)), "{what}: {outcome:?}");
}

#[tokio::test]
async fn a_result_beyond_the_output_limit_is_not_built() {
    const MIB: i64 = 1 << 20;
    for (result, bytes) in
        [("string", 100 * MIB), ("(list u8)", 100 * MIB), ("(list $record)", 10_000_000), ("string", 9 * MIB)]
    {
        let outcome = call(&gives(result, 1_700, &slice(64, bytes))).run().await;
        assert_limit(&outcome, ErrorKind::Output, result);
    }
    let small = call(&gives("string", 1, &slice(64, 2))).run().await;
    assert_eq!((small.outcome, small.output), (OutcomeKind::Ok, json!("\0\0")));
}

#[tokio::test]
async fn a_result_that_is_no_value_of_its_type_is_a_trap() {
    let store8 = |value: u32| format!("(i32.store8 (i32.const 16) (i32.const {value})) {}", slice(16, 1));
    for (what, result, body) in [
        ("a string that is not UTF-8", "string", store8(0xff)),
        ("a string past the end", "string", slice(65_530, 100)),
        ("a pointer and length that overflow", "string", slice(-1, -1)),
        ("a list past the end", "(list u32)", slice(65_532, 2)),
        ("a misaligned list", "(list u32)", slice(17, 1)),
        ("a surrogate as a char", "char", "(i32.const 0xd800)".to_owned()),
        ("a char beyond the last", "char", "(i32.const 0x110000)".to_owned()),
        ("an enum case that is not there", "$enum", "(i32.const 2)".to_owned()),
    ] {
        let outcome = call(&gives(result, 1, &body)).run().await;
        assert_eq!(outcome.outcome, OutcomeKind::Trap, "{what}: {outcome:?}");
    }
    let flags = call(&gives("$flags", 1, "(i32.const 0xfffffffd)")).run().await;
    assert_eq!((flags.outcome, flags.output), (OutcomeKind::Ok, json!(["a"])), "bits that no flag has are ignored");
}

#[tokio::test]
async fn code_that_runs_around_a_call_ends_at_the_deadline() {
    let around = |realloc: &str, body: &str, post: &str| {
        format!(
            r#"(component
  (core module $m (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc} (i32.const 64))
    (func (export "f") (param i32 i32) (result i32) {body} (i32.const 1))
    (func (export "post") (param i32) {post}))
  (core instance $i (instantiate $m))
  (func (export "f") (param "text" string) (result u32)
    (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))
      (post-return (core func $i "post")))))"#
        )
    };
    let forever = "(loop $l (br $l))";
    for (what, text) in [
        ("realloc", around(forever, "", "")),
        ("the function", around("", forever, "")),
        ("post-return", around("", "", forever)),
        // One bulk instruction is not interrupted: the memory limit bounds how long it takes.
        ("bulk fills", around("", "(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $l))", "")),
    ] {
        let outcome = call(&text).arguments(json!({"text": "x"})).limit("timeout=200ms").run().await;
        assert_limit(&outcome, ErrorKind::Timeout, what);
        assert!(outcome.usage.wall_us < 5_000_000, "{what}: {outcome:?}");
    }
    let calm = call(&around("", "", "")).arguments(json!({"text": "x"})).run().await;
    assert_eq!((calm.outcome, calm.output), (OutcomeKind::Ok, json!(1)));
}

/// A component that imports from `wasi:http/types` and `wasi:clocks`, and whose `f` has `body`.
pub fn leaks(body: &str) -> String {
    format!(
        r#"(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type $pollable (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $p (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wasi:http/types@0.2.0" (instance $http
    (export "fields" (type $fields (sub resource)))
    (type $error' (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $error (eq $error')))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.append" (func (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8))
      (result (result (error $error)))))))
  (core module $memory (memory (export "memory") 2))
  (core instance $memory (instantiate $memory))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $new (canon lower (func $http "[constructor]fields")))
  (core func $append (canon lower (func $http "[method]fields.append") (memory $memory "memory")))
  (core module $m
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "new" (func $new (result i32)))
    (import "host" "append" (func $append (param i32 i32 i32 i32 i32 i32)))
    (import "host" "memory" (memory 2))
    (func (export "f") (result i32) (local $fields i32) {body}))
  (core instance $i (instantiate $m (with "host" (instance
    (export "subscribe" (func $subscribe)) (export "new" (func $new)) (export "append" (func $append))
    (export "memory" (memory $memory "memory"))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"#
    )
}

#[tokio::test]
async fn handles_that_are_never_dropped_run_into_their_limit() {
    for (what, body) in [
        ("timers", "(loop $l (drop (call $subscribe (i64.const 3600000000000))) (br $l)) unreachable"),
        ("header lists", "(loop $l (drop (call $new)) (br $l)) unreachable"),
    ] {
        let outcome = call(&leaks(body)).allow("clock:1ms").limit("handles=100").run().await;
        assert_limit(&outcome, ErrorKind::Handles, what);
    }
    let few = call(&leaks("(drop (call $new)) (drop (call $subscribe (i64.const 1))) (i32.const 7)"))
        .allow("clock:1ms")
        .limit("handles=100")
        .run()
        .await;
    assert_eq!((few.outcome, few.output), (OutcomeKind::Ok, json!(7)));
}

#[tokio::test]
async fn headers_without_end_end_the_call() {
    let body = "(i32.store8 (i32.const 0) (i32.const 97)) (local.set $fields (call $new))
        (loop $l (call $append (local.get $fields) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)) (br $l))
        unreachable";
    let outcome = call(&leaks(body)).limit("timeout=20s").run().await;
    assert_eq!(outcome.outcome, OutcomeKind::Trap, "well before the deadline: {outcome:?}");
}

#[tokio::test]
async fn more_random_bytes_than_a_call_gives_at_once_end_it() {
    let text = preview1(
        "",
        "(drop (memory.grow (i32.const 3200))) (call $must (call $random (i32.const 0) (i32.const 209715200)))",
    );
    let outcome = call(&text).allow("random").run().await;
    assert_eq!(outcome.outcome, OutcomeKind::Trap, "{outcome:?}");
    let few =
        call(&preview1("", "(call $must (call $random (i32.const 0) (i32.const 65536)))")).allow("random").run().await;
    assert_eq!(few.outcome, OutcomeKind::Ok, "{few:?}");
}

#[tokio::test]
async fn the_garbage_collected_heap_counts_as_memory() {
    let collected = |body: &str| {
        format!(
            r#"(module (type $bytes (array (mut i8))) (type $node (struct (field (ref null $node))))
              (tag $t (param (ref null $node)))
              (memory (export "memory") 1)
              (func (export "_start") (local $keep (ref null $node)) {body}))"#
        )
    };
    let chain = |steps: &str| format!("(loop $l (local.set $keep (struct.new $node (local.get $keep))) {steps})");
    for (what, body) in [
        ("one array", "(drop (array.new_default $bytes (i32.const 1073741824)))".to_owned()),
        ("a chain of objects", chain("(br $l)")),
        (
            "exceptions that hold each other's objects",
            "(loop $l (block $h (result (ref null $node)) (try_table (catch $t $h)
               (throw $t (struct.new $node (local.get $keep)))) (unreachable)) (local.set $keep) (br $l))"
                .to_owned(),
        ),
    ] {
        let outcome = call(&collected(&body)).limit("memory=16MiB").limit("timeout=60s").run().await;
        assert_limit(&outcome, ErrorKind::Memory, what);
        assert!(outcome.usage.memory_peak_bytes <= 16 << 20, "{what}");
    }
    let small = call(&collected(&chain(""))).run().await;
    assert_eq!(small.outcome, OutcomeKind::Ok, "{small:?}");
}

/// A store that panics.
#[derive(Debug)]
struct FaultyStore(Panics);

impl FileSystem for FaultyStore {
    fn root(&self) -> Result<NodeRef, FsError> {
        assert_ne!(self.0, Panics::AtOnce, "on purpose");
        Ok(Arc::new(FaultyNode))
    }

    fn may_block(&self) -> bool {
        self.0 == Panics::OnAnotherThread
    }

    fn describe(&self) -> String {
        "a fault".to_owned()
    }
}

#[tokio::test]
async fn a_fault_of_the_host_ends_one_call() {
    let text = preview1(
        "w/a",
        "(call $exit (call $open (i32.const 3) (i32.const 1026) (i32.const 1) (i32.const 0) (i64.const 2)))",
    );
    for panics in [Panics::AtOnce, Panics::InAHostFunction, Panics::OnAnotherThread] {
        let mut faulty = call(&text).allow("read:/**");
        faulty.invocation.mounts.push(Mount::new(GuestPath::parse("/w").unwrap(), Arc::new(FaultyStore(panics))));
        let outcome = tokio::time::timeout(Duration::from_secs(60), faulty.run()).await.unwrap();
        let error = outcome.error.clone().unwrap();
        assert_eq!((outcome.outcome, error.kind), (OutcomeKind::Host, ErrorKind::Host), "{panics:?}: {outcome:?}");
        assert!(!error.message.contains("on purpose"), "a panic's text stays inside: {error:?}");
        let after = call(&preview1("", "(call $exit (i32.const 3))")).run().await;
        assert_eq!(after.exit_code, Some(3));
    }
}
