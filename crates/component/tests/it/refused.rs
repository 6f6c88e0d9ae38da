//! Files that are refused, each with one line that names the cause.

use caplet_component::{Caps, ComponentError, inspect};

fn refusal(bytes: &[u8]) -> String {
    let message = inspect(bytes, &Caps::default()).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn files_that_are_something_else() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "empty"),
        (b"\0as", "cut off"),
        (b"\0asm", "cut off"),
        (b"\0asm\x01\0\0", "cut off"),
        (b"\0asm\x02\0\0\0", "version is 02 00 00 00"),
        (b"\0asm\x0a\0\x01\0", "version"),
        (b"\x1f\x8b\x08\0\0\0", "gzip"),
        (b"PK\x03\x04....", "zip"),
        (b"\x7fELF\x02\x01\x01", "Linux program"),
        (b"#!/bin/sh\n", "script"),
        (b"hello", "neither"),
        (b"\xff\xfe(\0m\0", "neither"),
        (b"(module", "line 1"),
        (b"(module\n  (func (oops)))", "line 2, column 10"),
        (b"\0asm\x01\0\0\0\xff\xff\xff\xff\xff\xff", "not valid"),
        (b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x0f", "not valid"),
    ];
    for (bytes, expected) in cases {
        let message = refusal(bytes);
        assert!(message.contains(expected), "{bytes:?}: {message}");
    }
}

#[test]
fn features_that_are_off_are_named() {
    let cases: &[(&str, &str)] = &[
        ("(module (memory 1 1 shared))", "threads"),
        ("(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))", "threads"),
        ("(module (memory i64 1))", "memory64"),
        ("(module (table i64 1 funcref))", "memory64"),
        ("(module (memory 1 (pagesize 1)))", "custom page sizes"),
        ("(module (tag) (func try catch 0 end))", "legacy exceptions"),
        ("(module (func (param i64 i64) (result i64 i64) local.get 0 local.get 1 i64.mul_wide_s))", "wide arithmetic"),
        ("(module (type $f (func)) (type $c (cont $f)))", "stack switching"),
        (
            r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
              (func async (canon lift (core func $i "f") async)))"#,
            "component-model async (stackful)",
        ),
        ("(component (type error-context))", "error-context"),
        ("(component (type (list u8 4)))", "fixed-length lists"),
        ("(component (type (map string u8)))", "component-model maps"),
        ("(component (import \"v\" (value string)))", "component-model values"),
    ];
    for (text, feature) in cases {
        match inspect(text.as_bytes(), &Caps::default()).unwrap_err() {
            ComponentError::FeatureOff { feature: found, .. } => assert!(found.contains(feature), "{text}: {found}"),
            other => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn features_that_are_on_are_accepted() {
    let cases = [
        "(type (struct (field i32)))",
        "(tag $t) (func (try_table (catch_all 0)))",
        "(func (result v128) (i8x16.splat (i32.const 1)))",
        "(memory (export \"memory\") 1) (memory $b 1)",
        "(func $f (return_call $f))",
    ];
    for fields in cases {
        let text = format!(r#"(module (func (export "_start")) {fields})"#);
        inspect(text.as_bytes(), &Caps::default()).unwrap_or_else(|error| panic!("{fields}: {error}"));
    }
}

#[test]
fn an_invalid_function_is_refused_with_its_place() {
    let message = refusal(br#"(module (func (export "_start") i32.add))"#);
    assert!(message.contains("at byte 0x"), "{message}");
}

#[test]
fn files_beyond_the_caps_are_refused_quickly() {
    let many = |count: usize, item: &str| item.repeat(count);
    let blocks = format!("(module (func {} {}))", many(20_000, "block "), many(20_000, "end "));
    let targets = format!("(module (func (br_table {} (i32.const 0))))", many(70_000, "0 "));
    let locals = format!("(module (func (local {})))", many(30_000, "i32 "));
    let segments = format!("(module (memory 1) {})", many(60_001, r#"(data (i32.const 0) "a")"#));
    let types = format!("(module {})", many(120_000, "(type (func))"));
    let modules = format!("(component {})", many(1_100, "(core module)"));
    let nested = format!("(component {}{})", many(40, "(component "), many(40, ")"));
    let deep = format!("(module {}{})", many(1_000, "(func "), many(1_000, ")"));
    let started = std::time::Instant::now();
    for (what, text) in [
        ("blocks", blocks),
        ("br_table", targets),
        ("locals", locals),
        ("segments", segments),
        ("types", types),
        ("nested", modules),
        ("nested components", nested),
        ("parentheses", deep),
        ("parentheses", "(".repeat(1_000_000)),
        ("text", format!(r#"(module (memory 1) (data "{}"))"#, "a".repeat(5 << 20))),
    ] {
        match inspect(text.as_bytes(), &Caps::default()).unwrap_err() {
            ComponentError::TooIntricate { what: found, .. } => assert!(found.contains(what), "{what}: {found}"),
            other => panic!("{what}: {other}"),
        }
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_file_larger_than_the_limit_is_not_read() {
    let caps = Caps::default().with_binary_bytes(10);
    let error = inspect(b"\0asm\x01\0\0\0aaaaaaaa", &caps).unwrap_err();
    assert_eq!(error, ComponentError::TooLarge { size: 16, limit: 10 });
}

/// Types that double with each level: some hundred bytes that would expand to millions of schema nodes.
#[test]
fn type_bombs_end_in_an_error_quickly() {
    let mut types = "(type $t0 (tuple u8 u8))".to_owned();
    for level in 1..30 {
        types.push_str(&format!("(type $t{level} (tuple $t{} $t{}))", level - 1, level - 1));
    }
    for top in [14, 29] {
        let text = format!(
            r#"(component {types}
              (core module $m (memory (export "memory") 1) (func (export "f") (result i32) i32.const 0)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
              (core instance $i (instantiate $m))
              (func (export "f") (result $t{top})
                (canon lift (core func $i "f") (memory $i "memory") (realloc (func $i "realloc")))))"#
        );
        let started = std::time::Instant::now();
        refusal(text.as_bytes());
        assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    }
}
