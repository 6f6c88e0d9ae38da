//! `memory`, as a person uses it: what one process keeps, another finds.

use serde_json::{Value, json};

use crate::bin::{Ran, World};

/// Calls a function of the tool, in a process of its own.
fn memory(world: &World, function: &str, arguments: &Value, more: &[&str]) -> Ran {
    let arguments = arguments.to_string();
    world.run(&[&["run", "memory", function, "--args", &arguments], more].concat())
}

const ALLOW: [&str; 2] = ["--allow", "kv:memory"];

/// The answer of a call that is permitted.
fn answer(world: &World, function: &str, arguments: &Value) -> Value {
    let run = memory(world, function, arguments, &[&ALLOW[..], &["--json"]].concat());
    run.assert(0, &[]);
    run.json()["output"].clone()
}

#[test]
fn a_note_is_kept_between_processes() {
    let world = World::new();
    let put = json!({"name": "project/deploy", "text": "Run make release.", "tags": ["ops"]});
    assert_eq!(answer(&world, "put", &put)["action"], "created");
    let append = json!({"name": "project/deploy", "text": "Then tell the team.", "if_exists": "append"});
    assert_eq!(answer(&world, "put", &append)["action"], "appended");
    let note = answer(&world, "get", &json!({"name": "project/deploy"}));
    assert_eq!(note["text"], "Run make release.\nThen tell the team.");
    assert_eq!(note["tags"], json!(["ops"]));
    let listing = answer(&world, "list", &json!({"tag": "OPS"}));
    assert_eq!((&listing["total"], &listing["notes"][0]["name"]), (&json!(1), &json!("project/deploy")));
    let found = answer(&world, "search", &json!({"query": "release"}));
    assert_eq!((&found["hits"][0]["name"], &found["searched"]), (&json!("project/deploy"), &json!(1)));
    assert_eq!(answer(&world, "forget", &json!({"name": "project/deploy"}))["existed"], true);
    assert_eq!(answer(&world, "forget", &json!({"name": "project/deploy"}))["existed"], false);
    memory(&world, "get", &json!({"name": "project/deploy"}), &ALLOW).assert(1, &["there is no note `project/deploy`"]);
}

#[test]
fn without_a_grant_nothing_is_kept() {
    let world = World::new();
    let put = json!({"name": "n", "text": "canary-note-text"});
    memory(&world, "put", &put, &[]).assert(3, &["denied: kv-read memory", "--allow"]);
    memory(&world, "put", &put, &["--allow", "kv:other"]).assert(3, &["denied: kv-read memory"]);
    assert_eq!(answer(&world, "list", &json!({}))["notice"], "There are no notes yet.");
}

#[test]
fn a_grant_to_read_reads_and_does_not_write() {
    let world = World::new();
    answer(&world, "put", &json!({"name": "n", "text": "old"}));
    let read_only = ["--allow", "kv:memory:ro"];
    memory(&world, "get", &json!({"name": "n"}), &read_only).assert(0, &[]);
    for (function, arguments) in [
        ("put", json!({"name": "n", "text": "new"})),
        ("put", json!({"name": "other", "text": "new"})),
        ("forget", json!({"name": "n"})),
    ] {
        memory(&world, function, &arguments, &read_only).assert(3, &["denied: kv-write memory/", "kv:memory"]);
    }
    assert_eq!(answer(&world, "get", &json!({"name": "n"}))["text"], "old");
    assert_eq!(answer(&world, "list", &json!({}))["total"], 1);
}

#[test]
fn of_processes_that_append_at_once_none_is_lost() {
    let world = World::new();
    std::thread::scope(|scope| {
        for n in 0..6 {
            let world = &world;
            scope.spawn(move || {
                let line = json!({"name": "log", "text": format!("line {n}"), "if_exists": "append"});
                answer(world, "put", &line);
            });
        }
    });
    let note = answer(&world, "get", &json!({"name": "log"}));
    let mut lines: Vec<&str> = note["text"].as_str().unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, (0..6).map(|n| format!("line {n}")).collect::<Vec<_>>());
}
