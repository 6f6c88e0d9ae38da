//! What is run.

/// `add: func(a: u32, b: u32) -> u32`, in a memory of one page.
pub(crate) const ADD: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;

/// A function that never ends.
pub(crate) const SPIN: &str = r#"(component
  (core module $m (func (export "spin") (loop $l (br $l))))
  (core instance $i (instantiate $m))
  (func (export "spin") (canon lift (core func $i "spin"))))"#;

/// `count: func(n: u32) -> u32`: a loop that does next to nothing, which is where looking at the deadline costs most.
pub(crate) const COUNT: &str = r#"(component
  (core module $m
    (func (export "count") (param $n i32) (result i32) (local $i i32)
      (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
      (local.get $i)))
  (core instance $i (instantiate $m))
  (func (export "count") (param "n" u32) (result u32) (canon lift (core func $i "count"))))"#;

/// `fib: func(n: u32) -> u32`: calls and branches, as most programs are made of.
pub(crate) const FIB: &str = r#"(component
  (core module $m
    (func $fib (export "fib") (param $n i32) (result i32)
      (if (result i32) (i32.lt_u (local.get $n) (i32.const 2)) (then (local.get $n)) (else
        (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1))) (call $fib (i32.sub (local.get $n) (i32.const 2))))))))
  (core instance $i (instantiate $m))
  (func (export "fib") (param "n" u32) (result u32) (canon lift (core func $i "fib"))))"#;

/// A component that `cargo xtask programs --components` built, if it did.
pub(crate) fn component(name: &str) -> Option<std::path::PathBuf> {
    let folder = std::path::PathBuf::from(std::env::var_os("CAPLET_BENCH_COMPONENTS")?);
    Some(folder.join(format!("{name}.wasm"))).filter(|file| file.is_file())
}

/// A preview1 command that does `body`, with `$write` for a write of 4 KiB to standard output.
pub(crate) fn command(body: &str) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1) (table $t 1 funcref)
          (data (i32.const 0) "\00\01\00\00\00\10\00\00")
          (func $write (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
          (func $sleep
            (i32.store (i32.const 2064) (i32.const 1)) (i64.store (i32.const 2072) (i64.const 3600000000000))
            (drop (call $poll (i32.const 2048) (i32.const 3072) (i32.const 1) (i32.const 0))))
          (func $deeper (param i64) (result i64) (i64.add (call $deeper (local.get 0)) (i64.const 1)))
          (func (export "_start") {body}))"#
    )
}

/// Guests that try to use up the host: what they do, and how.
pub(crate) const HOSTILE: &[(&str, &str)] = &[
    ("traps", "unreachable"),
    ("loops", "(loop $l (br $l))"),
    ("bombs memory", "(loop $l (drop (memory.grow (i32.const 64))) (br $l))"),
    ("bombs tables", "(loop $l (drop (table.grow $t (ref.null func) (i32.const 10000))) (br $l))"),
    ("floods its output", "(loop $l (call $write) (br $l))"),
    ("recurses", "(drop (call $deeper (i64.const 0)))"),
    ("sleeps", "(call $sleep)"),
];
