//! The audit log as a person asks it: what was called, the whole of a call, and whether the log is whole.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use caplet_testkit::TOOLS_PROBE;
use serde_json::{Value, json};

use crate::bin::{Ran, World, arg};
use crate::guests;

/// A world with some calls: one that is denied a file, two that add, one that is refused.
fn world() -> World {
    let world = World::new();
    let add = world.write("add.wat", guests::ADDS);
    let open = world.write("open.wat", guests::opens("/w/secret.txt"));
    world.write("d/secret.txt", "x");
    world.run(&["run", &open, "--ceiling", "open", "--mount", "/w=d", "--deny", "read:/w/**"]);
    world.run(&["run", &add, "--args", r#"{"a":1,"b":2}"#]).assert(0, &[]);
    world.run(&["run", "nosuch"]).assert(2, &[]);
    world.run(&["run", &add, "--args", r#"{"a":3,"b":4}"#, "--audit-arguments"]).assert(0, &[]);
    world
}

fn listed(world: &World, options: &[&str]) -> Vec<Value> {
    let ran = world.run(&[&["log", "--json"] as &[&str], options].concat());
    ran.assert(0, &[]);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn tools(world: &World, options: &[&str]) -> Vec<String> {
    listed(world, options).iter().map(|line| line["record"]["tool"].as_str().unwrap().to_owned()).collect()
}

fn verify(world: &World, options: &[&str]) -> Ran {
    world.run(&[&["audit", "verify"] as &[&str], options].concat())
}

#[test]
fn calls_are_listed_and_filtered() {
    let world = world();
    assert_eq!(tools(&world, &[]), ["open", "add", "nosuch", "add"]);
    for (options, expected) in [
        (&["--tool", "add"] as &[&str], &["add", "add"] as &[&str]),
        (&["--tool", "add", "--limit", "1"], &["add"]),
        (&["--outcome", "refused"], &["nosuch"]),
        (&["--denied"], &["open"]),
        (&["--path", "/w"], &["open"]),
        (&["--host", "example.com"], &[]),
        (&["--since", "1h", "--until", "2100-01-01"], &["open", "add", "nosuch", "add"]),
        (&["--until", "1h"], &[]),
    ] {
        assert_eq!(tools(&world, options), expected, "{options:?}");
    }
    let shown = world.run(&["log"]);
    assert_eq!(shown.stdout.lines().count(), 4, "{shown:?}");
    assert!(shown.stdout.contains("1 denied"), "{shown:?}");
    world.run(&["log", "--outcome", "fine"]).assert(2, &["no call ends so", "refused"]);
    world.run(&["log", "--since", "soon"]).assert(2, &["this is no time", "2h"]);
    World::new().run(&["log"]).assert(0, &["no record fits"]);
}

#[test]
fn a_call_is_shown_whole() {
    let world = world();
    let records = listed(&world, &[]);
    let id = |number: usize| records[number]["record"]["id"].as_str().unwrap();
    let shown = world.run(&["log", "show", id(0)]);
    shown.assert(0, &[]);
    for text in ["open", "sha256:", "denied", "read /w/secret.txt", "by host"] {
        assert!(shown.stdout.contains(text), "{text}: {shown:?}");
    }
    let asked = world.run(&["log", "show", id(3), "--json"]).json();
    assert_eq!(asked["record"]["arguments_text"], r#"{"a":3,"b":4}"#);
    let unasked = world.run(&["log", "show", id(1), "--json"]).json();
    assert_eq!(unasked["record"].get("arguments_text"), None, "only where it is asked for");
    world.run(&["log", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]).assert(2, &["no record", "caplet log"]);
}

#[test]
fn a_call_is_shown_with_those_that_it_made() {
    let world = World::new();
    world.write("probe.wat", TOOLS_PROBE);
    world.write("notes.txt", "from the file\n");
    let toolbox = "[tools.probe]\nsource = \"./probe.wat\"\nceiling = \"open\"\nallow = [\"call:file-read\"]\n\
                   [tools.file-read]\nallow = [\"read:notes.txt\"]\n";
    world.write("caplet.toml", toolbox);
    let arguments = json!({"name": "file-read", "arguments": json!({"path": "notes.txt"}).to_string()}).to_string();
    let outcome = world.outcome(&["run", "--config", "./caplet.toml", "probe", "call", "--args", &arguments]);
    let tree = world.run(&["log", "show", outcome["record"].as_str().unwrap(), "--json"]).json();
    assert_eq!((&tree["record"]["tool"], &tree["calls"][0]["record"]["tool"]), (&json!("probe"), &json!("file-read")));
}

#[test]
fn a_log_is_verified_and_what_was_done_to_it_is_named() {
    let world = world();
    let sound = verify(&world, &[]);
    sound.assert(0, &[]);
    assert!(sound.stdout.contains("sound") && sound.stdout.contains("vouches for all of it"), "{sound:?}");
    let key = fs::read_to_string(world.state().join("audit-keys/audit.pub")).unwrap();
    verify(&world, &["--key", key.trim()]).assert(0, &[]);
    let file = world.write("audit.pub", &key);
    verify(&world, &["--key", &file]).assert(0, &[]);
    let other = verify(&world, &["--key", &"ab".repeat(32), "--json"]);
    assert_eq!((other.code, &other.json()["fault"]["kind"]), (1, &json!("checkpoint")));
    verify(&world, &["--key", "nonsense"]).assert(2, &["--key nonsense", "audit.pub"]);

    let whole = fs::read_to_string(world.log()).unwrap();
    fs::write(world.log(), whole.replacen("\"tool\":\"add\"", "\"tool\":\"sub\"", 1)).unwrap();
    let edited = verify(&world, &[]);
    edited.assert(1, &[]);
    assert!(edited.stdout.contains("audit-00000001.jsonl:3: edited"), "{edited:?}");
    let lines: Vec<&str> = whole.lines().collect();
    fs::write(world.log(), lines[..4].join("\n") + "\n").unwrap();
    let cut = verify(&world, &["--json"]);
    assert_eq!((cut.code, &cut.json()["fault"]["kind"]), (1, &json!("truncated")));
    let elsewhere = world.path("copy");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("audit-00000001.jsonl"), &whole).unwrap();
    verify(&world, &["--log", "copy"]).assert(0, &[]);
    World::new().run(&["audit", "verify"]).assert(2, &["no audit log"]);
}

#[test]
fn records_are_exported() {
    let world = world();
    let exported = world.run(&["audit", "export", "--tool", "add"]);
    let records: Vec<Value> = exported.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.iter().map(|record| &record["tool"]).collect::<Vec<_>>(), ["add", "add"]);
    let syslog = world.run(&["audit", "export", "--format", "syslog", "--denied"]).stdout;
    assert!(syslog.starts_with("<108>1 20") && syslog.contains(" caplet - call - \u{feff}{"), "{syslog}");
    assert_eq!(syslog.lines().count(), 1);
}

#[test]
fn new_records_are_followed() {
    let world = world();
    let mut command = world.command(&["log", "--follow", "--json", "--limit", "1"]);
    let mut following = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["record"]["tool"].clone();
    assert_eq!(next(), "add");
    world.run(&["run", "other"]);
    assert_eq!(next(), "other");
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn with_best_effort_a_call_goes_on_without_its_record_and_the_next_says_so() {
    let world = World::new();
    let add = world.write("add.wat", guests::ADDS);
    let args = ["run", &add, "--args", r#"{"a":1,"b":2}"#, "--audit", "best-effort"];
    assert_eq!(world.run(&args).code, 0);
    assert_eq!(world.records()[0]["lost"], 0, "that nothing had to be kept is on record");
    fs::set_permissions(world.log(), fs::Permissions::from_mode(0o666)).unwrap();
    world.run(&args[..4]).assert(6, &["audit log", "chmod 600"]);
    let outcome = world.outcome(&args);
    assert_eq!((&outcome["outcome"], &outcome["record"]), (&json!("ok"), &Value::Null));
    fs::set_permissions(world.log(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(world.run(&args).code, 0);
    assert_eq!(world.records().len(), 2);
}

#[test]
fn no_grant_reaches_the_keys_of_the_log() {
    let world = World::new();
    world.run(&["run", "nosuch"]);
    let keys = world.state().join("audit-keys");
    assert!(keys.join("audit.key").exists());
    let tool = world.write("open.wat", guests::opens("audit-keys/audit.key"));
    let above = arg(&world.state());
    for rule in [format!("write:{above}/**"), format!("read:{}/**", arg(&keys))] {
        let outcome = world.outcome(&["run", &tool, "--ceiling", "open", "--allow", &rule]);
        assert_ne!(outcome["exit_code"], 0, "{outcome}");
    }
    let inside = format!("/w={}", arg(&keys));
    let outcome = world.outcome(&["run", &tool, "--ceiling", "open", "--mount", &inside, "--allow", "read:/w/**"]);
    assert_eq!(outcome["outcome"], "refused", "{outcome}");
}
