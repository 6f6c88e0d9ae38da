//! Exported functions become tools, with schemas made from their types.

use caplet_component::{Caps, Component, Contract, Docs, Type, check, embed_docs, inspect};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// A component that exports and imports what `wit` says; its functions do nothing.
pub(crate) fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

fn read(wit: &str) -> Component {
    inspect(&component(wit), &Caps::default()).unwrap()
}

pub(crate) const EVERY_TYPE: &str = r#"
    package example:types;

    interface shapes {
      /// Where something is.
      record point {
        /// Distance to the left edge.
        x: s32,
        y: s32,
        max-depth: option<u8>,
      }
      variant shape {
        /// A circle of this radius.
        circle(f64),
        line(tuple<point, point>),
        nothing,
        not-a-shape,
      }
      enum encoding { utf-8, base64 }
      flags permissions { read, write-all, execute }

      /// Draws a shape.
      ///
      /// More about drawing.
      ///
      /// - `shape`: what to draw,
      ///   and where
      /// - `encoding`: how
      draw: func(shape: shape, encoding: encoding, permissions: permissions) -> result<string, shape>;
    }

    world types {
      export shapes;
      export scalars: func(a: bool, b: s8, c: u8, d: s16, e: u16, f: s32, g: u32, h: s64, i: u64, j: f32, k: f64,
                           l: char, m: string);
      /// Says hello.
      export compounds: func(bytes: list<u8>, rows: list<list<string>>, pair: tuple<u8, string>,
                             maybe: option<string>, nested: option<option<u32>>, outcome: result<u8, string>,
                             bare: result) -> option<list<u64>>;
      export nothing: func();
    }
"#;

#[test]
fn schemas_of_every_type() {
    let component = read(EVERY_TYPE);
    assert_eq!(component.contract, Contract::Exports);
    let shown: Vec<_> = component
        .tools
        .iter()
        .map(|tool| {
            serde_json::json!({"function": tool.function, "export": tool.export.to_string(),
                               "input": tool.input_schema, "output": tool.output_schema})
        })
        .collect();
    insta::assert_json_snapshot!(shown);
}

#[test]
fn a_result_is_output_and_error() {
    let component = read(EVERY_TYPE);
    let draw = component.tools.iter().find(|tool| tool.function == "draw").unwrap();
    assert_eq!(draw.signature.output(), Some(&Type::String));
    assert!(matches!(draw.signature.error(), Some(Type::Variant(_))));
}

#[test]
fn documentation_from_wit_reaches_descriptions() {
    let folder = std::env::temp_dir().join(format!("caplet-component-docs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("types.wit");
    std::fs::write(&path, EVERY_TYPE).unwrap();
    let docs = Docs::read_wit(&path, None).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();

    let plain = component(EVERY_TYPE);
    let documented = embed_docs(&plain, &docs, &Caps::default()).unwrap();
    assert_eq!(documented, embed_docs(&documented, &docs, &Caps::default()).unwrap(), "replaced, not added");
    let component = inspect(&documented, &Caps::default()).unwrap();
    let tool = |name: &str| component.tools.iter().find(|tool| tool.function == name).unwrap();
    assert_eq!(tool("compounds").description, "Says hello.");
    assert_eq!(tool("draw").description, "Draws a shape.\n\nMore about drawing.");
    let properties = &tool("draw").input_schema["properties"];
    assert_eq!(properties["shape"]["description"], "what to draw, and where");
    assert_eq!(properties["encoding"]["description"], "how");
    let shown = properties["shape"].to_string();
    assert!(shown.contains("Distance to the left edge.") && shown.contains("A circle of this radius."), "{shown}");
    assert_eq!(tool("nothing").description, "");
}

#[test]
fn what_componentize_py_exports_for_itself_is_no_tool() {
    let wit = |parameters: &str| {
        format!(
            "package example:py; world tool {{ export exports: interface {{ init: func({parameters}); }} \
             export echo: func(text: string) -> string; }}"
        )
    };
    let functions =
        |component: &Component| -> Vec<String> { component.tools.iter().map(|tool| tool.function.clone()).collect() };
    let bytes = component(&wit("app-name: string, symbols: list<string>, stub-wasi: bool"));
    let read_back = inspect(&bytes, &Caps::default()).unwrap();
    assert_eq!(functions(&read_back), ["echo"]);
    assert_eq!(read_back.skipped[0].name, "exports.init");
    let findings = check(&bytes, None, &Caps::default());
    assert!(findings.iter().all(|finding| !finding.message.contains("init")), "{findings:?}");
    // An author's own function of that name is one.
    let own = read(&wit("name: string"));
    assert_eq!(functions(&own), ["echo", "init"]);
}

#[test]
fn functions_that_json_cannot_carry_are_skipped_with_the_reason() {
    let component = read(
        r#"package example:res;
           interface files {
             resource file { constructor(name: string); read: func() -> string; }
             take: func(file: file);
             give: func() -> file;
             list-all: func() -> list<string>;
           }
           world w { export files; }"#,
    );
    let names: Vec<&str> = component.tools.iter().map(|tool| tool.function.as_str()).collect();
    assert_eq!(names, ["list-all"]);
    let skipped: Vec<String> =
        component.skipped.iter().map(|skipped| format!("{}: {}", skipped.name, skipped.reason)).collect();
    assert_eq!(skipped.len(), 4, "{skipped:?}");
    assert!(skipped.iter().any(|line| line.contains("take: file: it has a resource")), "{skipped:?}");
    assert!(skipped.iter().any(|line| line.contains("give: the result: it has a resource")), "{skipped:?}");
    assert!(skipped.iter().any(|line| line.contains("[constructor]file")), "{skipped:?}");
}

#[test]
fn names_are_as_short_as_they_can_be() {
    let component = read(
        r#"package example:names@1.2.0;
           interface one { run: func(); only: func(); }
           interface two { run: func(); }
           world w { export one; export two; export plain: func(); }"#,
    );
    let names: Vec<&str> = component.tools.iter().map(|tool| tool.function.as_str()).collect();
    assert_eq!(names, ["plain", "one.run", "only", "two.run"]);
    assert_eq!(component.tools[1].export.interface.as_deref(), Some("example:names/one@1.2.0"));
}

#[test]
fn a_component_that_exports_run_is_one_command() {
    let component = read(
        r#"package wasi:cli@0.2.3;
           interface run { run: func() -> result; }
           world w { export run; export other: func(); }"#,
    );
    assert_eq!(component.contract, Contract::Command);
    assert_eq!(component.tools.len(), 1);
    assert_eq!(component.tools[0].export.interface.as_deref(), Some("wasi:cli/run@0.2.3"));
    assert_eq!(component.skipped[0].name, "other");
    insta::assert_json_snapshot!(component.tools[0].input_schema, @r#"
    {
      "additionalProperties": false,
      "properties": {
        "args": {
          "anyOf": [
            {
              "items": {
                "type": "string"
              },
              "type": "array"
            },
            {
              "type": "null"
            }
          ],
          "description": "The command's arguments, without its name."
        },
        "stdin": {
          "anyOf": [
            {
              "type": "string"
            },
            {
              "type": "null"
            }
          ],
          "description": "What the command reads from standard input."
        }
      },
      "type": "object"
    }
    "#);
}

#[test]
fn a_run_of_another_type_or_version_is_not_a_command() {
    for wit in [
        "package wasi:cli@0.2.3; interface run { run: func() -> string; } world w { export run; }",
        "package wasi:cli@0.3.0; interface run { run: func() -> result; } world w { export run; }",
        "package evil:cli@0.2.3; interface run { run: func() -> result; } world w { export run; }",
    ] {
        assert_eq!(read(wit).contract, Contract::Exports, "{wit}");
    }
}

#[test]
fn imports_are_listed_with_what_they_need() {
    let cases = [
        ("wasi:filesystem/types@0.2.0", "wasi:filesystem"),
        ("wasi:http/outgoing-handler@0.2.99", "wasi:http"),
        ("wasi:http/types@0.3.0-draft", "unknown"),
        ("wasi:http/types@0.2.0-rc-2023", "unknown"),
        ("wasi:http/types", "unknown"),
        ("wasi:http/incoming-handler@0.2.3", "unknown"),
        ("wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue"),
        ("wasi:keyvalue/batch@0.2.0-draft2", "wasi:keyvalue"),
        ("wasi:keyvalue/watcher@0.2.0-draft2", "unknown"),
        ("wasi:keyvalue/store@0.2.0-draft3", "unknown"),
        ("wasi:config/store@0.2.0-draft", "wasi:config"),
        ("wasi:config/store@0.2.0-draft-2024-09-27", "wasi:config"),
        ("wasi:config/store@0.2.0-rc.1", "wasi:config"),
        ("wasi:config/store@0.2.0-rc.2", "unknown"),
        ("wasi:cli/environment@0.2.6", "wasi:cli/environment"),
        ("wasi:cli/exit@0.2.6", "no authority needed"),
        ("wasi:io/streams@0.2.6", "no authority needed"),
        ("wasi:clocks/wall-clock@0.2.6", "wasi:clocks"),
        ("wasi:random/insecure-seed@0.2.6", "wasi:random"),
        ("wasi:sockets/ip-name-lookup@0.2.6", "always refused"),
        ("caplet:tools/invoke@0.1.0", "caplet:tools"),
        ("caplet:tools/invoke@0.2.0", "unknown"),
        ("evil:filesystem/types@0.2.0", "unknown"),
        ("plain", "unknown"),
    ];
    for (name, expected) in cases {
        let text = format!("(component (import {name:?} (instance)))");
        let component = inspect(text.as_bytes(), &Caps::default()).unwrap();
        assert_eq!(component.imports[0].kind.to_string(), expected, "{name}");
    }
}

#[test]
fn imported_type_names_need_nobody() {
    let component = read(
        r#"package example:imports;
           world w {
             record pair { a: u8, b: u8 }
             import helper: func(p: pair);
             export sum: func(p: pair) -> u32;
           }"#,
    );
    let names: Vec<&str> = component.imports.iter().map(|import| import.name.as_str()).collect();
    assert_eq!(names, ["helper"]);
}
