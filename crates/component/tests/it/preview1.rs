//! preview1 modules become components; those that ask for more than preview1 are refused by name.

use caplet_component::{Caps, ComponentError, Contract, ImportKind, SourceKind, inspect};

pub(crate) const HELLO: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const 7))))"#;

#[test]
fn a_command_becomes_a_component() {
    let component = inspect(HELLO.as_bytes(), &Caps::default()).unwrap();
    assert_eq!(component.source, SourceKind::Preview1Module);
    assert_eq!(component.contract, Contract::Command);
    let names: Vec<&str> = component.imports.iter().map(|import| import.name.as_str()).collect();
    assert!(names.contains(&"caplet:process/exit@0.1.0"), "{names:?}");
    assert!(component.imports.iter().all(|import| import.kind != ImportKind::Unknown), "{names:?}");
    assert_eq!(component.tools.len(), 1);
    assert!(component.engine_bytes.get().unwrap().starts_with(b"\0asm\x0d"));
}

#[test]
fn a_command_needs_neither_imports_nor_memory() {
    for text in [
        r#"(module (func (export "_start")))"#,
        r#"(module (func (export "_start") (loop br 0)) (global i32 (i32.const 1)))"#,
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (func (export "_start") (call $exit (i32.const 7))))"#,
        r#"(module (table 1 funcref) (tag) (elem (i32.const 0) func 0) (func (export "_start")))"#,
    ] {
        let bare = inspect(text.as_bytes(), &Caps::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(bare.contract, Contract::Command);
    }
}

#[test]
fn componentizing_is_deterministic() {
    let once = inspect(HELLO.as_bytes(), &Caps::default()).unwrap();
    let twice = inspect(HELLO.as_bytes(), &Caps::default()).unwrap();
    assert_eq!(once.engine_bytes.get(), twice.engine_bytes.get());
    assert_eq!(once.digest, twice.digest);
}

#[test]
fn what_is_not_a_preview1_command_is_refused_by_name() {
    let start = r#"(memory (export "memory") 1) (func (export "_start"))"#;
    let cases: &[(&str, String, &str)] = &[
        ("host import", format!(r#"(module (import "env" "log" (func (param i32))) {start})"#), r#""env" "log""#),
        ("old WASI", format!(r#"(module (import "wasi_unstable" "fd_write" (func)) {start})"#), "wasi_unstable"),
        (
            "unknown function",
            format!(r#"(module (import "wasi_snapshot_preview1" "fd_frob" (func)) {start})"#),
            r#""fd_frob""#,
        ),
        (
            "wrong type",
            format!(r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i64))) {start})"#),
            "(i64) -> ()",
        ),
        (
            "imported memory",
            r#"(module (import "env" "memory" (memory 1)) (func (export "_start")))"#.to_owned(),
            r#""env" "memory""#,
        ),
        (
            "a global of preview1",
            format!(r#"(module (import "wasi_snapshot_preview1" "fd_write" (global i32)) {start})"#),
            "not imported as a function",
        ),
        (
            "thread",
            format!(r#"(module (import "wasi" "thread-spawn" (func (param i32) (result i32))) {start})"#),
            "thread-spawn",
        ),
        ("reactor", r#"(module (func (export "_initialize")))"#.to_owned(), "reactor"),
        ("library", r#"(module (func (export "add")))"#.to_owned(), "does not export `_start`"),
        ("empty", "(module)".to_owned(), "does not export `_start`"),
        ("both", r#"(module (func (export "_start")) (func (export "_initialize")))"#.to_owned(), "both"),
        ("start with a parameter", r#"(module (func (export "_start") (param i32)))"#.to_owned(), "(i32) -> ()"),
        (
            "start with a result",
            r#"(module (func (export "_start") (result i32) i32.const 0))"#.to_owned(),
            "() -> (i32)",
        ),
        ("start is a memory", r#"(module (memory (export "_start") 1))"#.to_owned(), "not a function"),
        ("two starts", r#"(module (func (export "_start")) (func (export "_start")))"#.to_owned(), "duplicate export"),
        ("hidden memory", r#"(module (memory 1) (func (export "_start")))"#.to_owned(), "does not export its memory"),
    ];
    for (name, text, expected) in cases {
        let error = inspect(text.as_bytes(), &Caps::default()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{name}: {message}");
        assert!(!message.contains('\n'), "{name}: {message}");
    }
}

#[test]
fn exports_and_sections_cannot_steer_the_encoder() {
    let module = r#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "_start"))
      (func (export "cabi_realloc") (param i32) (result i32) i32.const 0)
      (func (export "[async-lift]x"))
      (func (export "cm32p2|a:b/c|d"))
      (func (export "wasi:cli/run@0.2.0#run") (result i32) i32.const 0)
      (@custom "component-type:evil" "\00asm\0d\00\01\00\ff")
      (@custom "component-type" ""))"#;
    let component = inspect(module.as_bytes(), &Caps::default()).unwrap();
    assert_eq!(component.contract, Contract::Command);
}

#[test]
fn proc_exit_may_be_imported_twice() {
    let module = r#"(module
      (import "wasi_snapshot_preview1" "proc_exit" (func $a (param i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $b (param i32)))
      (memory (export "memory") 1)
      (func (export "_start") (call $b (i32.const 1))))"#;
    match inspect(module.as_bytes(), &Caps::default()) {
        Ok(component) => assert_eq!(component.contract, Contract::Command),
        Err(ComponentError::NotATool { reason, .. }) => assert!(!reason.contains('\n')),
        Err(other) => panic!("{other}"),
    }
}
