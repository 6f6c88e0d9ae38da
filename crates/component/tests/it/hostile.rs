//! Damaged files end in an error, never in a panic.

use std::sync::LazyLock;

use caplet_component::{Caps, Component, Existing, Manifest, embed, inspect};
use proptest::prelude::*;

static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let manifest = Manifest::parse("[tool.metadata]\nname = \"x\"\n").unwrap();
    let texts = [
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
             (memory (export "memory") 1) (data (i32.const 0) "hello")
             (func (export "_start") (block (br_if 0 (i32.const 1)) (call 0 (i32.const 7)))))"#,
        r#"(component
             (type $r (record (field "a" u8) (field "b-c" (option string))))
             (export $x "rec" (type $r))
             (core module $m (memory (export "memory") 1)
               (func (export "f") (param i32 i32 i32 i32) (result i32) i32.const 0)
               (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
             (core instance $i (instantiate $m))
             (func $f (param "r" $r) (result string)
               (canon lift (core func $i "f") (memory $i "memory") (realloc (func $i "realloc"))))
             (func (export "f") (param "r" $x) (result string)
               (canon lift (core func $i "f") (memory $i "memory") (realloc (func $i "realloc")))))"#,
    ];
    texts.iter().map(|text| embed(text.as_bytes(), &manifest, Existing::Refuse, &Caps::default()).unwrap()).collect()
});

fn read(bytes: &[u8]) {
    match inspect(bytes, &Caps::default()) {
        Ok(Component { tools, .. }) => assert!(tools.len() <= 2),
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
}

#[test]
fn every_truncation_is_survived() {
    for file in FILES.iter() {
        for length in 0..file.len() {
            let cut = inspect(&file[..length], &Caps::default());
            // A file cut between two sections may be whole, but then its last section, the manifest, is gone.
            assert!(cut.is_err() || cut.unwrap().manifest.is_none(), "{length}");
        }
    }
}

#[test]
fn every_flipped_bit_is_survived() {
    for file in FILES.iter() {
        for index in 0..file.len() {
            for bit in 0..8 {
                let mut damaged = file.clone();
                damaged[index] ^= 1 << bit;
                read(&damaged);
            }
        }
    }
}

proptest! {
    #[test]
    fn scrambled_files_are_survived(which in 0_usize..2, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut damaged = FILES[which].clone();
        for (index, byte) in edits {
            let index = index.index(damaged.len());
            damaged[index] = byte;
        }
        read(&damaged);
    }

    #[test]
    fn arbitrary_text_is_survived(text in "[()a-z0-9 \";$%.\\\\\n-]{0,200}") {
        read(format!("({text}").as_bytes());
    }

    #[test]
    fn arbitrary_manifests_are_survived(text in "[\\[\\]a-z0-9 \"=.{}\n:-]{0,200}") {
        let _ = Manifest::parse(&text);
    }
}
