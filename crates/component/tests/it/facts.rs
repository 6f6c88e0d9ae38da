//! Facts that are stored come back the same, and what is anything else is an error.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use caplet_component::{
    Caps, Component, Docs, EngineBytes, Existing, FactsError, Manifest, SourceKind, embed, embed_docs, inspect,
};
use proptest::prelude::*;

use crate::preview1::HELLO;
use crate::tools::{EVERY_TYPE, component};

const FULL_MANIFEST: &str = include_str!("../manifests/valid/full.toml");

fn read(bytes: &[u8]) -> Component {
    inspect(bytes, &Caps::default()).unwrap()
}

/// The component, stored and restored without its bytes.
fn restored(component: &Component) -> Component {
    Component::from_facts(&component.to_facts(), component.engine_bytes.clone()).unwrap()
}

/// Bytes that nobody may ask for.
fn untouched() -> EngineBytes {
    EngineBytes::on_demand(|| panic!("nobody needs the bytes here"))
}

fn assert_restores(name: &str, component: &Component) {
    let restored = restored(component);
    assert_eq!(format!("{restored:#?}"), format!("{component:#?}"), "{name}");
    assert_eq!(restored.digest, component.digest, "{name}");
    assert_eq!(restored.source, component.source, "{name}");
    assert_eq!(restored.contract, component.contract, "{name}");
    assert_eq!(restored.imports, component.imports, "{name}");
    assert_eq!(restored.tools, component.tools, "{name}");
    assert_eq!(restored.skipped, component.skipped, "{name}");
    assert_eq!(restored.to_facts(), component.to_facts(), "{name}");
    let sources = [&restored, component].map(|component| component.manifest.as_ref().map(|m| m.source().to_owned()));
    assert_eq!(sources[0], sources[1], "{name}");
    let ceilings = [&restored, component].map(|component| component.manifest.as_ref().map(|m| m.ceiling()));
    assert_eq!(ceilings[0], ceilings[1], "{name}");
}

/// The built-in tools, by name.
fn built_in() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/built");
    let mut tools = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            tools.push((name, std::fs::read(&path).unwrap()));
        }
    }
    assert!(!tools.is_empty(), "there are no built-in tools in {folder}");
    tools
}

/// Every type, with documentation that has characters which JSON escapes, and with a manifest that says everything.
fn everything() -> Component {
    let wit = EVERY_TYPE.replace("Says hello.", "Says \"hello\\n\" to \u{1F600}.");
    let path = std::env::temp_dir().join(format!("caplet-facts-{:?}.wit", std::thread::current().id()));
    std::fs::write(&path, &wit).unwrap();
    let docs = Docs::read_wit(&path, None).unwrap();
    std::fs::remove_file(&path).unwrap();
    let bytes = embed_docs(&component(&wit), &docs, &Caps::default()).unwrap();
    let manifest = Manifest::parse(FULL_MANIFEST).unwrap();
    read(&embed(&bytes, &manifest, Existing::Refuse, &Caps::default()).unwrap())
}

#[test]
fn built_in_tools_come_back_the_same() {
    for (name, bytes) in built_in() {
        let component = read(&bytes);
        assert!(component.manifest.is_some(), "{name}");
        assert_restores(&name, &component);
    }
}

#[test]
fn every_type_and_all_of_a_manifest_come_back_the_same() {
    let component = everything();
    assert!(component.tools.iter().any(|tool| tool.description.contains("\"hello\\n\" to \u{1F600}")));
    assert_restores("every type", &component);
    let restored = restored(&component);
    let [before, after] = [&component, &restored].map(|component| component.manifest.as_ref().unwrap());
    assert_eq!(after.narrowing("clean"), before.narrowing("clean"));
    assert_eq!(after.limits(), before.limits());
    assert_eq!(after.command(), before.command());
}

#[test]
fn commands_and_skipped_exports_come_back_the_same() {
    let module = read(HELLO.as_bytes());
    assert_eq!(module.source, SourceKind::Preview1Module);
    assert_restores("preview1 module", &module);
    let for_stdin = Manifest::parse(FULL_MANIFEST).unwrap();
    let packed = embed(HELLO.as_bytes(), &for_stdin, Existing::Refuse, &Caps::default()).unwrap();
    assert_restores("preview1 module with a manifest", &read(&packed));

    let command = "package wasi:cli@0.2.3; interface run { run: func() -> result; }
                   world w { import environment; export run; export other: func(); }
                   interface environment { initial-cwd: func() -> option<string>; }";
    let command = read(&component(command));
    assert!(!command.skipped.is_empty() && !command.imports.is_empty(), "{command:?}");
    assert_restores("command", &command);
}

/// JSON nests deeper than the types that it states, and its reader has a limit.
#[test]
fn the_deepest_type_that_is_read_comes_back_the_same() {
    let levels = Caps::default().type_depth;
    let mut records = "record r0 { last-of-all: string }\n".to_owned();
    for level in 1..levels {
        records.push_str(&format!("record r{level} {{ inner: r{} }}\n", level - 1));
    }
    let deepest = levels - 1;
    let wit = |ty: &str| {
        format!(
            "package example:deep; interface deep {{ {records} f: func(p: {ty}) -> {ty}; }} world w {{ export deep; }}"
        )
    };
    let deep = read(&component(&wit(&format!("r{deepest}"))));
    assert_restores("deep", &deep);
    let deeper = inspect(&component(&wit(&format!("option<r{deepest}>"))), &Caps::default()).unwrap_err();
    assert!(deeper.to_string().contains("levels in one type"), "{deeper}");
}

#[test]
fn facts_do_not_hold_the_bytes() {
    for (name, bytes) in built_in() {
        let facts = read(&bytes).to_facts();
        assert!(facts.len() < 20_000, "{name}: {} bytes", facts.len());
    }
}

#[test]
fn facts_in_another_format_are_refused_by_its_number() {
    let facts = String::from_utf8(everything().to_facts()).unwrap();
    let (number, body) = facts.split_once('\n').unwrap();
    let next = number.parse::<u32>().unwrap() + 1;
    let error = Component::from_facts(format!("{next}\n{body}").as_bytes(), untouched()).unwrap_err();
    assert_eq!(error, FactsError::Format { found: next });
    let unknown = Component::from_facts(format!("{next}\nwhatever there is then").as_bytes(), untouched()).unwrap_err();
    assert_eq!(unknown, FactsError::Format { found: next });
}

#[test]
fn facts_that_were_cut_are_refused() {
    let facts = everything().to_facts();
    for end in 0..facts.len() {
        let error = Component::from_facts(&facts[..end], untouched()).unwrap_err();
        assert!(matches!(error, FactsError::Malformed(_)), "{end}: {error}");
        assert!(!error.to_string().contains('\n'), "{end}: {error}");
    }
    assert!(Component::from_facts(&facts, untouched()).is_ok());
}

#[test]
fn facts_that_were_patched_are_refused() {
    let facts = String::from_utf8(everything().to_facts()).unwrap();
    let cases = [
        ("no format", facts.replacen("2\n", "\n", 1)),
        ("a word for a format", facts.replacen("2\n", "two\n", 1)),
        ("more after the end", format!("{facts}{{}}")),
        ("a key that is not known", facts.replacen("{\"digest\"", "{\"more\":1,\"digest\"", 1)),
        ("a key twice", facts.replacen("{\"digest\"", "{\"source\":\"Component\",\"digest\"", 1)),
        ("a key that is gone", facts.replacen("\"skipped\":[],", "", 1)),
        ("a source that is not known", facts.replacen("\"source\":\"Component\"", "\"source\":\"x\\ny\"", 1)),
        ("a type that is not known", facts.replacen("\"Bytes\"", "\"Pointer\"", 1)),
        ("a short digest", facts.replacen("\"digest\":[", "\"digest\":[],\"x\":[", 1)),
        ("text for a list", facts.replacen("\"imports\":[", "\"imports\":\"x\",\"y\":[", 1)),
        ("types without end", facts.replacen("\"Bytes\"", &"{\"List\":".repeat(100_000), 1)),
    ];
    for (name, patched) in cases {
        assert_ne!(patched, facts, "{name}");
        let error = Component::from_facts(patched.as_bytes(), untouched()).unwrap_err();
        assert!(matches!(error, FactsError::Malformed(_)), "{name}: {error}");
        assert!(!error.to_string().contains('\n'), "{name}: {error}");
    }
    let manifest = facts.replacen("data-processor", "Data Processor", 1);
    let error = Component::from_facts(manifest.as_bytes(), untouched()).unwrap_err();
    assert!(matches!(&error, FactsError::Manifest(error) if error.line == Some(2)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), with_format: bool) {
        let facts = if with_format { [b"1\n".as_slice(), &bytes].concat() } else { bytes };
        prop_assert!(Component::from_facts(&facts, untouched()).is_err());
    }

    #[test]
    fn no_changed_bytes_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        static FACTS: LazyLock<Vec<u8>> = LazyLock::new(|| everything().to_facts());
        let mut facts = FACTS.clone();
        for (place, byte) in changes {
            let place = place.index(facts.len());
            facts[place] = byte;
        }
        // A letter of a description may well change and leave facts.
        if let Err(error) = Component::from_facts(&facts, untouched()) {
            prop_assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}

#[test]
fn bytes_are_loaded_once_and_only_when_asked_for() {
    let component = read(HELLO.as_bytes());
    let loads = Arc::new(AtomicUsize::new(0));
    let (counted, binary) = (Arc::clone(&loads), component.engine_bytes.get().unwrap());
    let bytes = EngineBytes::on_demand(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::clone(&binary))
    });
    let restored = Component::from_facts(&component.to_facts(), bytes).unwrap();
    let shown = format!("{restored:?} {:?}", restored.clone().to_facts());
    assert!(shown.contains("EngineBytes(not loaded)"), "{shown}");
    assert_eq!(loads.load(Ordering::SeqCst), 0);

    std::thread::scope(|scope| {
        for _ in 0..8 {
            let clone = restored.engine_bytes.clone();
            let expected = component.engine_bytes.get();
            scope.spawn(move || assert_eq!(clone.get(), expected));
        }
    });
    assert_eq!(restored.engine_bytes.get(), component.engine_bytes.get());
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[test]
fn bytes_that_cannot_be_loaded_say_why_each_time() {
    let loads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&loads);
    let bytes = EngineBytes::on_demand(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Err("the file is gone".to_owned())
    });
    assert_eq!(bytes.get().unwrap_err(), "the file is gone");
    assert_eq!(bytes.clone().get().unwrap_err(), "the file is gone");
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[test]
fn bytes_that_are_held_are_not_shown_and_not_copied() {
    let held: Arc<[u8]> = Arc::from(vec![7; 1_000].as_slice());
    let bytes = EngineBytes::held(Arc::clone(&held));
    assert!(Arc::ptr_eq(&bytes.clone().get().unwrap(), &held));
    assert_eq!(format!("{bytes:?}"), "EngineBytes(1000 bytes)");
}
