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

/// A preview1 command on the files of its first directory, at `d/text` and beside it. A step that fails is a trap.
pub(crate) fn files(body: &str) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_sync" (func $fd_sync (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
          (memory (export "memory") 3)
          (data (i32.const 256) "d/textd/other")
          (func $must (param $errno i32) (if (local.get $errno) (then unreachable)))
          ;; Leaves the descriptor at 0; gives the errno.
          (func $open (param $name i32) (param $length i32) (param $flags i32) (param $rights i64) (result i32)
            (call $path_open (i32.const 3) (i32.const 0) (local.get $name) (local.get $length) (local.get $flags)
              (local.get $rights) (local.get $rights) (i32.const 0) (i32.const 0)))
          ;; Writes so many bytes from 64 KiB on.
          (func $write (param $length i32)
            (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (local.get $length))
            (call $must (call $fd_write (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
            (call $must (i32.ne (i32.load (i32.const 16)) (local.get $length))))
          (func $close (call $must (call $fd_close (i32.load (i32.const 0)))))
          ;; Makes d/text, of 4 KiB, where it is not there.
          (func $make
            (if (call $open (i32.const 256) (i32.const 6) (i32.const 0) (i64.const 0x2)) (then
              (drop (call $mkdir (i32.const 3) (i32.const 256) (i32.const 1)))
              (call $must (call $open (i32.const 256) (i32.const 6) (i32.const 1) (i64.const 0x40)))
              (call $write (i32.const 4096))))
            (call $close))
          ;; Makes d/other, of 4 KiB.
          (func $touch
            (call $must (call $open (i32.const 262) (i32.const 7) (i32.const 1) (i64.const 0x40)))
            (call $write (i32.const 4096)) (call $close))
          ;; Opens d/text, reads 4 KiB and closes it, so often.
          (func $reads (param $times i32)
            (loop $l
              (call $must (call $open (i32.const 256) (i32.const 6) (i32.const 0) (i64.const 0x2)))
              (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (i32.const 4096))
              (call $must (call $fd_read (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
              (call $must (i32.ne (i32.load (i32.const 16)) (i32.const 4096)))
              (call $close)
              (br_if $l (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
          ;; Makes a file of so many pieces of this length, and syncs it.
          (func $writes (param $length i32) (param $times i32)
            (call $must (call $open (i32.const 264) (i32.const 5) (i32.const 1) (i64.const 0x40)))
            (loop $l
              (call $write (local.get $length))
              (br_if $l (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
            (call $must (call $fd_sync (i32.load (i32.const 0))))
            (call $close))
          (func (export "_start") {body}))"#
    )
}
