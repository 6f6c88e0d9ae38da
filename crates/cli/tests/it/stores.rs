//! Stores behind mounts and buckets, as a person uses them.

use std::fs;

use serde_json::json;

use crate::bin::{Ran, World};

/// Replaces `old` by `new` in a file, behind a mount.
fn edit(world: &World, mount: &str, path: &str, old: &str, new: &str) -> Ran {
    let arguments = json!({"path": path, "edits": [{"old_string": old, "new_string": new}]}).to_string();
    world.run(&["run", "file-edit", "--mount", mount, "--allow", "write:/w/**", "--args", &arguments])
}

fn write(world: &World, mount: &str, path: &str, text: &str) -> Ran {
    let arguments = json!({"path": path, "content": text}).to_string();
    world.run(&["run", "file-write", "--mount", mount, "--allow", "write:/w/**", "--args", &arguments])
}

fn read(world: &World, mount: &str, path: &str) -> Ran {
    let arguments = json!({"path": path}).to_string();
    world.run(&["run", "file-read", "--mount", mount, "--allow", "read:/w/**", "--args", &arguments])
}

#[test]
fn an_overlay_counts_once_it_is_committed() {
    let world = World::new();
    world.write("repo/src/main.rs", "fn main() {\n    old();\n}\n");
    let file = world.path("repo/src/main.rs");
    let repo = world.path("repo").display().to_string();
    let mount = format!("/w=overlay:{repo}");
    edit(&world, &mount, "/w/src/main.rs", "old()", "new()").assert(0, &[]);
    write(&world, &mount, "/w/added.txt", "added\n").assert(0, &[]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "fn main() {\n    old();\n}\n", "nothing counts yet");
    // A later process sees what an earlier one changed.
    let seen = read(&world, &mount, "/w/src/main.rs");
    seen.assert(0, &[]);
    assert!(seen.stdout.contains("new()"), "{seen:?}");
    let diff = world.run(&["diff", &repo]);
    diff.assert(0, &["1 added, 1 changed, 0 removed"]);
    assert!(diff.stdout.contains("-    old();\n+    new();\n") && diff.stdout.contains("+++ b/added.txt"), "{diff:?}");
    // Somebody else changes the same file.
    fs::write(&file, "fn main() {}\n").unwrap();
    world.run(&["commit", &repo]).assert(1, &["conflict", "nothing was applied"]);
    assert!(!world.path("repo/added.txt").exists(), "nothing is half applied");
    world.run(&["commit", &repo, "added.txt"]).assert(0, &["1 changes applied"]);
    assert_eq!(fs::read_to_string(world.path("repo/added.txt")).unwrap(), "added\n");
    world.run(&["drop", &repo]).assert(0, &["1 changes dropped"]);
    world.run(&["diff", &repo]).assert(0, &["nothing has changed"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "fn main() {}\n");
    edit(&world, &mount, "/w/src/main.rs", "{}", "{ new() }").assert(0, &[]);
    world.run(&["commit", &repo]).assert(0, &["1 changes applied"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "fn main() { new() }\n");
}

#[test]
fn what_is_no_overlay_is_said_so() {
    let world = World::new();
    world.write("repo/file", "text");
    let repo = world.path("repo").display().to_string();
    for verb in ["diff", "commit", "drop"] {
        world.run(&[verb, &repo]).assert(0, &["nothing has changed"]);
        world.run(&[verb, &repo, "missing"]).assert(2, &["nothing has changed at missing", "caplet diff --stat"]);
        world.run(&[verb, "./missing"]).assert(2, &["the overlay of ./missing"]);
    }
}

#[test]
fn a_database_keeps_files_and_no_other_mount_shows_it() {
    let world = World::new();
    world.write("data/plain.txt", "plain");
    let data = world.path("data").display().to_string();
    let mount = format!("/w=sqlite:{data}/files.db");
    write(&world, &mount, "/w/notes/a.txt", "kept").assert(0, &[]);
    read(&world, &mount, "/w/notes/a.txt").assert(0, &[]);
    let listed = world.run(&["fs", "ls", &format!("sqlite:{data}/files.db"), "/notes"]);
    assert!(listed.stdout.contains("a.txt"), "{listed:?}");
    world.run(&["fs", "check", &format!("sqlite:{data}/files.db")]).assert(0, &[]);
    let both = ["--mount", &mount, "--mount", &format!("/host={data}"), "--allow", "read:/host/**", "--json"];
    let glob = world.run(&[&["run", "file-glob", "--args", r#"{"pattern":"**","path":"/host"}"#], &both[..]].concat());
    let shown = glob.json()["output"].to_string();
    assert!(shown.contains("plain.txt") && !shown.contains("files.db"), "{glob:?}");
}

#[test]
fn a_mount_can_be_there_to_read_only() {
    let world = World::new();
    world.write("repo/file", "text");
    let repo = world.path("repo").display().to_string();
    for store in [format!("host:{repo}"), format!("overlay:{repo}")] {
        let mount = format!("/w={store}:ro");
        read(&world, &mount, "/w/file").assert(0, &[]);
        write(&world, &mount, "/w/file", "other").assert(3, &["mounted read-only"]);
    }
    world.run(&["diff", &repo]).assert(0, &["nothing has changed"]);
}

#[test]
fn a_bucket_is_where_it_was_said_to_be() {
    let world = World::new();
    let file = world.path("notes.db").display().to_string();
    let call = |function: &str, arguments: &str, bucket: &str| {
        let bucket = format!("memory={bucket}");
        world.run(&["run", "memory", function, "--allow", "kv:memory", "--bucket", &bucket, "--args", arguments])
    };
    let put = r#"{"name":"n","text":"here"}"#;
    call("put", put, &format!("sqlite:{file}")).assert(0, &[]);
    call("get", r#"{"name":"n"}"#, &format!("sqlite:{file}")).assert(0, &[]);
    call("put", put, "memory").assert(0, &[]);
    for elsewhere in ["memory", "session"] {
        call("get", r#"{"name":"n"}"#, elsewhere).assert(1, &["there is no note"]);
    }
    // Nobody listens there; the tool hears so, and nothing hangs.
    call("put", put, "redis://user:hunter2@127.0.0.1:1")
        .assert(1, &["cannot be used now", "warning: the key-value bucket", "Connection refused"]);
    for bad in ["", "ftp://x", "sqlite:", "redis"] {
        let refused = call("put", put, bad);
        assert_eq!(refused.code, 2, "{bad}: {refused:?}");
    }
    let secret = call("put", put, "mysql://user:hunter2@host");
    assert!(secret.code == 2 && !secret.stderr.contains("hunter2"), "{secret:?}");
}
