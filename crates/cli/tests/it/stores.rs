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
        world.run(&[verb, "./repo/file"]).assert(2, &["the overlay of ./repo/file", "it is not a directory"]);
    }
}

#[test]
fn the_changes_to_a_directory_that_is_gone_can_be_dropped() {
    let world = World::new();
    let store = || world.write("above/repo/file", "text");
    store();
    let mount = format!("/w=overlay:{}", world.path("above/repo").display());
    write(&world, &mount, "/w/file", "other").assert(0, &[]);
    write(&world, &mount, "/w/a", "new").assert(0, &[]);
    // Also where the directory that it was in is gone, and by another path to it.
    fs::rename(world.path("above"), world.path("elsewhere")).unwrap();
    for verb in ["diff", "commit"] {
        world.run(&[verb, "./above/repo"]).assert(2, &["the overlay of ./above/repo"]);
    }
    world.run(&["drop", "./above/repo", "a"]).assert(2, &["the overlay of ./above/repo"]);
    let dropped = world.run(&["drop", "./elsewhere/../above/repo"]);
    assert!(dropped.assert(0, &["2 changes dropped"]).stdout.contains(" a\n"), "{dropped:?}");
    store();
    world.run(&["diff", "./above/repo"]).assert(0, &["nothing has changed"]);
    let left = fs::read_dir(world.state().join("overlays")).unwrap().count();
    assert_eq!(left, 1, "nothing else is left beside the overlay's folder");
}

#[test]
fn a_commit_that_was_cut_short_says_what_it_has_applied() {
    let world = World::new();
    world.write("repo/file", "text");
    let mount = format!("/w=overlay:{}", world.path("repo").display());
    write(&world, &mount, "/w/a", "small").assert(0, &[]);
    write(&world, &mount, "/w/b/large", &"x".repeat(100_000)).assert(0, &[]);
    // No file may grow beyond 32 KiB, as if the disk was full.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" commit ./repo";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_caplet")]).current_dir(world.path(""));
    let output = command.env_clear().env("HOME", world.home()).output().unwrap();
    let (told, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    assert!(error.contains("b/large cannot be applied") && error.contains("changes were applied before"), "{error}");
    assert!(told.contains("added    a\n") && !told.contains("large"), "{told}");
    assert_eq!(fs::read_to_string(world.path("repo/a")).unwrap(), "small");
    world.run(&["commit", "./repo"]).assert(0, &["1 changes applied"]);
}

#[test]
fn a_path_that_is_empty_is_not_everything() {
    let world = World::new();
    world.write("repo/file", "text");
    let mount = format!("/w=overlay:{}", world.path("repo").display());
    write(&world, &mount, "/w/a", "new").assert(0, &[]);
    for verb in ["diff", "commit", "drop"] {
        for paths in [&[""][..], &["a", ""]] {
            world.run(&[&[verb, "./repo"], paths].concat()).assert(2, &["it is empty"]);
        }
    }
    world.run(&["diff", "./repo", "."]).assert(0, &["1 added, 0 changed, 0 removed"]);
    assert!(!world.path("repo/a").exists(), "nothing was applied");
    world.run(&["drop", "./repo", "."]).assert(0, &["1 changes dropped"]);
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
    for store in [format!("host:{repo}"), format!("overlay:{repo}"), repo.clone(), "./repo".to_owned()] {
        let mount = format!("/w={store}:ro");
        read(&world, &mount, "/w/file").assert(0, &[]);
        write(&world, &mount, "/w/file", "other").assert(3, &["mounted read-only"]);
    }
    world.run(&["diff", &repo]).assert(0, &["nothing has changed"]);
    write(&world, "/w=nowhere:ro", "/w/file", "other").assert(2, &["nowhere"]);
    // A directory that is called so is meant as it stands.
    world.write("odd:ro/file", "text");
    write(&world, "/w=odd:ro", "/w/file", "other").assert(0, &[]);
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
    for bad in [
        "",
        "ftp://x",
        "sqlite:",
        "redis",
        "redis://",
        "redis://h:port",
        "nats://h:99999",
        "sqlite:nowhere/b.db",
        "sqlite:/etc/passwd",
        "sqlite:b.db:ro",
    ] {
        let refused = call("put", put, bad);
        assert_eq!(refused.code, 2, "{bad}: {refused:?}");
    }
    let secret = call("put", put, "mysql://user:hunter2@host");
    assert!(secret.code == 2 && !secret.stderr.contains("hunter2"), "{secret:?}");
}

/// What the system's `tar` finds in an archive.
fn listed(archive: &std::path::Path) -> String {
    let listed = std::process::Command::new("tar").arg("-tvf").arg(archive).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8(listed.stdout).unwrap()
}

#[test]
fn the_files_of_a_session_are_kept_however_the_call_ends() {
    let world = World::new();
    let base = ["run", "file-write", "--mount", "/s=session", "--allow", "write:/s/**"];
    let export = |file: &str, arguments: &str, more: &[&str]| {
        let words = [&base[..], &["--export-session", file, "--args", arguments], more].concat();
        world.run(&words)
    };
    let put = r#"{"path":"/s/notes/a.txt","content":"kept"}"#;
    export("out.tar", put, &[]).assert(0, &[]);
    assert!(listed(&world.path("out.tar")).contains(" notes/a.txt\n"));
    let mode = fs::metadata(world.path("out.tar")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    // A tool that fails, after it has written.
    let twice = r#"(module
      (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "made")
      (func (export "_start") (drop (call $mkdir (i32.const 3) (i32.const 0) (i32.const 4))) unreachable))"#;
    let guest = world.write("traps.wat", twice);
    let open = ["--ceiling", "open", "--mount", "/s=session", "--allow", "write:/s/**"];
    let trapped = world.run(&[&["run", &guest, "--export-session", "trap.tar"], &open[..]].concat());
    assert_eq!(trapped.code, 4, "{trapped:?}");
    assert!(listed(&world.path("trap.tar")).ends_with(" made/\n"));
    // What is there is left as it is, and nothing runs for it.
    let records = world.records().len();
    let before = fs::read(world.path("out.tar")).unwrap();
    export("out.tar", r#"{"path":"/s/b","content":"x"}"#, &[]).assert(2, &["exists", "--force"]);
    assert_eq!(fs::read(world.path("out.tar")).unwrap(), before);
    assert_eq!(world.records().len(), records + 1);
    export("out.tar", r#"{"path":"/s/b","content":"x"}"#, &["--force"]).assert(0, &[]);
    assert!(listed(&world.path("out.tar")).ends_with(" b\n"));
    // Nothing is written through a link.
    std::os::unix::fs::symlink("elsewhere", world.path("link.tar")).unwrap();
    export("link.tar", put, &[]).assert(2, &["exists"]);
    export("link.tar", put, &["--force"]).assert(0, &[]);
    assert!(fs::symlink_metadata(world.path("link.tar")).unwrap().is_file() && !world.path("elsewhere").exists());
    for nowhere in ["no/such/out.tar", "."] {
        assert_eq!(export(nowhere, put, &["--force"]).code, 2, "{nowhere}");
    }
    // A call that was refused leaves nothing.
    assert_eq!(export("refused.tar", "{}", &[]).code, 2);
    assert!(!world.path("refused.tar").exists());
    let names = fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.starts_with('.')), "nothing half done is left");
}
