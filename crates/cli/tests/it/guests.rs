//! Small guests in the text format.

/// A preview1 command that exits with `code`.
pub(crate) fn exits(code: u32) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const {code}))))"#
    )
}

/// A preview1 command that writes `text` to a stream (1 standard output, 2 standard error).
pub(crate) fn prints(stream: u32, text: &str) -> String {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let length = text.len();
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "{escaped}")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const {length}))
    (drop (call $write (i32.const {stream}) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    )
}

/// A preview1 command whose body is `body`.
pub(crate) fn does(body: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#)
}

/// A preview1 command that opens the file `path` below the first preopened directory and exits with the error number of that.
pub(crate) fn opens(path: &str) -> String {
    let escaped: String = path.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let length = path.len();
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "{escaped}")
  (func (export "_start")
    (call $exit (call $open
      (i32.const 3) (i32.const 1) (i32.const 16) (i32.const {length}) (i32.const 0)
      (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 8)))))"#
    )
}

/// A preview1 command that prints the files `paths` below the first preopened directory; those that it cannot open are left out.
pub(crate) fn reads(paths: &[&str]) -> String {
    let mut data = String::new();
    let mut steps = String::new();
    for (number, path) in paths.iter().enumerate() {
        let at = 1024 + 256 * number;
        let length = path.len();
        data.push_str(&format!("(data (i32.const {at}) \"{path}\")\n"));
        steps.push_str(&format!("(call $print (i32.const {at}) (i32.const {length}))\n"));
    }
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  {data}
  (func $print (param $path i32) (param $length i32)
    (if (i32.eqz (call $open
          (i32.const 3) (i32.const 1) (local.get $path) (local.get $length) (i32.const 0)
          (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 8)))
      (then
        (i32.store (i32.const 16) (i32.const 8192))
        (i32.store (i32.const 20) (i32.const 4096))
        (if (i32.eqz (call $read (i32.load (i32.const 8)) (i32.const 16) (i32.const 1) (i32.const 24)))
          (then
            (i32.store (i32.const 20) (i32.load (i32.const 24)))
            (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))))))
  (func (export "_start")
    {steps}))"#
    )
}

/// A component that exports `add: func(a: u32, b: u32) -> u32`.
pub(crate) const ADDS: &str = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;

/// A component with two functions.
pub(crate) const TWO: &str = r#"(component
  (core module $m
    (func (export "one") (result i32) (i32.const 1))
    (func (export "two") (result i32) (i32.const 2)))
  (core instance $i (instantiate $m))
  (func (export "one") (result u32) (canon lift (core func $i "one")))
  (func (export "two") (result u32) (canon lift (core func $i "two"))))"#;

/// The manifest of DESIGN's example, with a rule on `/w/**`.
pub(crate) fn manifest(rules: &str) -> String {
    format!("[tool.metadata]\nname = \"probe\"\nversion = \"1.0.0\"\ndescription = \"Probes.\"\n{rules}")
}

/// A manifest's rule on files.
pub(crate) fn files(path: &str, mode: &str) -> String {
    format!(
        "[tool.capabilities.\"wasi:filesystem\"]\ndescription = \"Files.\"\n[[tool.capabilities.\"wasi:filesystem\".grants]]\npath = \"{path}\"\nmode = \"{mode}\"\n"
    )
}

/// A command that exits with 31 random bits.
pub(crate) const RANDOM: &str = r#"(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $random (i32.const 0) (i32.const 4)))
    (call $exit (i32.shr_u (i32.load (i32.const 0)) (i32.const 1)))))"#;
