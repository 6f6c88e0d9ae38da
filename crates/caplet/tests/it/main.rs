//! The library as programs embed it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose world cannot be set up has failed"
)]

mod approval;
mod arguments;
mod call;
mod callees;
mod cases;
mod catalog;
mod databases;
mod edit;
#[path = "../../examples/embed.rs"]
mod example;
mod explain;
mod grant;
mod instances;
mod languages;
mod learn;
mod lock;
mod recordings;
mod session;
mod toolbox;
mod tools;
mod watched;

/// A component that exports `add: func(a: u32, b: u32) -> u32`.
pub(crate) const ADDS: &str = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;

/// A command that never ends.
pub(crate) const LOOPS: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))"#;

/// A tool from the text format.
pub(crate) fn source(text: &str) -> caplet::Source {
    caplet::Source::Bytes { name: "guest".to_owned(), bytes: text.as_bytes().to_vec() }
}

#[test]
fn the_example_runs() {
    example::main().unwrap();
}
