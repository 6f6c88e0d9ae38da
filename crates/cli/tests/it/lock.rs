//! Tools are added, pinned, approved and removed as a person does it.

use std::fs;
use std::path::PathBuf;

use crate::bin::World;
use crate::guests;

/// A tool in the working directory that adds, or does something else, with this manifest.
fn write_tool(world: &World, instruction: &str, manifest: &str) {
    world.write("sums.wat", guests::ADDS.replace("i32.add", instruction));
    world.write("agent-tool.toml", guests::manifest(manifest));
    world.run(&["pack", "./sums.wat", "-o", "./sums.wasm"]).assert(0, &[]);
}

fn users(world: &World, name: &str) -> PathBuf {
    world.home().join(".config/caplet").join(name)
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn what_changed_is_shown_and_approved() {
    let world = World::new();
    let reads = guests::files("/w/**", "read-only");
    write_tool(&world, "i32.add", &reads);
    world.run(&["add", "./sums.wasm", "--allow", "read:/w/**"]).assert(0, &["pinned as sha256:"]);
    world.run(&["approve", "sums"]).assert(0, &["sums is as it was approved", "nothing to approve"]);
    world.run(&["approve", "--all"]).assert(0, &["nothing to approve"]);

    let more = "[tool.limits]\ntimeout = \"60s\"\n[tool.tools.add]\ndescription = \"Adds\\u202e numbers.\\u001b[2J\"\n";
    write_tool(&world, "i32.sub", &format!("{}{more}", guests::files("/w/**", "read-write")));
    let before = read(users(&world, "caplet.lock"));
    let unasked = world.run(&["approve", "sums"]);
    unasked.assert(2, &["no terminal to ask on", "--yes"]);
    assert_eq!(read(users(&world, "caplet.lock")), before);
    let shown = world.run(&["approve", "sums", "--yes"]);
    shown.assert(0, &["approved: sums"]);
    for text in [
        "wider:    read, change and remove the files /w/**",
        "write:/w/**, such as write /w",
        "-mode = \"read-only\"",
        "+mode = \"read-write\"",
        "an agent will see another sums",
        "+Adds\\u{202e} numbers.\\u{1b}[2J",
        "unseen:",
        "U+001B, U+202E",
        "its code is another\n",
        "from sha256:",
    ] {
        assert!(shown.stdout.contains(text), "{text:?} is not in: {}", shown.stdout);
    }
    assert!(!shown.stdout.contains('\u{1b}') && !shown.stdout.contains('\u{202e}'), "{shown:?}");
    assert_eq!(unasked.stdout, shown.stdout);
    let order =
        ["wider:", "its manifest:", "an agent will see", "its code"].map(|text| shown.stdout.find(text).unwrap());
    assert!(order.is_sorted(), "authority comes first: {}", shown.stdout);
    world.run(&["approve", "--all"]).assert(0, &["nothing to approve"]);

    // Nothing but the code.
    write_tool(&world, "i32.mul", &format!("{}{more}", guests::files("/w/**", "read-write")));
    let shown = world.run(&["approve", "--all", "--yes"]);
    assert!(shown.assert(0, &[]).stdout.contains("its code is another; nothing else changed"), "{shown:?}");
    assert!(shown.stdout.contains("proven: it asks for nothing"), "{shown:?}");
}

#[test]
fn a_tool_that_was_never_approved_is_shown_as_a_whole() {
    let world = World::new();
    write_tool(&world, "i32.add", &guests::files("/**", "read-write"));
    world.write("caplet.toml", "[tools.sums]\nsource = \"./sums.wasm\"\n[tools.file-read]\n");
    let shown = world.run(&["approve", "--all", "--yes", "--config", "./caplet.toml"]);
    shown.assert(0, &["very wide", "approved: sums\n"]);
    for text in [
        "it was never approved",
        "read, change and remove the files /**  VERY WIDE",
        "an agent will see sums",
        "its arguments:",
    ] {
        assert!(shown.stdout.contains(text), "{text:?} is not in: {}", shown.stdout);
    }
    assert!(!shown.stdout.contains("file-read"), "{shown:?}");
    world.run(&["approve", "file-read", "--yes", "--config", "./caplet.toml"]).assert(0, &["approved: file-read"]);
    let lock = read(world.path("caplet.lock"));
    assert!(lock.contains("[tools.sums]") && lock.contains("[tools.file-read]"), "{lock}");
    world.write("caplet.toml", "[tools.file-read]\n");
    world.run(&["approve", "--all", "--config", "./caplet.toml"]).assert(0, &["sums is not in the toolbox any more"]);
    assert!(!read(world.path("caplet.lock")).contains("[tools.sums]"));
    world.run(&["approve", "file-raed", "--config", "./caplet.toml"]).assert(2, &["did you mean file-read"]);
    World::new().run(&["approve", "x"]).assert(2, &["there is no toolbox", "caplet add"]);
    world.run(&["approve"]).assert(2, &["TOOL"]);
    world.write("caplet.lock", "version = 7\n");
    world
        .run(&["approve", "file-read", "--yes", "--config", "./caplet.toml"])
        .assert(2, &["version 7", "approve --all"]);
}

#[test]
fn a_tool_is_added_where_it_is_meant_and_can_be_called() {
    let world = World::new();
    world.write("docs/a.txt", "hello");
    let added = world.run(&["add", "file-read", "--as", "reader", "--allow", "read:docs/**", "--limit", "timeout=5s"]);
    added.assert(0, &["reader is in", "caplet run reader --args"]);
    assert!(added.stdout.contains("the most that you can grant"), "{added:?}");
    let text = read(users(&world, "caplet.toml"));
    // Far from the folder of the file, a rule is written as a whole.
    let rule = format!("allow = [\"read:{}/docs/**\"]", world.path("").canonicalize().unwrap().display());
    assert!(text.contains("[tools.reader]\nsource = \"file-read\"\n") && text.contains(&rule), "{text}");
    let args = ["--args", r#"{"path":"docs/a.txt"}"#];
    assert!(world.run(&[&["run", "reader"], &args[..]].concat()).assert(0, &[]).stdout.contains("hello"));

    // A project's file comes first where there is one, and --user after all.
    world.write("caplet.toml", "# ours\n");
    let added = world.run(&["add", "file-read", "--allow", "read:docs/**"]);
    added.assert(0, &["caplet run file-read --config ./caplet.toml"]);
    assert_eq!(read(world.path("caplet.toml")), "# ours\n\n[tools.file-read]\nallow = [\"read:docs/**\"]\n");
    assert!(read(world.path("caplet.lock")).contains("[tools.file-read]"));
    world.run(&["add", "file-glob", "--user", "--yes"]).assert(0, &[]);
    assert!(read(users(&world, "caplet.toml")).contains("[tools.file-glob]"));

    world.run(&["remove", "file-read"]).assert(0, &["not in"]);
    assert_eq!(read(world.path("caplet.toml")), "# ours\n");
    assert!(!read(world.path("caplet.lock")).contains("[tools.file-read]"));
    world.run(&["remove", "file-read"]).assert(2, &["no tool of this name"]);
    world.run(&["remove", "raeder", "--user"]).assert(2, &["did you mean reader"]);
}

#[test]
fn a_tool_is_added_with_what_a_person_is_asked_about() {
    let world = World::new();
    world.write("docs/a.txt", "hello");
    world.write("caplet.toml", "# ours\n");
    world.run(&["add", "file-read", "--ask", "read:docs/**"]).assert(0, &["file-read is in"]);
    assert_eq!(read(world.path("caplet.toml")), "# ours\n\n[tools.file-read]\nask = [\"read:docs/**\"]\n");
    let args = ["run", "file-read", "--config", "./caplet.toml", "--args", r#"{"path":"docs/a.txt"}"#];
    world.run(&args).assert(3, &["nobody can be asked here"]);
    world.run(&["add", "file-glob", "--user", "--ask", "read:docs/**"]).assert(0, &[]);
    let rule = format!("ask = [\"read:{}/docs/**\"]", world.path("").canonicalize().unwrap().display());
    assert!(read(users(&world, "caplet.toml")).contains(&rule), "far from the folder of the file, as a whole");
}

#[test]
fn what_cannot_be_added_changes_no_file() {
    let world = World::new();
    write_tool(&world, "i32.add", &guests::files("/w/**", "read-only"));
    world.write("box/caplet.toml", "# mine\n[tools.taken]\nsource = \"file-read\"\n");
    let before = read(world.path("box/caplet.toml"));
    let cases: [(&[&str], &str); 11] = [
        (&["--allow", "read:/w/**", "--allow", "raed:/w"], "did you mean `read:`"),
        (&["--ask", "raed:/w"], "did you mean `read:`"),
        (&["--ask", "env:HOME"], "--ask"),
        (&["--deny", "x"], "--deny"),
        (&["--mount", "/w=./nosuch"], "there is no directory"),
        (&["--mount", "/w=@nosuch"], "there is no [stores.nosuch]"),
        (&["--limit", "timeout=never"], "--limit"),
        (&["--as", "taken", "--yes"], "there is a tool of this name"),
        (&["--as", "Upper_Case", "--yes"], "not a name"),
        (&[], "no terminal to ask on"),
        (&["--user", "--yes"], "cannot be used with"),
    ];
    for (options, says) in cases {
        let ran = world.run(&[&["add", "./sums.wasm", "--config", "box/caplet.toml"], options].concat());
        ran.assert(2, &[says]);
    }
    world.run(&["add", "./nosuch.wasm", "--yes", "--config", "box/caplet.toml"]).assert(2, &["no such file"]);
    world.run(&["add", "file-raed", "--yes", "--config", "box/caplet.toml"]).assert(2, &["did you mean file-read"]);
    assert_eq!(read(world.path("box/caplet.toml")), before);
    assert_eq!(fs::read_dir(world.path("box")).unwrap().count(), 1);
    assert!(!users(&world, "caplet.toml").exists());
    world.run(&["add", "./sums.wasm", "--yes", "--config", "nosuch/caplet.toml"]).assert(6, &["cannot be written"]);
}

#[test]
fn wide_and_dead_grants_are_told() {
    let world = World::new();
    write_tool(&world, "i32.add", &guests::files("/w/**", "read-only"));
    let added =
        world.run(&["add", "./sums.wasm", "--allow", "read:/**", "--allow", "fetch:https://*", "--allow", "env:HOME"]);
    added.assert(0, &["'read:/**' is VERY WIDE", "'fetch:https://*/**' is VERY WIDE", "'env:HOME' permits nothing"]);
}

#[test]
fn what_somebody_else_approved_in_a_trusted_project_is_not_approved() {
    let world = World::new();
    write_tool(&world, "i32.add", &guests::files("/w/**", "read-only"));
    world.write("caplet.toml", "[tools.sums]\nsource = \"./sums.wasm\"\n");
    world.run(&["trust"]).assert(0, &[]);
    world.run(&["approve", "sums"]).assert(2, &["no terminal to ask on"]);
    world.run(&["approve", "sums", "--yes"]).assert(0, &["approved: sums"]);
    world.run(&["approve", "sums"]).assert(0, &["sums is as it was approved"]);

    // Another tool comes, with its approval, as from a repository.
    write_tool(&world, "i32.sub", &guests::files("/w/**", "read-write"));
    let theirs = world.command(&["approve", "sums", "--yes", "--config", "./caplet.toml"]);
    let theirs = { theirs }.env("HOME", world.path("other home")).output().unwrap();
    assert!(theirs.status.success(), "{theirs:?}");
    let seen = world.run(&["approve", "sums"]);
    seen.assert(2, &["no terminal to ask on"]);
    assert!(seen.stdout.contains("it was never approved"), "{seen:?}");
    world.run(&["approve", "sums", "--yes"]).assert(0, &["approved: sums"]);
    world.run(&["approve", "sums"]).assert(0, &["sums is as it was approved"]);

    // What the user does to it themselves leaves it trusted, with what they approved of.
    world.run(&["add", "file-read", "--yes"]).assert(0, &["file-read is in"]);
    world.run(&["approve", "--all"]).assert(0, &["sums is as it was approved", "nothing to approve"]);
    assert!(world.run(&["trust", "--list"]).stdout.contains("as trusted"));
    world.run(&["remove", "file-read"]).assert(0, &[]);
    world.run(&["approve", "sums"]).assert(0, &["sums is as it was approved"]);
    // But not what they find trusted no more.
    world.write("caplet.toml", "[tools.sums]\nsource = \"./sums.wasm\"\n# changed\n");
    world.run(&["add", "file-read", "--yes"]).assert(0, &["until you trust it"]);
    assert!(world.run(&["trust", "--list"]).stdout.contains("changed, so not trusted"));
}
