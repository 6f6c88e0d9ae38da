//! How a call ends: answers, exits and traps, each for itself.

use caplet_audit::{ErrorKind, OutcomeKind};
use serde_json::json;

use crate::harness::{call, preview1};

#[tokio::test]
async fn the_whole_exit_code_of_a_preview1_module_is_the_outcome() {
    for (code, recorded) in [
        (0u32, 0u32),
        (1, 1),
        (7, 7),
        (125, 125),
        (127, 127),
        (134, 134),
        (255, 255),
        (256, 256),
        (u32::MAX, u32::MAX),
        (1 << 31, 1 << 31),
    ] {
        let outcome = call(&preview1("", &format!("(call $exit (i32.const {}))", code as i32))).run().await;
        assert_eq!((outcome.outcome, outcome.exit_code), (OutcomeKind::Exit, Some(recorded)), "code {code}");
    }
}

#[tokio::test]
async fn returning_from_start_is_success_with_what_was_written() {
    let text = preview1(
        "hello\\n",
        "(i32.store (i32.const 8) (i32.const 1024)) (i32.store (i32.const 12) (i32.const 6))
         (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))",
    );
    let outcome = call(&text).run().await;
    assert_eq!((outcome.outcome, outcome.output), (OutcomeKind::Ok, json!("hello\n")));
}

#[tokio::test]
async fn what_webassembly_forbids_is_a_trap_that_ends_one_call() {
    for (what, body) in [
        ("unreachable", "unreachable"),
        ("division by zero", "(drop (i32.div_s (i32.const 1) (i32.const 0)))"),
        ("a load out of bounds", "(drop (i32.load (i32.const -4)))"),
    ] {
        let outcome = call(&preview1("", body)).run().await;
        assert_eq!(outcome.outcome, OutcomeKind::Trap, "{what}");
        let error = outcome.error.unwrap();
        assert_eq!(error.kind, ErrorKind::Trap, "{what}");
        assert!(!error.message.contains("/src/"), "no host path: {}", error.message);
    }
    let after = call(&preview1("", "(call $exit (i32.const 3))")).run().await;
    assert_eq!(after.exit_code, Some(3), "the next call is not affected");
}

#[tokio::test]
async fn a_guest_that_exits_in_start_code_or_while_writing_ends_only_itself() {
    let in_start_function = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func $init (call $exit (i32.const 9)))
        (start $init)
        (func (export "_start")))"#;
    let outcome = call(in_start_function).run().await;
    // The adapter needs the memory before it can serve a call, so an engine may also trap here; either ends this call alone.
    assert!(matches!(outcome.outcome, OutcomeKind::Exit | OutcomeKind::Trap), "{outcome:?}");
}
