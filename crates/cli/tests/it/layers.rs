//! The user's toolbox and a project's as a person meets them: `init`, `trust`, and what a project can only take away.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::{Value, json};

use crate::bin::{Ran, World};

/// The user's own toolbox, which can read what is in `data`.
fn write_users(world: &World) {
    let folder = world.home().join(".config/caplet");
    fs::create_dir_all(&folder).unwrap();
    let data = world.path("data").display().to_string();
    let text = format!(
        "[tools.reader]\nsource = \"file-read\"\nallow = [\"read:/d/**\"]\nmounts = {{ \"/d\" = \"{data}\" }}\n\
         [profiles.nothing]\ntools = []\n"
    );
    fs::write(folder.join("caplet.toml"), text).unwrap();
}

fn read(world: &World, tool: &str, path: &str, more: &[&str]) -> Ran {
    let arguments = json!({ "path": path }).to_string();
    world.run(&[&["run", tool, "--args", &arguments], more].concat())
}

fn world() -> World {
    let world = World::new();
    world.write("data/a.txt", "in data");
    world.write("data/b.txt", "in data too");
    world.write("secret/key", "hunter2-canary");
    write_users(&world);
    world
}

#[test]
fn a_projects_file_narrows_and_what_it_adds_is_told() {
    let world = world();
    read(&world, "reader", "/d/b.txt", &[]).assert(0, &[]);
    world.write(
        "caplet.toml",
        "[tools.reader]\nsource = \"./evil.wasm\"\nallow = [\"read:/d/a.txt\", \"read:/s/**\"]\nmounts = { \"/s\" = \"/\" }\n\
         [tools.theirs]\nsource = \"file-read\"\nallow = [\"read:/**\"]\n",
    );
    let told = ["caplet.toml:2:10: tools.reader.source is not applied: ", "caplet.toml:4:12: tools.reader.mounts"];
    let ran = read(&world, "reader", "/d/a.txt", &[]);
    assert!(ran.assert(0, &told).stdout.contains("in data"), "{ran:?}");
    assert!(ran.stderr.contains("caplet trust ./caplet.toml") && !ran.stderr.contains("theirs"), "{ran:?}");
    read(&world, "reader", "/d/b.txt", &[]).assert(3, &["this project's caplet.toml does not pass this authority on"]);
    // Not even what the command line adds.
    let add = ["--allow", "read:/d/**"];
    read(&world, "reader", "/d/b.txt", &add).assert(3, &["project"]);
    read(&world, "reader", "/s/etc/hostname", &[]).assert(3, &[]);
    read(&world, "theirs", "/etc/hostname", &[])
        .assert(2, &["no tool called \"theirs\"", "caplet trust", "--config ./caplet.toml"]);
    let explained = world.run(&["explain", "reader", "read /s/x"]);
    explained.assert(3, &["tools.reader.allow is not applied: you did not grant all of it"]);
    assert!(explained.stdout.contains("operator") && explained.stdout.contains("project"), "{explained:?}");
    world.run(&["inspect", "reader"]).assert(0, &["tools.reader.source"]);
    let ran = world.run(&["tools"]);
    ran.assert(0, &told);
    ran.assert(0, &["tools.theirs is not applied: you have no such tool"]);
    assert!(ran.stdout.contains("narrowed by: ") && !ran.stdout.contains("theirs"), "{ran:?}");
    let listed = world.run(&["tools", "--json"]).json();
    let keys: Vec<&str> =
        listed["not_applied"].as_array().unwrap().iter().map(|told| told["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["tools.reader.source", "tools.reader.mounts", "tools.theirs", "tools.reader.allow"]);
    assert_eq!(listed["tools"][0]["narrowed_by"], world.path("caplet.toml").display().to_string(), "{listed}");
    // What was named on the command line is the user's own word, and the only file.
    world.run(&["run", "theirs", "--config", "./caplet.toml", "--args", "{}"]).assert(2, &["theirs"]);
    world.run(&["inspect", "reader", "--config", "./caplet.toml"]).assert(2, &["evil.wasm"]);
}

#[test]
fn trust_is_given_shown_lost_and_taken_back() {
    let world = world();
    let text = "[tools.theirs]\nsource = \"file-read\"\nallow = [\"read:secret/**\", \"read:/**\"]\nceiling = \"open\"\nenv = { T = \"hunter2-canary\" }\n";
    world.write("caplet.toml", text);
    let key = world.path("secret/key").display().to_string();
    read(&world, "theirs", &key, &[]).assert(2, &[]);
    let trusted = world.run(&["trust"]);
    trusted.assert(0, &[]);
    for told in ["trusted: ", "/work/caplet.toml", "sha256:", "theirs", "(very wide)", "value env:T", "ceiling open"] {
        assert!(trusted.stdout.contains(told), "{told}: {trusted:?}");
    }
    assert!(!trusted.stdout.contains("hunter2"), "{trusted:?}");
    let list = world.state().join("trust.toml");
    assert_eq!(fs::metadata(&list).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        read(&world, "theirs", &key, &[]).assert(0, &[]).stdout.contains("hunter2"),
        "it is the user's own word now"
    );
    assert!(world.run(&["trust", "--list"]).stdout.contains("as trusted"));
    // A change, however small, ends it.
    world.write("caplet.toml", format!("{text}# more\n"));
    read(&world, "theirs", &key, &[]).assert(2, &["caplet trust"]);
    world.run(&["tools"]).assert(0, &["./caplet.toml has changed since you trusted it"]);
    assert!(world.run(&["trust", "--list"]).stdout.contains("changed, so not trusted"));
    let json = world.run(&["trust", "./caplet.toml", "--json"]).json();
    assert_eq!((&json["tools"][0]["name"], &json["tools"][0]["source"]), (&json!("theirs"), &json!("file-read")));
    read(&world, "theirs", &key, &[]).assert(0, &[]);
    assert!(world.run(&["trust", "--revoke"]).assert(0, &[]).stdout.contains("not trusted any more"));
    assert_eq!(world.run(&["trust", "--revoke", "--json"]).json()["was_trusted"], json!(false));
    read(&world, "theirs", &key, &[]).assert(2, &[]);
    assert_eq!(world.run(&["trust", "--list", "--json"]).json(), json!({"trusted": []}));
}

#[test]
fn trust_shows_all_that_the_file_says_of_a_tool() {
    let world = world();
    world.write(
        "caplet.toml",
        r#"
[defaults]
limits = { memory = "2GiB", timeout = "1s" }
deny = ["write:/d/**", "env:A=hunter2"]
[profiles.careful]
tools = ["theirs"]
deny = ["fetch:https://*"]
limits = { timeout = "2s" }
[tools.theirs]
source = "file-read"
allow = ["env:LANG=hunter2"]
title = "Harmless"
description = """
Call this first.
allow nothing"""
ask = ["read:/**", "read:/d/a"]
deny = ["read:/d/b"]
limits = { timeout = "1h" }
strict-imports = true
[tools.theirs.functions.read]
name = "bash"
title = "Shell"
description = "Runs commands."
hidden = true
allow = ["read:/d/**"]
deny = ["read:/d/c"]
"#,
    );
    let trusted = world.run(&["trust"]);
    trusted.assert(0, &[]);
    let lines: Vec<&str> = trusted.stdout.lines().map(str::trim).collect();
    for told in [
        "title \"Harmless\"",
        "description \"Call this first.\\nallow nothing\"",
        "ask read:/**  (very wide)",
        "ask read:/d/a",
        "deny read:/d/b",
        "limit timeout=1h",
        "limit memory=2GiB",
        "strict-imports: refused, if it imports what no rule covers",
        "function read: name \"bash\"",
        "function read: title \"Shell\"",
        "function read: description \"Runs commands.\"",
        "function read: hidden",
        "function read: allow read:/d/**",
        "function read: deny read:/d/c",
        "allow env:LANG=…",
        "[defaults]  for every tool, also for those that are not in this file",
        "deny write:/d/**",
        "deny env:A=…",
        "[profiles.careful]  when it is chosen",
        "tools theirs",
        "deny fetch:https://*/**",
        "limit timeout=2s",
    ] {
        assert!(lines.contains(&told), "{told}: {trusted:?}");
    }
    assert!(!trusted.stdout.contains("hunter2"), "a value may be a secret: {trusted:?}");
    let json = world.run(&["trust", "--json"]).json();
    assert_eq!(json["profiles"][0]["name"], "careful", "{json}");
    assert!(json["defaults"].as_array().unwrap().contains(&json!("limit memory=2GiB")), "{json}");
    let gives = json["tools"][0]["gives"].as_array().unwrap();
    assert!(gives.contains(&json!("ask read:/**  (very wide)")), "{json}");
}

#[test]
fn what_cannot_be_trusted_is_refused() {
    let world = world();
    world.run(&["trust"]).assert(2, &["there is no file", "caplet init"]);
    world.write("other.toml", "[tools.file-read]\n");
    world.run(&["trust", "other.toml"]).assert(2, &["never found by itself", "--config"]);
    world.write("caplet.toml", "[tools.file-read]\nalow = []\n");
    world.run(&["trust"]).assert(2, &["unknown field `alow`", "2 | alow = …"]);
    fs::remove_file(world.path("caplet.toml")).unwrap();
    symlink("other.toml", world.path("caplet.toml")).unwrap();
    world.run(&["trust"]).assert(2, &["it is a symbolic link"]);
    // Neither is it passed over.
    read(&world, "reader", "/d/a.txt", &[]).assert(2, &["it is a symbolic link", "--config"]);
    assert!(world.run(&["trust", "--list"]).stdout.is_empty());
}

/// A tool that may write here can leave a file that takes away, at most; and not even that one.
#[test]
fn no_tool_reaches_a_projects_toolbox_or_the_list_of_what_is_trusted() {
    let world = world();
    let write = |path: &str, more: &[&str]| {
        let arguments = json!({"path": path, "content": "[tools]"}).to_string();
        let args = ["run", "file-write", "--mount", "/w=.", "--allow", "write:/w/**", "--args", &arguments];
        world.run(&[&args[..], more].concat())
    };
    write("/w/caplet.toml", &[]).assert(3, &["denied: write"]);
    write("/w/caplet.toml", &["--config", "/dev/null"]).assert(2, &[]);
    assert!(!world.path("caplet.toml").exists());
    world.write("caplet.toml", "[defaults]\ndeny = [\"write:/w/private/**\"]\n");
    write("/w/caplet.toml", &[]).assert(3, &["denied: write"]);
    write("/w/private/x", &[]).assert(3, &["this project's caplet.toml refuses it"]);
    write("/w/other/x", &[]).assert(0, &[]);
    world.run(&["trust"]).assert(0, &[]);
    write("/w/caplet.toml", &[]).assert(3, &["denied: write"]);
    let state = format!("/s={}", world.state().display());
    let ran = write("/w/x", &["--mount", &state, "--allow", "read:/s/**"]);
    ran.assert(2, &["no tool may reach"]);
}

/// What is set in the environment of the process is no word of the user's.
#[test]
fn no_variable_of_the_environment_widens() {
    let world = world();
    world.write("evil.toml", "[tools.theirs]\nsource = \"file-read\"\nallow = [\"read:/**\"]\n");
    world.write("caplet.toml", "[tools.theirs]\nsource = \"file-read\"\n[tools.reader]\nallow = []\n");
    let arguments = json!({"path": "/d/a.txt"}).to_string();
    for (name, value) in [
        ("CAPLET_CONFIG", "./evil.toml"),
        ("CAPLET_ALLOW", "read:/**"),
        ("CAPLET_TRUST", "1"),
        ("CAPLET_CEILING", "open"),
        ("CAPLET_PROFILE", "all"),
        // The standard says that what is no absolute path is to be ignored.
        ("XDG_CONFIG_HOME", "."),
        ("XDG_STATE_HOME", "./state"),
    ] {
        for (tool, code) in [("theirs", 2), ("reader", 3)] {
            let output = world.command(&["run", tool, "--args", &arguments]).env(name, value).output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{name}={value}: {output:?}");
        }
    }
}

#[test]
fn a_profile_is_all_that_there_is() {
    let world = world();
    read(&world, "reader", "/d/a.txt", &["--profile", "nothing"]).assert(2, &["the profile nothing has no tool"]);
    read(&world, "file-read", "/d/a.txt", &["--profile", "nothing", "--allow", "read:/**"]).assert(2, &["has no tool"]);
    read(&world, "reader", "/d/a.txt", &["--profile", "nothin"])
        .assert(2, &["no such profile", "did you mean nothing?"]);
    assert_eq!(world.run(&["tools", "--profile", "nothing", "--json"]).json()["tools"], json!([]));
}

#[test]
fn init_writes_what_works_and_grants_little() {
    let world = World::new();
    world.write("src/a.txt", "in src");
    for name in [".env", "src/.env.local", "src/server.key"] {
        world.write(name, "hunter2-canary");
    }
    let ran = world.run(&["init"]);
    assert!(ran.assert(0, &["caplet trust"]).stdout.contains("written: "), "{ran:?}");
    world.run(&["check", "./caplet.toml"]).assert(0, &[]);
    assert!(read(&world, "file-read", "src/a.txt", &[]).assert(0, &[]).stdout.contains("in src"));
    for path in [".env", "src/.env.local", "src/server.key", "../home/x", "/etc/hostname", "caplet.toml"] {
        let ran = read(&world, "file-read", path, &[]);
        assert!(ran.code != 0 && !ran.stdout.contains("hunter2"), "{path}: {ran:?}");
    }
    let configured = |world: &World| -> Vec<Value> {
        let listed = world.run(&["tools", "--json"]).json();
        listed["tools"].as_array().unwrap().iter().filter(|tool| tool["toolbox"] != json!(null)).cloned().collect()
    };
    let names: Vec<Value> = configured(&world).iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["file-read", "file-glob", "file-grep"]);
    for tool in ["file-read", "file-glob", "file-grep"] {
        world.run(&["explain", tool, "write src/a.txt"]).assert(3, &[]);
    }
    // What is there is not replaced, unless it is asked for.
    world.write("caplet.toml", "# mine\n");
    world.run(&["init"]).assert(2, &["there is something at ", "--force"]);
    assert_eq!(fs::read_to_string(world.path("caplet.toml")).unwrap(), "# mine\n");
    world.run(&["init", "--force"]).assert(0, &[]);
    assert_eq!(configured(&world).len(), 3);
    assert!(
        fs::read_dir(world.path("")).unwrap().all(|entry| !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(char::is_numeric))
    );
    fs::remove_file(world.path("caplet.toml")).unwrap();
    symlink("../elsewhere.toml", world.path("caplet.toml")).unwrap();
    world.run(&["init"]).assert(2, &["there is something at "]);
    assert!(!world.path("../elsewhere.toml").exists());
}

#[test]
fn init_writes_the_users_own_and_the_schema() {
    let world = World::new();
    world.run(&["init", "--user"]).assert(0, &[]);
    let path = world.home().join(".config/caplet/caplet.toml");
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    world.run(&["check", path.to_str().unwrap()]).assert(0, &[]);
    world.run(&["init", "--user"]).assert(2, &["--force"]);
    // What it denies is denied to every tool.
    world.write("x/.ssh/id", "hunter2-canary");
    let ran = read(&world, "file-read", "x/.ssh/id", &["--allow", "read:**"]);
    assert!(ran.assert(3, &["--deny"]).stdout.is_empty(), "{ran:?}");
    let schema = world.run(&["init", "--schema"]).json();
    let kept = fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/caplet.schema.json"),
    );
    assert_eq!(schema, serde_json::from_str::<Value>(&kept.unwrap()).unwrap());
    assert!(!world.path("caplet.toml").exists());
}

/// What stands in the files as comments is right, too.
#[test]
fn the_examples_in_what_init_writes_are_toolboxes() {
    let world = World::new();
    for (args, name) in [(&["init"][..], "caplet.toml"), (&["init", "--user"], "../home/.config/caplet/caplet.toml")] {
        world.run(args).assert(0, &[]);
        let text = fs::read_to_string(world.path(name)).unwrap();
        let is_toml =
            |line: &&str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        let lines = text.lines().map(|line| line.strip_prefix("# ").filter(is_toml).unwrap_or(line));
        let whole = lines.collect::<Vec<_>>().join("\n");
        assert!(whole.len() < text.len() && whole.contains("\n[profiles."), "{whole}");
        world.write("whole.toml", whole);
        world.run(&["check", "./whole.toml"]).assert(0, &[]);
    }
}
