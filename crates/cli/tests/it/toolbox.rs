//! The toolbox as a person uses it: tools by name, with what the file gives them.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::bin::{Ran, World};

const SECRET: &str = "hunter2-canary";

/// A command that writes its environment to standard output, each variable with a NUL behind it.
const ENVIRONMENT: &str = r#"(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 12)))
    (drop (call $get (i32.const 1024) (i32.const 4096)))
    (i32.store (i32.const 8) (i32.const 4096))
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))"#;

/// Runs a tool of `./caplet.toml`.
fn run(world: &World, tool: &[&str], arguments: &Value, more: &[&str]) -> Ran {
    let arguments = arguments.to_string();
    let args = ["run", "--config", "./caplet.toml", "--args", arguments.as_str()];
    world.run(&[&args, tool, more].concat())
}

/// The user's own toolbox.
fn write_users(world: &World, text: &str) {
    let folder = world.home().join(".config/caplet");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("caplet.toml"), text).unwrap();
}

#[test]
fn tools_share_a_store_and_the_repository_stays_as_it_is() {
    let world = World::new();
    world.write("box/repo/main.rs", "old();\n");
    world.write(
        "box/caplet.toml",
        r#"
[stores.work]
store = "overlay:./repo"
[tools.editor]
source = "file-edit"
allow = ["write:/w/**"]
deny = ["write:/w/.git/**"]
mounts = { "/w" = "@work" }
[tools.viewer]
source = "file-read"
allow = ["read:/src/**"]
mounts = { "/src" = "@work:ro" }
"#,
    );
    let config = ["--config", "box/caplet.toml", "--args"];
    let edit = json!({"path": "/w/main.rs", "edits": [{"old_string": "old", "new_string": "new"}]}).to_string();
    world.run(&[&["run", "editor"], &config[..], &[edit.as_str()]].concat()).assert(0, &[]);
    let read = json!({"path": "/src/main.rs"}).to_string();
    let seen = world.run(&[&["run", "viewer"], &config[..], &[read.as_str()]].concat());
    assert!(seen.assert(0, &[]).stdout.contains("new();"), "{seen:?}");
    assert_eq!(fs::read_to_string(world.path("box/repo/main.rs")).unwrap(), "old();\n");
    let names: Vec<_> = world.records().iter().map(|record| record["tool"].clone()).collect();
    assert_eq!(names, [json!("editor"), json!("viewer")]);
    let explain = |op: &str| world.run(&["explain", "editor", op, "--config", "box/caplet.toml"]);
    explain("write /w/x").assert(0, &[]);
    explain("write /w/.git/x").assert(3, &["--deny"]);
    explain("read /elsewhere").assert(3, &[]);
    // The same name without the file means nothing.
    world.run(&["run", "editor", "--args", edit.as_str()]).assert(2, &["no tool called \"editor\""]);
}

#[test]
fn buckets_keep_what_they_are_given_as_long_as_they_say() {
    let world = World::new();
    let toolbox = |ttl: &str| {
        let table = format!("[buckets.notes]\nstore = \"sqlite:./notes.db\"\nttl = \"{ttl}\"\nquota = \"8KiB\"\n");
        let tool = "[tools.notes]\nsource = \"memory\"\nallow = [\"kv:memory\"]\nbuckets = { memory = \"@notes\" }\n";
        world.write("caplet.toml", table + tool)
    };
    toolbox("7d");
    let put = |length: usize| json!({"name": "n", "text": "x".repeat(length)});
    run(&world, &["notes", "put"], &put(10), &[]).assert(0, &[]);
    run(&world, &["notes", "get"], &json!({"name": "n"}), &[]).assert(0, &[]);
    let full = run(&world, &["notes", "put"], &put(20_000), &["--json"]);
    assert_ne!(full.code, 0, "{full:?}");
    toolbox("1ms");
    run(&world, &["notes", "put"], &put(10), &[]).assert(0, &[]);
    // A process takes longer to start than that.
    run(&world, &["notes", "get"], &json!({"name": "n"}), &[]).assert(1, &["there is no note"]);
}

#[test]
fn values_reach_the_guest_and_nobody_else() {
    let world = World::new();
    world.write("config.wat", caplet_testkit::config_probe("0.2.0-rc.1"));
    world.write("env.wat", ENVIRONMENT);
    world.write("motd.txt", format!("{SECRET}\n"));
    world.write("x.env", format!("# a comment\nFILED={SECRET}\n"));
    world.write(
        "caplet.toml",
        r#"
[tools.config]
source = "./config.wat"
ceiling = "open"
config = { region = "eu", motd = { file = "./motd.txt" } }
[tools.env]
source = "./env.wat"
ceiling = "open"
env = { LANG = "C.UTF-8" }
env-file = "./x.env"
[tools.bounded]
source = "./env.wat"
env = { LANG = "C.UTF-8" }
"#,
    );
    let config = run(&world, &["config"], &json!({"key": "motd"}), &["--json"]).json();
    let all = json!([["region", "eu"], ["motd", SECRET]]);
    assert_eq!(config["output"], json!([0, SECRET, all]), "{config}");
    assert!(!config["decisions"].to_string().contains(SECRET), "{config}");
    let env = run(&world, &["env"], &json!({}), &[]);
    assert_eq!(env.assert(0, &[]).stdout.split('\0').collect::<Vec<_>>(), ["LANG=C.UTF-8", "FILED=hunter2-canary", ""]);
    assert_eq!(run(&world, &["bounded"], &json!({}), &[]).stdout, "", "the ceiling of a tool still bounds it");
    for (tool, op) in [("config", "config motd"), ("env", "env FILED")] {
        for format in [&[][..], &["--json"]] {
            let explained = world.run(&[&["explain", tool, op, "--config", "./caplet.toml"], format].concat());
            explained.assert(0, &[]);
            assert!(explained.stdout.contains("=…") && !explained.stdout.contains(SECRET), "{explained:?}");
        }
    }
    let records = fs::read_to_string(world.log()).unwrap();
    assert!(records.contains("\"tool\":\"config\"") && !records.contains(SECRET), "{records}");
}

#[test]
fn an_error_shows_the_line_and_no_value() {
    let world = World::new();
    let mut shown = String::new();
    for (lines, place, message, line) in [
        ("allow = [\"raed:/x\"]", "3:11", "no kind of rule", "allow = [\"raed:/x\"]"),
        ("mounts = { \"/w\" = \"@wrok\" }", "3:19", "[stores.wrok]", "mounts = { \"/w\" = \"@wrok\" }"),
        ("env = { TOKEN = \"hunter2-canary\", X = 1 }", "3:39", "is a text", "env = { TOKEN = …, X = … }"),
        ("env = { TOKEN = hunter2-canary }", "3:17", "", "env =…"),
        ("config-file = \"none.toml\"", "3:15", "no such file", "config-file = \"none.toml\""),
    ] {
        let store = "[stores.work]\nstore = \"memory\"\n";
        world.write("caplet.toml", format!("[tools.reader]\nsource = \"file-read\"\n{lines}\n{store}"));
        for verb in [&["run", "reader"][..], &["explain", "reader", "read /x"]] {
            let args = [verb, &["--config", "./caplet.toml"]].concat();
            let ran = world.run(&args);
            ran.assert(2, &["caplet.toml", place, message, &format!("3 | {line}\n"), "help: "]);
            let json = world.run(&[&args[..], &["--json"]].concat());
            assert_eq!(json.json()["error"]["kind"], "invalid-config", "{json:?}");
            assert!(json.json()["error"]["message"].as_str().unwrap().contains(&format!("caplet.toml:{place}: ")));
            shown += &format!("{ran:?} {json:?}");
        }
    }
    world.run(&["run", "reader", "--config", "./nowhere.toml"]).assert(2, &["nowhere.toml", "no such file"]);
    world.run(&["tools", "--config", "."]).assert(2, &["it is a directory"]);
    shown += &fs::read_to_string(world.log()).unwrap();
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn a_tool_cannot_reach_the_file_that_configures_it() {
    let world = World::new();
    world.write("token.txt", SECRET);
    let tool = |name: &str| format!("[tools.{name}]\nallow = [\"write:/w/**\"]\nmounts = {{ \"/w\" = \".\" }}\n");
    let text = tool("file-read") + &tool("file-write") + "env = { TOKEN = { file = \"token.txt\" } }\n";
    world.write("caplet.toml", &text);
    for file in ["caplet.toml", "token.txt"] {
        let path = format!("/w/{file}");
        let read = run(&world, &["file-read"], &json!({ "path": path }), &[]);
        read.assert(3, &["host layer"]);
        assert!(!read.stdout.contains(SECRET), "{read:?}");
        run(&world, &["file-write"], &json!({"path": path, "content": "[tools]"}), &[]).assert(3, &["host layer"]);
    }
    assert_eq!(fs::read_to_string(world.path("caplet.toml")).unwrap(), text);
    run(&world, &["file-write"], &json!({"path": "/w/new.txt", "content": "new"}), &[]).assert(0, &[]);
    // Nor can a tool that it does not configure.
    let arguments = json!({"path": "/w/caplet.toml", "edits": [{"old_string": "tools", "new_string": "x"}]});
    let add = ["--mount", "/w=.", "--allow", "write:/w/**"];
    run(&world, &["file-edit"], &arguments, &add).assert(3, &["host layer"]);
}

#[test]
fn the_command_line_adds_and_overrides() {
    let world = World::new();
    world.write("a/x.txt", "in a");
    world.write("b/y.txt", "in b");
    world.write(
        "caplet.toml",
        "[tools.reader]\nsource = \"file-read\"\nallow = [\"read:/a/**\"]\nmounts = { \"/a\" = \"./a\" }\nlimits = { output = \"1\" }\n",
    );
    let read = |path: &str, more: &[&str]| run(&world, &["reader"], &json!({ "path": path }), more);
    assert_eq!(read("/a/x.txt", &[]).code, 5, "the limit of the file holds");
    let enough = ["--limit", "output=1MiB"];
    read("/a/x.txt", &enough).assert(0, &[]);
    let add = [&enough[..], &["--mount", "/b=./b", "--allow", "read:/b/**"]].concat();
    assert!(read("/b/y.txt", &add).assert(0, &[]).stdout.contains("in b"));
    read("/a/x.txt", &[&enough[..], &["--deny", "read:/a/**"]].concat()).assert(3, &["--deny"]);
    read("/a/x.txt", &["--mount", "/a=./b"]).assert(2, &["--mount '/a=./b'", "the mount at /a in ", "caplet.toml"]);
}

#[test]
fn the_users_own_toolbox_is_read_and_a_projects_adds_nothing() {
    let world = World::new();
    world.write("data/x.txt", "data");
    let data = world.path("data").display().to_string();
    write_users(
        &world,
        &format!(
            "[tools.reader]\nsource = \"file-read\"\nallow = [\"read:/d/**\"]\nmounts = {{ \"/d\" = \"{data}\" }}\n[tools.file-glob]\nsource = \"file-grep\"\n"
        ),
    );
    let arguments = json!({"path": "/d/x.txt"}).to_string();
    world.run(&["run", "reader", "--args", &arguments]).assert(0, &[]);
    world.run(&["run", "raeder", "--args", &arguments]).assert(2, &["did you mean reader?"]);
    let inspected = world.run(&["inspect", "file-glob", "--json"]).json();
    let grep = world.run(&["inspect", "file-grep", "--json"]).json();
    assert_eq!(inspected["digest"], grep["digest"], "a configured name comes before a built-in one");
    let listed = world.run(&["tools", "--json"]).json();
    let named = |name: &str| {
        let tools = listed["tools"].as_array().unwrap().iter().filter(|tool| tool["name"] == name);
        tools.cloned().collect::<Vec<_>>()
    };
    let own = world.home().join(".config/caplet/caplet.toml").display().to_string();
    assert_eq!((named("file-glob").len(), &named("file-glob")[0]["source"]), (1, &json!("file-grep")));
    assert_eq!((&named("reader")[0]["toolbox"], &named("file-edit")[0]["toolbox"]), (&json!(own), &json!(null)));
    let shown = world.run(&["tools"]).stdout;
    assert!(shown.contains(&format!("from: file-read, in {own}")), "{shown}");
    // What a project adds is there only when it is asked for.
    world.write("caplet.toml", "[tools.theirs]\nsource = \"file-read\"\n[tools.gone]\nsource = \"./gone.wasm\"\n");
    for args in [&["run", "theirs"][..], &["inspect", "theirs"], &["explain", "theirs", "read /x"]] {
        world.run(args).assert(2, &["no tool called \"theirs\"", "--config ./caplet.toml"]);
    }
    world.run(&["inspect", "theirs", "--config", "./caplet.toml"]).assert(0, &[]);
    world.run(&["inspect", "reader", "--config", "./caplet.toml"]).assert(2, &["no tool called \"reader\""]);
    let listed = world.run(&["tools", "--config", "./caplet.toml"]);
    assert!(listed.assert(0, &[]).stdout.contains("cannot be used: cannot read "), "{listed:?}");
    world.run(&["check", "./caplet.toml"]).assert(0, &[]);
    // A broken toolbox is not passed over, since a name could mean something else without it.
    write_users(&world, "[tools.file-read]\nalow = []\n");
    world.run(&["run", "file-read", "--args", &arguments]).assert(2, &["unknown field `alow`", "2 | alow = …"]);
    world.write("caplet.toml", "[tools.x\n");
    world.run(&["check", "./caplet.toml"]).assert(2, &["caplet.toml:1:"]);
}

#[test]
fn the_folder_of_the_users_toolbox_is_no_tools() {
    let world = World::new();
    write_users(
        &world,
        "[tools.w]\nsource = \"file-write\"\nallow = [\"write:/w/**\"]\nmounts = { \"/w\" = \"..\" }\n",
    );
    let ran = world.run(&["run", "w", "--args", r#"{"path":"/w/caplet/caplet.toml","content":""}"#]);
    ran.assert(2, &["lets the tool write /w/caplet", "it leads to secrets, which no tool may reach"]);
    write_users(&world, "[tools.w]\nsource = \"file-write\"\nallow = [\"write:/w/**\"]\nmounts = { \"/w\" = \".\" }\n");
    world.run(&["run", "w", "--args", "{}"]).assert(2, &["the mount at /w in ", "no tool may reach"]);
}

#[test]
fn the_users_toolbox_is_kept_from_tools_by_whatever_links_lead_to_it() {
    let world = World::new();
    world.write("dots/caplet.toml", "");
    world.write("dots/folder/other.txt", "");
    let config = world.home().join(".config");
    fs::create_dir_all(config.join("caplet")).unwrap();
    symlink(world.path("dots/caplet.toml"), config.join("caplet/caplet.toml")).unwrap();
    // Also while another toolbox is used.
    world.write("own.toml", "[tools.own]\nsource = \"file-write\"\n");
    let write = |mount: &str, path: &str, config: &[&str]| {
        let arguments = json!({"path": path, "content": "[tools]"}).to_string();
        let args = ["run", "file-write", "--mount", mount, "--allow", "write:/w/**", "--args", &arguments];
        world.run(&[&args[..], config].concat())
    };
    for config in [&[][..], &["--config", "own.toml"]] {
        write("/w=dots", "/w/caplet.toml", config).assert(3, &["host layer"]);
        write("/w=dots", "/w/new.txt", config).assert(0, &[]);
    }
    assert_eq!(fs::read_to_string(world.path("dots/caplet.toml")).unwrap(), "");
    // A folder that is a link, and no toolbox in it yet: to put another folder there would be to write one.
    fs::remove_dir_all(config.join("caplet")).unwrap();
    symlink(world.path("dots/folder"), config.join("caplet")).unwrap();
    let mount = format!("/w={}", config.display());
    let explain = |path: &str| {
        world.run(&["explain", "file-write", &format!("write {path}"), "--mount", &mount, "--allow", "write:/w/**"])
    };
    explain("/w/caplet").assert(3, &[]);
    explain("/w/caplet/caplet.toml").assert(3, &[]);
    explain("/w/other").assert(0, &[]);
    write("/w=dots", "/w/folder/caplet.toml", &[]).assert(2, &["no tool may reach"]);
}

/// What one tool of a toolbox has is not for another, whatever that one mounts and whatever it left behind.
#[test]
fn a_tool_reaches_nothing_that_the_toolbox_gives_to_another() {
    let world = World::new();
    world.write("docs/index.md", "public");
    world.write("private/key", SECRET);
    world.write(
        "caplet.toml",
        r#"
[buckets.notes]
store = "sqlite:./notes.db"
[tools.notes]
source = "memory"
allow = ["kv:memory"]
buckets = { memory = "@notes" }
[tools.reader]
source = "file-read"
allow = ["read:/w/**"]
mounts = { "/w" = "." }
[tools.writer]
source = "file-write"
allow = ["write:/w/**"]
mounts = { "/w" = "." }
[tools.docs]
source = "file-read"
allow = ["read:/docs/**"]
mounts = { "/docs" = "./docs:ro" }
[tools.aside]
source = "file-read"
allow = ["read:/docs/**"]
mounts = { "/docs" = "overlay:docs" }
"#,
    );
    run(&world, &["notes", "put"], &json!({"name": "n", "text": SECRET}), &[]).assert(0, &[]);
    for name in ["notes.db", "notes.db-wal"] {
        let path = format!("/w/{name}");
        run(&world, &["reader"], &json!({"path": path}), &[]).assert(3, &["denied: read"]);
        run(&world, &["writer"], &json!({"path": path, "content": "x"}), &[]).assert(3, &["denied: write"]);
    }
    for tool in ["docs", "aside"] {
        run(&world, &[tool], &json!({"path": "/docs/index.md"}), &[]).assert(0, &[]);
    }
    // As a tool could leave it that may write here.
    fs::rename(world.path("docs"), world.path("docs2")).unwrap();
    symlink("private", world.path("docs")).unwrap();
    for tool in ["docs", "aside"] {
        let refused = run(&world, &[tool], &json!({"path": "/docs/key"}), &[]);
        refused.assert(2, &["symbolic link", "does not choose"]);
        assert!(!refused.stdout.contains(SECRET), "{refused:?}");
    }
}

/// Who may put a link on the way to a folder of Caplet's own, or in the place of what is missing there, chooses what it will be.
#[test]
fn no_tool_changes_the_way_to_what_is_caplets_own() {
    let world = World::new();
    let home = format!("/h={}", world.home().display());
    let write = |path: &str| {
        let arguments = json!({"path": path, "content": "x"}).to_string();
        let rules = ["read:/h/.local/**", "read:/h/.cache/**", "read:/h/.config/caplet/**"];
        let denials = rules.iter().flat_map(|rule| ["--deny", *rule]).collect::<Vec<_>>();
        let call = ["run", "file-write", "--mount", &home, "--allow", "write:/h/**", "--args", &arguments];
        world.run(&[&call, &denials[..]].concat())
    };
    write("/h/plain").assert(0, &[]);
    assert!(!world.home().join(".config").exists());
    for path in ["/h/.config", "/h/.config/other", "/h/.config/caplet/caplet.toml"] {
        write(path).assert(3, &["denied: write"]);
    }
    assert!(!world.home().join(".config").exists());
    // The same for a link that is there.
    fs::create_dir_all(world.path("real")).unwrap();
    symlink("real", world.path("st")).unwrap();
    let explain = |op: &str| {
        let rules = ["--mount", "/w=.", "--allow", "write:/w/**", "--deny", "read:/w/real/caplet/**"];
        let mut command = world.command(&[&["explain", "file-write", op], &rules[..]].concat());
        command.env("XDG_STATE_HOME", world.path("st")).output().unwrap().status.code()
    };
    assert_eq!((explain("write /w/other"), explain("write /w/st")), (Some(0), Some(3)));
}

#[test]
fn a_toolbox_of_any_name_is_checked_as_one_and_shows_no_value() {
    let world = World::new();
    let table = [
        ("[tools.file-read]\nenv = { A = \"hunter2-canary\" }\n", 0, "0 errors"),
        ("[tools.file-read]\nenv = { A = \"hunter2-canary\", A = \"B\" }\n", 2, "t.toml:2:"),
        ("[tools.file-read]\nenv = { A = \"hunter2-canary\" }}\n", 2, "t.toml:2:"),
        ("[tools.file-read]\nalow = []\nenv = { A = \"hunter2-canary\" }\n", 2, "unknown field `alow`"),
        ("[tools.file-read]\nenvv = { A = \"hunter2-canary\" }\n", 2, "unknown field `envv`"),
        ("[stores.x]\nstore = \"memory\"\n", 0, "0 errors"),
        ("[buckets.x]\nstore = \"redis://u:hunter2-canary@h:port\"\n", 2, "t.toml:2:"),
    ];
    for (text, code, told) in table {
        world.write("t.toml", text);
        for more in [&[][..], &["--json"]] {
            let ran = world.run(&[&["check", "./t.toml"], more].concat());
            let all = format!("{}{}", ran.stdout, ran.stderr);
            assert_eq!(ran.code, code, "{text}: {ran:?}");
            assert!(!all.contains("hunter2"), "{text}: {ran:?}");
            assert!(!more.is_empty() || all.contains(told), "{text}: {ran:?}");
        }
    }
}
