//! Grants and mounts through the command line: what a tool reaches, what it is refused, and what the refusal says.

use std::fs;
use std::os::unix::fs::symlink;

use crate::bin::{World, arg};
use crate::guests;

/// Error numbers of preview1.
const OK: i64 = 0;
const NOT_PERMITTED: i64 = 63;

/// Runs a guest that opens `path` and gives its error number, and the outcome.
fn open(world: &World, path: &str, options: &[&str]) -> (i64, serde_json::Value) {
    let tool = world.write("open.wat", guests::opens(path));
    let args = [&["run", tool.as_str(), "--ceiling", "open"] as &[&str], options].concat();
    let outcome = world.outcome(&args);
    (outcome["exit_code"].as_i64().unwrap_or(-1), outcome)
}

#[test]
fn a_rule_brings_its_directory_and_no_more() {
    let world = World::new();
    world.write("docs/a.txt", "a");
    world.write("secret.txt", "s");
    let (error, outcome) = open(&world, "a.txt", &["--allow", "read:docs/**"]);
    assert_eq!(error, OK, "{outcome}");
    assert_eq!(outcome["decisions"]["denied"], serde_json::json!([]));
    for path in ["../secret.txt", "/secret.txt", "../../home", "../docs/../secret.txt"] {
        let (error, outcome) = open(&world, path, &["--allow", "read:docs/**"]);
        assert_eq!(error, NOT_PERMITTED, "{path}: {outcome}");
    }
    let (error, _) = open(&world, "a.txt", &["--allow", "read:docs/a.txt"]);
    assert_eq!(error, OK, "a rule on a file brings its directory");
    let (error, _) = open(&world, "a.txt", &["--allow", "read:docs/**", "--deny", "read:docs/a.txt"]);
    assert_eq!(error, NOT_PERMITTED);
}

#[test]
fn a_denial_names_the_layer_the_rule_and_the_flag_that_works() {
    let world = World::new();
    world.write("docs/a.txt", "a");
    world.write("docs/it's", "b");
    let (_, outcome) = open(&world, "it's", &["--allow", "read:docs/a.txt"]);
    let denied = &outcome["decisions"]["denied"][0];
    assert_eq!(denied["capability"], "wasi:filesystem");
    assert_eq!(denied["layer"], "operator");
    assert!(denied["op"].as_str().unwrap().ends_with("/docs/it's"), "{denied}");
    let hint = denied["hint"].as_str().unwrap();
    assert!(hint.contains("--allow 'read:"), "{hint}");
    // What the hint says is typed into a shell as it is.
    let script = format!("printf %s {}", hint[hint.find("'read:").unwrap()..].split("' ").next().unwrap());
    let shell = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
    let rule = String::from_utf8(shell.stdout).unwrap();
    let (error, outcome) = open(&world, "it's", &["--allow", "read:docs/a.txt", "--allow", &rule]);
    assert_eq!(error, OK, "{rule}: {outcome}");
}

#[test]
fn without_a_manifest_nothing_is_permitted() {
    let world = World::new();
    world.write("a.txt", "a");
    let tool = world.write("open.wat", guests::opens("a.txt"));
    let outcome = world.outcome(&["run", &tool, "--allow", "read:**"]);
    assert_eq!(outcome["outcome"], "denied", "{outcome}");
    assert_eq!(outcome["decisions"]["denied"][0]["layer"], "manifest");
    let ran = world.run(&["run", &tool, "--allow", "read:**"]);
    ran.assert(3, &["denied", "manifest layer", "--ceiling open"]);
    let lifted = world.outcome(&["run", &tool, "--allow", "read:**", "--ceiling", "open"]);
    assert_eq!(lifted["exit_code"].as_i64().unwrap_or(0), OK, "what the hint says works: {lifted}");
}

#[test]
fn a_ceiling_bounds_what_is_granted() {
    let world = World::new();
    world.write("in/a.txt", "a");
    let tool = world.write("open.wat", guests::opens("a.txt"));
    for (path, ends) in [("/w/**", OK), ("/w/*.md", NOT_PERMITTED), ("/elsewhere/**", NOT_PERMITTED)] {
        let manifest = world.write("agent-tool.toml", guests::manifest(&guests::files(path, "read-only")));
        world.run(&["pack", &tool, "--manifest", &manifest, "-o", "packed.wasm"]).assert(0, &[]);
        let outcome = world.outcome(&["run", "./packed.wasm", "--mount", "/w=in", "--allow", "read:/w/**"]);
        assert_eq!(outcome["exit_code"].as_i64().unwrap_or(-1), ends, "{path}: {outcome}");
    }
}

#[test]
fn mounts_put_directories_where_they_are_wanted() {
    let world = World::new();
    world.write("in/a.txt", "a");
    let folder = arg(&world.path("in"));
    for mount in ["/w=in", "/w=./in", "/w=host:in", &format!("/w={folder}"), &format!("/w=host:{folder}")] {
        let (error, outcome) = open(&world, "a.txt", &["--mount", mount, "--allow", "read:/w/**"]);
        assert_eq!(error, OK, "{mount}: {outcome}");
    }
    // A mount gives nothing by itself.
    let (error, _) = open(&world, "a.txt", &["--mount", "/w=in"]);
    assert_eq!(error, NOT_PERMITTED);
    // Nothing is there, but it may be looked for.
    let (error, _) = open(&world, "a.txt", &["--mount", "/w=memory", "--allow", "read:/w/**"]);
    assert_eq!(error, 44);
    // Beside mounts, a rule on everything does not bring the host's root.
    let (error, _) = open(&world, "../etc/passwd", &["--mount", "/w=memory", "--allow", "read:/**"]);
    assert_ne!(error, OK);
}

#[test]
fn a_link_does_not_choose_what_a_rule_opens() {
    let world = World::new();
    world.write("elsewhere/a.txt", "a");
    symlink("elsewhere", world.path("docs")).unwrap();
    let tool = world.write("open.wat", guests::opens("a.txt"));
    let args = ["run", tool.as_str(), "--ceiling", "open", "--allow", "read:docs/**"];
    let ran = world.run(&args);
    ran.assert(2, &["symbolic link", "--mount"]);
    let hint = world.outcome(&args)["error"]["hint"].as_str().unwrap().to_owned();
    let mount = hint.split('\'').nth(1).unwrap();
    let outcome = world.outcome(&[&args as &[&str], &["--mount", mount]].concat());
    assert_eq!(outcome["exit_code"], 0, "{outcome}");
}

#[test]
fn no_grant_reaches_the_audit_log() {
    let world = World::new();
    let tool = world.write("open.wat", guests::opens("caplet/audit/audit-00000001.jsonl"));
    // The first run makes the log.
    world.run(&["run", "nosuch"]);
    let state = world.state();
    let before = fs::read_to_string(world.log()).unwrap();
    let above = arg(state.parent().unwrap());
    let run =
        |options: &[&str]| world.outcome(&[&["run", tool.as_str(), "--ceiling", "open"] as &[&str], options].concat());
    let mounted = format!("/w={above}");
    let written = run(&["--mount", &mounted, "--allow", "write:/w/**"]);
    assert_eq!(
        (&written["outcome"], &written["error"]["kind"]),
        (&"refused".into(), &"invalid-config".into()),
        "{written}"
    );
    let inside = run(&["--mount", &format!("/w={}", arg(&state)), "--allow", "read:/w/**"]);
    assert_eq!(inside["outcome"], "refused", "{inside}");
    let read = run(&["--mount", &mounted, "--allow", "read:/w/**"]);
    assert_eq!(read["exit_code"], NOT_PERMITTED, "{read}");
    let automatic = run(&["--allow", &format!("write:{above}/**")]);
    assert_eq!(automatic["exit_code"], NOT_PERMITTED, "{automatic}");
    assert_eq!(automatic["decisions"]["denied"][0]["layer"], "host", "{automatic}");
    let log = arg(&world.log());
    let wide = ["explain", &tool, &format!("write {log}"), "--ceiling", "open", "--allow", "write:/**"];
    world.run(&wide).assert(3, &[]);
    let after = fs::read_to_string(world.log()).unwrap();
    assert!(after.starts_with(&before));
    assert_eq!(after.lines().count(), before.lines().count() + 4);
}

#[test]
fn strict_imports_refuse_what_no_rule_covers() {
    let world = World::new();
    let tool = world.write("open.wat", guests::opens("a.txt"));
    let args = ["run", tool.as_str(), "--ceiling", "open", "--strict-imports"];
    world.run(&args).assert(3, &["wasi:filesystem"]);
    assert_eq!(world.outcome(&args)["outcome"], "refused");
}
