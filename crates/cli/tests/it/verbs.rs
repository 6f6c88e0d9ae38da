//! The verbs beside `run`.

use std::fs;

use serde_json::{Value, json};

use crate::bin::{BUILT_IN, World};
use crate::guests;

#[test]
fn pack_then_inspect_shows_the_manifest() {
    let world = World::new();
    let tool = world.write("open.wat", guests::opens("x"));
    world.write("agent-tool.toml", guests::manifest(&guests::files("/var/db/**", "read-write")));
    world.run(&["pack", &tool]).assert(0, &["wrote ./open.wasm"]);
    let shown = world.run(&["inspect", "./open.wasm"]);
    shown.assert(0, &[]);
    for text in ["probe", "1.0.0", "Probes.", "write:/var/db/**", "sha256:", "command"] {
        assert!(shown.stdout.contains(text), "{text} is not in: {}", shown.stdout);
    }
    let facts = world.run(&["inspect", "./open.wasm", "--json"]).json();
    assert_eq!(facts["manifest"]["name"], "probe");
    assert_eq!(facts["manifest"]["ceiling"][0]["grants"], json!(["write:/var/db/**"]));
    assert_eq!(facts["contract"], "command");
    assert!(facts["imports"].as_array().unwrap().iter().any(|import| import["capability"] == "wasi:filesystem"));
    // Packing again replaces it.
    world.write("agent-tool.toml", guests::manifest(&guests::files("/srv/**", "read-only")));
    world.run(&["pack", "./open.wasm"]).assert(0, &[]);
    let facts = world.run(&["inspect", "./open.wasm", "--json"]).json();
    assert_eq!(facts["manifest"]["ceiling"][0]["grants"], json!(["read:/srv/**"]));
}

#[test]
fn inspect_shows_functions_with_schemas() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    let facts = world.run(&["inspect", &tool, "--json"]).json();
    let function = &facts["tools"][0];
    assert_eq!(function["function"], "add");
    assert_eq!(function["input_schema"]["required"], json!(["a", "b"]));
    assert_eq!(facts["manifest"], Value::Null);
    world.run(&["inspect", &tool]).assert(0, &[]);
    let failed = world.run(&["inspect", "nosuch", "--json"]);
    assert_eq!((failed.code, &failed.json()["error"]["kind"]), (2, &json!("unknown-tool")));
}

#[test]
fn a_bad_manifest_is_refused_with_its_place_and_nothing_is_written() {
    let world = World::new();
    let tool = world.write("open.wat", guests::opens("x"));
    let table = [
        (guests::manifest("colour = \"red\"\n"), "colour", ":5:"),
        (guests::manifest(&guests::files("", "read-only")), "error: ", ":8:"),
        (guests::manifest(&guests::files("/x/[", "read-only")), "error: ", ":8:"),
        (guests::manifest(&guests::files("/x", "rw")), "error: ", ":9:"),
        ("[tool".to_owned(), "error: ", ":1:"),
        (String::new(), "error: ", ""),
        (format!("{}\u{1b}[31m = 1\n", guests::manifest("")), "error: ", ":5:"),
    ];
    for (text, says, place) in table {
        let manifest = world.write("agent-tool.toml", &text);
        for ran in [
            world.run(&["pack", &tool, "--manifest", &manifest, "-o", "out.wasm"]),
            world.run(&["check", &tool, "--manifest", &manifest]),
            world.run(&["check", &manifest]),
        ] {
            ran.assert(2, &[says, place]);
            assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
        }
        assert!(!world.path("out.wasm").exists());
        let found = world.run(&["check", &tool, "--manifest", &manifest, "--json"]).json();
        assert!(found["findings"].as_array().unwrap().iter().any(|finding| finding["severity"] == "error"), "{found}");
    }
    let missing = world.run(&["pack", &tool, "--manifest", "./nosuch.toml", "-o", "out.wasm"]);
    missing.assert(2, &["there is no such file"]);
    fs::create_dir(world.path("folder")).unwrap();
    let good = world.write("agent-tool.toml", guests::manifest(&guests::files("/x/**", "read-only")));
    world.run(&["pack", &tool, "--manifest", &good, "-o", "folder"]).assert(6, &["cannot write"]);
}

#[test]
fn check_finds_an_import_without_a_rule() {
    let world = World::new();
    let tool = world.write("open.wat", guests::opens("x"));
    let manifest = world.write("agent-tool.toml", guests::manifest(""));
    let ran = world.run(&["check", &tool, "--manifest", &manifest]);
    ran.assert(0, &["wasi:filesystem", "no rule", "agent-tool.toml:"]);
    let good = world.write("agent-tool.toml", guests::manifest(&guests::files("/x/**", "read-only")));
    let ran = world.run(&["check", &tool, "--manifest", &good]);
    assert!(!ran.stderr.contains("no rule"), "{ran:?}");
}

#[test]
fn explain_says_what_run_would_do() {
    let world = World::new();
    let tool = world.write("open.wat", guests::opens("x"));
    let manifest = world.write("agent-tool.toml", guests::manifest(&guests::files("/etc/**", "read-only")));
    world.run(&["pack", &tool, "--manifest", &manifest, "-o", "t.wasm"]).assert(0, &[]);
    let table: &[(&str, &[&str], i32, &[&str])] = &[
        ("read /etc/passwd", &["--allow", "read:/**"], 0, &["permitted", "read:/etc/**", "read:/**"]),
        ("write /etc/passwd", &["--allow", "write:/**"], 3, &["manifest", "operator", "denied", "ceiling"]),
        ("read /etc/passwd", &[], 3, &["--allow 'read:/etc/passwd'"]),
        ("read /etc/shadow", &["--allow", "read:/**", "--deny", "read:/etc/shadow"], 3, &["--deny"]),
        ("write /etc/passwd", &["--allow", "write:/**", "--ceiling", "open"], 0, &["permitted"]),
        ("GET https://example.com/x", &["--allow", "fetch:https://example.com/**"], 3, &["ceiling"]),
    ];
    for (op, options, code, says) in table {
        let args = [&["explain", "./t.wasm", op], *options].concat();
        let ran = world.run(&args);
        assert_eq!(ran.code, *code, "{op} {options:?}: {ran:?}");
        for text in *says {
            assert!(ran.stdout.contains(text) || ran.stderr.contains(text), "{text} is not in: {ran:?}");
        }
        let json = world.run(&[&args as &[&str], &["--json"]].concat()).json();
        assert_eq!(json["verdict"], if *code == 0 { "permitted" } else { "denied" }, "{json}");
    }
    for op in ["", "read", "fly /x", "GET nowhere", "read /../../x"] {
        world.run(&["explain", "./t.wasm", op]).assert(2, &["error: "]);
    }
}

#[test]
fn explain_takes_relative_paths_from_the_current_directory() {
    let world = World::new();
    let tool = world.write("open.wat", guests::opens("x"));
    let args = ["explain", tool.as_str(), "read docs/x", "--allow", "read:docs/**", "--ceiling", "open"];
    world.run(&args).assert(0, &[]);
}

#[test]
fn explain_tells_what_else_is_wrong_with_a_grant() {
    let world = World::new();
    let tool = world.write("two.wat", guests::TWO);
    let dead = ["explain", tool.as_str(), "read /etc/x", "--allow", "read:/etc/**", "--deny", "read:/**"];
    world.run(&dead).assert(3, &["permits nothing"]);
    let elsewhere = ["explain", tool.as_str(), "read /no/such/x", "--allow", "read:/no/such/**", "--ceiling", "open"];
    world.run(&elsewhere).assert(0, &["nothing is mounted"]);
    let unknown = ["explain", tool.as_str(), "read /x", "--function", "three"];
    world.run(&unknown).assert(2, &["one, two"]);
}

#[test]
fn policy_diff_proves_what_a_new_version_asks_for() {
    let world = World::new();
    let manifest = |name: &str, rules: &str| world.write(name, guests::manifest(rules));
    let data = manifest("data.toml", &guests::files("/data/**", "read-only"));
    let table = [
        (guests::files("/data/**", "read-only"), 0, ""),
        (guests::files("/data/x/*.txt", "read-only"), 0, ""),
        (String::new(), 0, ""),
        (guests::files("/data/**", "read-write"), 3, "write /data"),
        (guests::files("/data*/**", "read-only"), 3, "read /data"),
        (guests::files("/**", "read-only"), 3, "read /"),
        (
            "[tool.capabilities.\"wasi:http\"]\ngrants = [{ scheme = \"https\", host = \"x.org\", path = \"/**\" }]\n"
                .to_owned(),
            3,
            "https://x.org",
        ),
    ];
    for (rules, code, witness) in table {
        let new = manifest("new.toml", &rules);
        let ran = world.run(&["policy", "diff", &data, &new]);
        assert_eq!(ran.code, code, "{rules}: {ran:?}");
        assert!(ran.stdout.contains(witness), "{witness} is not in: {ran:?}");
        let json = world.run(&["policy", "diff", &data, &new, "--json"]).json();
        assert_eq!(json["widened"].as_array().unwrap().is_empty(), code == 0, "{json}");
    }
    let slow = manifest("new.toml", "[tool.limits]\ntimeout = \"5s\"\n");
    let slower = manifest("slower.toml", "[tool.limits]\ntimeout = \"9s\"\n");
    world.run(&["policy", "diff", &slow, &slower]).assert(3, &[]);
    world.run(&["policy", "diff", &slower, &slow]).assert(0, &[]);
    let bad = world.write("bad.toml", "[tool");
    world.run(&["policy", "diff", &data, &bad]).assert(2, &["bad.toml:1"]);
    world.run(&["policy", "diff", &data, "./nosuch.toml"]).assert(2, &["no such file"]);
}

#[test]
fn tools_lists_the_built_in_ones_with_their_ceilings() {
    let world = World::new();
    let listed = world.run(&["tools"]);
    listed.assert(0, &[]);
    let json = world.run(&["tools", "--json"]).json();
    for name in BUILT_IN {
        assert!(listed.stdout.contains(name), "{name} is not in: {}", listed.stdout);
        assert!(json["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == name));
    }
    for words in ["at most:\n", "read, change and remove the files /**\n", "call every other tool\n", "bucket memory\n"]
    {
        assert!(listed.stdout.contains(words), "{words:?} is not in: {}", listed.stdout);
    }
}
