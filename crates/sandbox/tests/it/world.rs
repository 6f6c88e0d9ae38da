//! What a guest sees of the machine: nothing that it was not given.

use caplet_audit::OutcomeKind;

use crate::harness::{call, preview1};

const PRINT_BYTES: &str = "(i32.store (i32.const 8) (i32.const 4096)) (i32.store (i32.const 12) (i32.const 16))
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))";

#[tokio::test]
async fn time_never_moves_in_finer_steps_than_granted() {
    // Reads the monotonic clock until it changes, twice, and exits with 1 when a step is not a multiple of 10 ms.
    let text = preview1(
        "",
        "(local $a i64) (local $n i32)
         (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 4096)))
         (local.set $a (i64.load (i32.const 4096)))
         (block $done (loop $l
           (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 4096)))
           (br_if $l (i64.eq (local.get $a) (i64.load (i32.const 4096))))
           (if (i64.ne (i64.const 0) (i64.rem_u (i64.sub (i64.load (i32.const 4096)) (local.get $a)) (i64.const 10000000)))
             (then (call $exit (i32.const 1))))
           (local.set $a (i64.load (i32.const 4096)))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $l (i32.lt_u (local.get $n) (i32.const 3)))))",
    );
    let outcome = call(&text).allow("clock:10ms").run().await;
    assert_eq!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
}

#[tokio::test]
async fn a_seed_decides_every_random_byte_and_no_seed_decides_none() {
    let text = preview1("", &format!("(drop (call $random (i32.const 4096) (i32.const 16))) {PRINT_BYTES}"));
    let seeded = |seed: &'static str| {
        let text = text.clone();
        async move { call(&text).allow(seed).run().await.output }
    };
    assert_eq!(seeded("random:7").await, seeded("random:7").await);
    assert_ne!(seeded("random:7").await, seeded("random:8").await);
    assert_ne!(call(&text).run().await.output, call(&text).run().await.output);
}

#[tokio::test]
async fn only_the_given_environment_is_visible() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")
          (drop (call $sizes (i32.const 0) (i32.const 4)))
          (call $exit (i32.load (i32.const 0)))))"#;
    assert_eq!(call(text).run().await.exit_code, Some(0));
    let mut one = call(text);
    one.invocation.environment.push(("NAME".to_owned(), "value".to_owned()));
    assert_eq!(one.run().await.exit_code, Some(1));
}
