//! Manifests go into files and come out again, and only one can be there.

use caplet_component::{Caps, ComponentError, Existing, MANIFEST_SECTION, Manifest, embed, extract, inspect};

const MODULE: &str = r#"(module (func (export "_start")))"#;
const COMPONENT: &str = r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))"#;

fn manifest(name: &str) -> Manifest {
    Manifest::parse(&format!("[tool.metadata]\nname = \"{name}\"\n")).unwrap()
}

#[test]
fn a_manifest_comes_out_as_it_went_in() {
    for text in [MODULE, COMPONENT] {
        let packed = embed(text.as_bytes(), &manifest("one"), Existing::Refuse, &Caps::default()).unwrap();
        assert_eq!(packed, embed(text.as_bytes(), &manifest("one"), Existing::Refuse, &Caps::default()).unwrap());
        let component = inspect(&packed, &Caps::default()).unwrap();
        assert_eq!(component.manifest.unwrap().source(), manifest("one").source());
        assert_eq!(extract(&packed, &Caps::default()).unwrap().unwrap().name(), "one");
        assert_eq!(
            extract(text.as_bytes(), &Caps::default()).unwrap().map(|manifest| manifest.name().to_owned()),
            None
        );
    }
}

#[test]
fn an_existing_manifest_is_replaced_only_when_asked() {
    for text in [MODULE, COMPONENT] {
        let packed = embed(text.as_bytes(), &manifest("one"), Existing::Refuse, &Caps::default()).unwrap();
        let refused = embed(&packed, &manifest("two"), Existing::Refuse, &Caps::default()).unwrap_err();
        assert!(refused.to_string().contains("has a manifest already"), "{refused}");
        let replaced = embed(&packed, &manifest("two"), Existing::Replace, &Caps::default()).unwrap();
        assert_eq!(replaced.len(), packed.len());
        assert_eq!(extract(&replaced, &Caps::default()).unwrap().unwrap().name(), "two");
        let fresh = embed(text.as_bytes(), &manifest("two"), Existing::Refuse, &Caps::default()).unwrap();
        assert_eq!(replaced, fresh, "the order of packing leaves no trace");
    }
}

fn custom() -> String {
    format!(r#"(@custom "{MANIFEST_SECTION}" "[tool.metadata]\nname = \"x\"\n")"#)
}

#[test]
fn a_second_manifest_is_refused_wherever_it_is() {
    let c = custom();
    let cases = [
        format!(r#"(module (func (export "_start")) {c} {c})"#),
        format!("(component {c} {c})"),
        format!("(component {c} (core module {c}))"),
        format!("(component (core module {c}))"),
        format!("(component (component {c}) {c})"),
        format!("(component (component (core module {c})))"),
    ];
    for text in cases {
        let error = inspect(text.as_bytes(), &Caps::default()).unwrap_err();
        assert!(error.is_manifest(), "{text}: {error}");
        assert!(extract(text.as_bytes(), &Caps::default()).is_err());
    }
}

#[test]
fn one_manifest_at_the_top_is_read_before_and_after_the_code() {
    let c = custom();
    for text in [
        format!(r#"(module {c} (func (export "_start")))"#),
        format!(r#"(module (func (export "_start")) {c})"#),
        format!("(component {c} (core module))"),
        format!("(component (core module) {c})"),
    ] {
        assert_eq!(inspect(text.as_bytes(), &Caps::default()).unwrap().manifest.unwrap().name(), "x");
    }
}

#[test]
fn an_unreadable_manifest_refuses_the_file() {
    for data in [r"\ff\fe", "", "[tool", r"[tool.metadata]\0a"] {
        let text = format!(r#"(module (func (export "_start")) (@custom "{MANIFEST_SECTION}" "{data}"))"#);
        let error = inspect(text.as_bytes(), &Caps::default()).unwrap_err();
        assert!(matches!(error, ComponentError::Manifest(_)), "{data}: {error}");
    }
}

#[test]
fn what_cannot_be_a_tool_is_not_packed() {
    assert!(embed(b"(module)", &manifest("x"), Existing::Refuse, &Caps::default()).is_err());
    assert!(embed(b"hello", &manifest("x"), Existing::Refuse, &Caps::default()).is_err());
}
