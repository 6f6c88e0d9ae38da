//! Findings for the author of a tool.

use std::fmt::Write as _;

use caplet_component::{Caps, Severity, check};

fn findings(file: &str, manifest: Option<&str>) -> String {
    let mut shown = String::new();
    for finding in check(file.as_bytes(), manifest, &Caps::default()) {
        let place = finding.line.map(|line| format!("{line}:{}", finding.column.unwrap()));
        writeln!(shown, "{} {}: {}", finding.severity.as_str(), place.as_deref().unwrap_or("-"), finding.message)
            .unwrap();
        writeln!(shown, "    help: {}", finding.help.as_deref().unwrap_or("-")).unwrap();
    }
    shown
}

const COMPONENT: &str = r#"(component
  (import "wasi:filesystem/preopens@0.2.3" (instance))
  (import "wasi:clocks/wall-clock@0.2.3" (instance))
  (import "wasi:io/poll@0.2.3" (instance))
  (import "wasi:sockets/tcp@0.2.3" (instance))
  (import "wasi:http/types@0.3.0" (instance))
  (import "my:own/thing" (instance))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func (export "plain-function") (canon lift (core func $i "f")))
  (type $r (resource (rep i32)))
  (export $e "thing" (type $r))
  (core func $drop (canon resource.drop $r))
)"#;

#[test]
fn imports_rules_and_descriptions_are_compared() {
    insta::assert_snapshot!("no_manifest", findings(COMPONENT, None));
    let manifest = r#"[tool.metadata]
name = "x"

[tool.capabilities."wasi:http"]
[[tool.capabilities."wasi:http".grants]]
scheme = "https"
host = "api.example.com"
path = "/v1"

[tool.capabilities."wasi:filesystem"]
grants = [{ path = "/**", mode = "read-write" }]

[tool.tools.plain-function]
description = "Does it."
capabilities."wasi:keyvalue".grants = [{ bucket = "b", mode = "read-only" }]

[tool.tools.other]
"#;
    insta::assert_snapshot!("with_manifest", findings(COMPONENT, Some(manifest)));
    let bare = "[tool.metadata]\nname = \"x\"\ndescription = \"Does it.\"\n[tool.capabilities]\n";
    insta::assert_snapshot!("no_rules", findings(COMPONENT, Some(bare)));
}

#[test]
fn what_is_refused_is_an_error() {
    for (file, manifest) in [
        (COMPONENT, Some("[tool.metadata]\nname = \"x\"\nextra = 1\n")),
        ("(module)", None),
        ("oops", Some("[tool.metadata]\nname = \"x\"\n")),
    ] {
        let findings = check(file.as_bytes(), manifest, &Caps::default());
        assert_eq!(findings[0].severity, Severity::Error, "{file}");
    }
}

#[test]
fn a_tool_without_fault_has_no_findings() {
    let module = r#"(module (func (export "_start")))"#;
    let manifest = r#"[tool.metadata]
name = "x"
description = "Does nothing."
"#;
    assert_eq!(findings(module, Some(manifest)), "");
}
