//! `caplet learn`, `serve --learn` and `check --unused`, as a person uses them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use caplet_testkit::lab::http::{Http, pages};
use serde_json::{Value, json};

use crate::bin::World;
use crate::guests;

/// A project with some files.
fn project() -> World {
    let world = World::new();
    for name in ["src/a.rs", "src/b.rs", "src/c.rs", "src/deep/d.rs"] {
        world.write(name, "fn TODO() {}\n");
    }
    for (name, content) in [("notes.md", "TODO\n"), (".env", "KEY=TODO\n"), ("other/x.md", "TODO\n")] {
        world.write(name, content);
    }
    world
}

/// Every file below the working directory, with its content and when it was changed.
fn files(world: &World) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    fn walk(folder: &Path, found: &mut BTreeMap<String, (Vec<u8>, SystemTime)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.insert(path.display().to_string(), (Vec::new(), path.metadata().unwrap().modified().unwrap()));
                walk(&path, found);
            } else {
                let changed = path.metadata().unwrap().modified().unwrap();
                found.insert(path.display().to_string(), (fs::read(&path).unwrap(), changed));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&world.path(""), &mut found);
    found
}

/// What is learnt from one call.
fn learn(world: &World, tool: &str, arguments: &Value, more: &[&str]) -> Value {
    let arguments = arguments.to_string();
    let ran = world.run(&[&["learn", tool, "--json", "--args", &arguments], more].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()["proposal"].clone()
}

/// The options of `run` that a proposal stands for.
fn options(proposal: &Value) -> Vec<String> {
    let rules = |key: &str| proposal[key].as_array().unwrap().clone();
    let allowed = [rules("allow"), rules("look_at")].concat();
    let allowed = allowed.iter().map(|rule| ("--allow", rule["rule"].as_str().unwrap().to_owned()));
    let denied = rules("deny").into_iter().map(|rule| ("--deny", rule.as_str().unwrap().to_owned()));
    allowed.chain(denied).flat_map(|(option, rule)| [option.to_owned(), rule]).collect()
}

fn run(world: &World, tool: &str, arguments: &Value, options: &[String]) -> Value {
    let arguments = arguments.to_string();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    world.outcome(&[&["run", tool, "--args", &arguments], &options[..]].concat())
}

fn rules(proposal: &Value, key: &str, world: &World) -> Vec<String> {
    let here = world.path("").canonicalize().unwrap().display().to_string();
    let rules = proposal[key].as_array().unwrap().iter();
    rules.map(|rule| rule["rule"].as_str().unwrap().replace(&here, "")).collect()
}

#[test]
fn tasks_of_different_shape_need_different_grants_and_each_is_enough_for_its_own() {
    let world = project();
    let before = files(&world);
    let grep = json!({"pattern": "TODO", "path": "src"});
    let read = json!({"path": "notes.md"});
    let hidden = json!({"path": ".env"});
    let write = json!({"path": "new/out.txt", "content": "x"});
    let tasks = [
        ("file-grep", &grep, vec!["read:/src/**/*.rs"], vec![], json!({"pattern": "TODO", "path": "other"})),
        ("file-read", &read, vec!["read:/notes.md"], vec![], json!({"path": "other/x.md"})),
        ("file-read", &hidden, vec![], vec!["read:/.env"], json!({"path": "notes.md"})),
        ("file-write", &write, vec!["write:/new", "write:/new/out.txt"], vec![], json!({"path": "z", "content": ""})),
    ];
    let learnt: Vec<Value> = tasks.iter().map(|(tool, arguments, ..)| learn(&world, tool, arguments, &[])).collect();
    assert_eq!(files(&world), before, "nothing on disk changed");
    assert!(!world.state().join("overlays").exists(), "and nothing is kept aside");
    for ((tool, arguments, allow, look_at, other), proposal) in tasks.iter().zip(&learnt) {
        assert_eq!(rules(proposal, "allow", &world), *allow, "{tool} {arguments}");
        assert_eq!(rules(proposal, "look_at", &world), *look_at, "{tool} {arguments}");
        let options = options(proposal);
        let outcome = run(&world, tool, arguments, &options);
        assert_eq!(outcome["outcome"], "ok", "{outcome}");
        assert_eq!(outcome["decisions"]["denied"], json!([]), "{outcome}");
        let other = run(&world, tool, other, &options);
        assert_eq!(other["outcome"], "denied", "{other}");
    }
    assert_eq!(fs::read_to_string(world.path("new/out.txt")).unwrap(), "x", "the task was done for real");
}

#[test]
fn calls_of_one_lesson_see_what_earlier_ones_wrote_and_nothing_lasts() {
    let world = project();
    let before = files(&world);
    let write = json!({"path": "new.txt", "content": "x"}).to_string();
    let again = json!({"path": "new.txt", "content": "y", "if_exists": "fail"}).to_string();
    let ran = world.run(&["learn", "file-write", "--", &write, &again]);
    ran.assert(1, &["call 1 ended ok", "call 2 ended error"]);
    assert!(ran.stdout.contains("/new.txt'") && ran.stdout.contains("in calls 1, 2"), "{ran:?}");
    assert_eq!(files(&world), before);
}

#[test]
fn learning_opens_no_host_and_what_was_denied_is_listed() {
    let server =
        Http::on("127.0.0.1:0", pages::routes([("/a", pages::text(200, "A")), ("/b", pages::text(200, "B"))])).unwrap();
    let base = format!("http://{}", server.address());
    let world = World::new();
    let (page, other) = (json!({"url": format!("{base}/a")}), json!({"url": format!("{base}/b")}));
    let page_text = page.to_string();
    let closed = world.run(&["learn", "web-fetch", "--args", &page_text]);
    closed.assert(3, &["it is not granted: GET", &format!("--allow 'fetch:{base}/a'")]);
    assert_eq!(server.accepts(), 0);
    let proposal = learn(&world, "web-fetch", &page, &["--allow", &format!("fetch:{base}/**")]);
    assert_eq!(rules(&proposal, "look_at", &world), [format!("fetch:GET {base}/a")]);
    assert!(proposal["look_at"][0]["warning"].as_str().unwrap().contains("this machine"), "{proposal}");
    let options = options(&proposal);
    assert_eq!(run(&world, "web-fetch", &page, &options)["outcome"], "ok");
    let denied = run(&world, "web-fetch", &other, &options);
    assert_eq!(denied["decisions"]["denied"][0]["op"], format!("GET {base}/b"));
}

#[test]
fn learning_reaches_no_more_than_the_operator_named_and_the_ceiling_permits() {
    let world = project();
    let outside = world.home().join("private.txt");
    fs::write(&outside, "private").unwrap();
    let outside = outside.to_str().unwrap();
    let arguments = json!({"path": outside}).to_string();
    world.run(&["learn", "file-read", "--args", &arguments]).assert(3, &["it is not granted", outside]);
    // What a rule names is that file, and not the folder that it is in.
    let beside = format!("read:{}/beside.txt", world.home().display());
    world.run(&["learn", "file-read", "--args", &arguments, "--allow", &beside]).assert(3, &["it is not granted"]);
    // Not even where a mount shows it can Caplet's own state be read.
    let mount = format!("{0}={0}", world.home().display());
    world.run(&["learn", "file-read", "--args", &arguments, "--mount", &mount]).assert(0, &[]);
    let log = json!({"path": world.log()}).to_string();
    world.run(&["learn", "file-read", "--args", &log, "--mount", &mount]).assert(3, &["it is not granted"]);
    // A denial holds.
    let notes = json!({"path": "notes.md"}).to_string();
    world.run(&["learn", "file-read", "--args", &notes, "--deny", "read:notes.md"]).assert(3, &["--deny"]);
    // A tool that declares nothing may do nothing.
    world.write("reads.wat", guests::opens("notes.md"));
    let ran = world.run(&["learn", "./reads.wat"]);
    assert!(ran.stdout.contains("needs no grant") && ran.stderr.contains("declares no authority"), "{ran:?}");
    // Nothing can be kept aside of a database.
    world.run(&["learn", "file-read", "--args", &notes, "--mount", "/db=sqlite:x.db"]).assert(2, &["kept aside"]);
    assert!(!world.path("x.db").exists());
}

#[test]
fn a_lesson_can_be_written_into_a_toolbox_without_what_is_to_be_looked_at() {
    let world = project();
    world.write("caplet.toml", "# mine\n[tools.other]\nsource = \"file-read\"\n");
    let (notes, hidden) = (json!({"path": "notes.md"}).to_string(), json!({"path": ".env"}).to_string());
    let learn = ["learn", "file-read", "--args", &notes, "--args", &hidden, "--write", "./caplet.toml"];
    world.run(&learn).assert(0, &["left out"]);
    let text = fs::read_to_string(world.path("caplet.toml")).unwrap();
    assert!(text.starts_with("# mine") && text.contains("notes.md") && !text.contains(".env"), "{text}");
    world.run(&["run", "file-read", "--config", "./caplet.toml", "--args", &notes]).assert(0, &[]);
    world.run(&["run", "file-read", "--config", "./caplet.toml", "--args", &hidden]).assert(3, &[]);
    // Once is enough.
    world.run(&learn).assert(2, &["there is a tool of this name"]);
    assert_eq!(fs::read_to_string(world.path("caplet.toml")).unwrap(), text);
}

#[test]
fn a_server_says_in_the_end_what_its_tools_needed() {
    let world = project();
    world.write("caplet.toml", "[tools.file-read]\nallow = [\"read:./**\"]\n");
    let call = |id: u32, path: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
               "params": {"name": "file-read", "arguments": {"path": path}}})
    };
    let client = json!({"name": "test", "version": "0"});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let said = [hello, ready, call(1, "notes.md"), call(2, ".env"), call(3, "/etc/passwd")];
    let input: String = said.iter().map(|message| format!("{message}\n")).collect();
    let serve = |learn: &str| world.run_with_input(&["serve", "--config", "./caplet.toml", learn], input.as_bytes());
    let told = serve("--learn").stderr;
    serve("--learn=told.txt").assert(0, &[]);
    let written = fs::read_to_string(world.path("told.txt")).unwrap();
    let parts = [
        "file-read needs this, as 3 calls of it show",
        "/notes.md'",
        "Look at these",
        "/.env'",
        "not granted: read /etc/passwd",
    ];
    for (part, text) in parts.iter().flat_map(|part| [(part, &told), (part, &written)]) {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn rules_that_no_recorded_call_needed_are_listed() {
    let world = project();
    let allow = r#"["read:src/**", "read:other/**", "env:HOME", "fetch:https://example.com/**"]"#;
    world.write(
        "caplet.toml",
        format!("[tools.file-read]\nallow = {allow}\ndeny = [\"read:src/deep/**\", \"read:src/never\"]\n[tools.file-grep]\nallow = [\"read:src/**\"]\n"),
    );
    let check = || world.run(&["check", "./caplet.toml", "--unused", "--json"]);
    let tools = check().json()["tools"].clone();
    assert!(tools.as_array().unwrap().iter().all(|tool| tool["calls"] == 0), "{tools}");
    for path in ["src/a.rs", "src/b.rs", "src/deep/d.rs"] {
        world.run(&["run", "file-read", "--config", "./caplet.toml", "--args", &json!({"path": path}).to_string()]);
    }
    let report = check().json();
    let tool = report["tools"].as_array().unwrap().iter().find(|tool| tool["tool"] == "file-read").unwrap();
    assert_eq!(tool["calls"], 3, "{report}");
    let unused: Vec<_> =
        tool["rules"].as_array().unwrap().iter().map(|rule| (&rule["calls"], &rule["unused"])).collect();
    let (yes, no) = (json!(true), json!(false));
    // In the order of the file: what it allows, then what it denies. To be denied a file, a call looked into the folder above.
    let expected = [
        (&json!(3), &no),
        (&json!(0), &yes),
        (&json!(0), &Value::Null),
        (&json!(0), &yes),
        (&json!(1), &no),
        (&json!(0), &yes),
    ];
    assert_eq!(unused, expected, "{report}");
    let shown = world.run(&["check", "./caplet.toml", "--unused"]);
    shown.assert(0, &["uses its variables is on no record"]);
    for part in ["file-read: 3 calls since", "3 of 6 rules unused", "file-grep: 0 calls", "deny 'read:"] {
        assert!(shown.stdout.contains(part), "{part:?} is not in: {shown:?}");
    }
    // Before the calls there were none.
    let report = world.run(&["check", "./caplet.toml", "--unused", "--since", "0s", "--json"]).json();
    assert!(report["tools"].as_array().unwrap().iter().all(|tool| tool["calls"] == 0), "{report}");
    world.run(&["check", "./caplet.toml", "--unused", "--since", "soon"]).assert(2, &["such as 30d"]);
}
