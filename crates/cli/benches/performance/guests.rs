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
