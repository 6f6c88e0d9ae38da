//! Whatever is given to it, Caplet answers with one clear error and the right code.

use std::fs;
use std::os::unix::fs::symlink;

use crate::bin::World;
use crate::guests;

/// Asserts that a run is refused with `code`, in a line or a few, with and without `--json`.
#[track_caller]
fn refused(world: &World, args: &[&str], code: i32, kind: &str, says: &str) {
    let ran = world.run(args);
    ran.assert(code, &["error: ", says]);
    assert!(ran.stdout.is_empty(), "{ran:?}");
    assert!(ran.stderr.lines().count() <= 4 && ran.stderr.len() < 2_000, "one clear error, not: {}", ran.stderr);
    let outcome = world.outcome(args);
    assert_eq!(outcome["outcome"], "refused", "{outcome}");
    assert_eq!(outcome["error"]["kind"], kind, "{outcome}");
    assert!(outcome["record"].is_string(), "{outcome}");
}

#[test]
fn what_is_no_regular_file_is_not_read() {
    let world = World::new();
    fs::create_dir(world.path("folder")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, world.path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    symlink("nowhere", world.path("dangling")).unwrap();
    fs::File::create(world.path("sparse.wasm")).unwrap().set_len(4 << 30).unwrap();
    let table = [
        ("./folder", "it is a directory"),
        ("./pipe", "it is a pipe"),
        ("/dev/zero", "it is a device"),
        ("/dev/stdin", "not a regular file"),
        ("./dangling", "there is no such file"),
        ("./missing.wasm", "there is no such file"),
        ("./sparse.wasm", "larger than the limit"),
        ("./missing.wasm/deeper", "cannot read"),
    ];
    for (tool, says) in table {
        refused(&world, &["run", tool], 2, "invalid-component", says);
        world.run(&["inspect", tool]).assert(2, &[says]);
        world.run(&["check", tool]).assert(2, &[says]);
    }
}

#[test]
fn what_is_no_webassembly_is_refused() {
    let world = World::new();
    let whole = wat::parse_str(guests::ADDS).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = vec![
        ("empty.wasm".into(), Vec::new()),
        ("elf.wasm".into(), b"\x7fELF\x02\x01\x01".to_vec()),
        ("gzip.wasm".into(), b"\x1f\x8b\x08\x00".to_vec()),
        ("text.wasm".into(), b"#!/bin/sh\n".to_vec()),
        ("trailing.wasm".into(), [whole.as_slice(), &[0xff; 9]].concat()),
        ("version.wasm".into(), b"\0asm\x63\0\x09\0".to_vec()),
        ("leb.wasm".into(), b"\0asm\x0d\0\x01\0\x07\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        ("parens.wat".into(), "(".repeat(1_000_000).into_bytes()),
        ("modules.wat".into(), "(module".repeat(100_000).into_bytes()),
        ("nul.wat".into(), vec![0; 10_000]),
        ("latin.wat".into(), b"(module (; \xff ;))".to_vec()),
        ("nothing.wat".into(), b"(module)".to_vec()),
    ];
    files.extend((1..whole.len()).step_by(37).map(|end| (format!("cut-{end}.wasm"), whole[..end].to_vec())));
    for (name, bytes) in files {
        let tool = world.write(&name, bytes);
        refused(&world, &["run", &tool], 2, "invalid-component", "");
        world.run(&["inspect", &tool]).assert(2, &["error: "]);
    }
}

#[test]
fn arguments_that_are_not_sound_json_are_refused() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    let nested = "[".repeat(100_000);
    let closed = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = r#"{"a":"#.repeat(100_000);
    let table = [
        ("", "no text at all"),
        ("{", "EOF"),
        ("\u{feff}{}", "byte order mark"),
        (r#"{"a":1,"a":2}"#, "given twice"),
        (r#"{"a":1,"b":{"x":1,"x":1}}"#, "given twice"),
        (r#"{"a":1e99999,"b":1}"#, "out of range"),
        (r#"{"a":"\ud800","b":1}"#, ""),
        (r#"{"a":1,"b":2} {}"#, "trailing"),
        ("{'a':1}", ""),
        ("[1,2]", ""),
        ("null", ""),
        (r#"{"a":1}"#, "b"),
        (r#"{"a":1,"b":2,"c":3}"#, "c"),
        (r#"{"a":-1,"b":2}"#, "a"),
        (r#"{"a":4294967296,"b":2}"#, "a"),
        (r#"{"a":18446744073709551616,"b":2}"#, "a"),
        (r#"{"a":"1","b":2}"#, "a"),
        (r#"{"__proto__":1,"a":1,"b":2}"#, "__proto__"),
    ];
    for (text, says) in table {
        refused(&world, &["run", &tool, "--args", text], 2, "invalid-args", says);
    }
    for text in [&nested, &closed, &objects] {
        let file = world.write("args.json", text);
        refused(&world, &["run", &tool, "--args-file", &file], 2, "invalid-args", "recursion limit");
    }
}

#[test]
fn arguments_are_read_within_their_limit() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    let padded = format!("{}{}", r#"{"a":1,"b":2}"#, " ".repeat(4 << 20));
    let file = world.write("args.json", &padded);
    refused(&world, &["run", &tool, "--args-file", &file], 2, "invalid-args", "longer than the limit");
    refused(&world, &["run", &tool, "--args-file", "/dev/zero"], 2, "invalid-args", "longer than the limit");
    refused(&world, &["run", &tool, "--args-file", "./missing"], 2, "invalid-args", "cannot read the arguments");
    refused(&world, &["run", &tool, "--args-file", "."], 2, "invalid-args", "cannot read the arguments");
    let ran = world.run_with_input(&["run", &tool, "--args", "-"], &[b'"', 0xff, b'"']);
    ran.assert(2, &["not UTF-8"]);
    let raised = world.run(&["run", &tool, "--args-file", &file, "--limit", "arguments=8MiB"]);
    assert_eq!((raised.code, raised.stdout.trim()), (0, "3"), "{raised:?}");
}

#[test]
fn rules_mounts_and_limits_that_make_no_sense_are_refused() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    let table: &[(&[&str], &str)] = &[
        (&["--allow", ""], "--allow"),
        (&["--allow", "read"], "--allow"),
        (&["--allow", "read:"], "--allow"),
        (&["--allow", "raed:/x"], "--allow"),
        (&["--allow", "read:/[x"], "--allow"),
        (&["--allow", "read:/../x"], "--allow"),
        (&["--deny", "write:/{a"], "--deny"),
        (&["--mount", "/w"], "it has no ="),
        (&["--mount", "=."], "empty"),
        (&["--mount", "/w="], "empty"),
        (&["--mount", "/w=./missing"], "--mount"),
        (&["--mount", "/w=host:"], "no directory"),
        (&["--mount", "/w=overlay:"], "no directory"),
        (&["--mount", "/w=overlay:./missing"], "--mount"),
        (&["--mount", "/w=overlay:./add.wat"], "--mount"),
        (&["--mount", "/w=sqlite:"], "no file"),
        (&["--mount", "/w=sqlite:add.wat"], "--mount"),
        (&["--mount", "/w=sqlite:./missing/x.db"], "--mount"),
        (&["--mount", "/w=session", "--mount", "/w=session"], "same path"),
        (&["--bucket", "notes"], "--bucket"),
        (&["--bucket", "notes=nonsense"], "--bucket"),
        (&["--bucket", "notes=memory", "--bucket", "notes=memory"], "has a store already"),
        (&["--mount", "/w=.", "--mount", "/w=memory"], "same path"),
        (&["--mount", "/w=/proc"], "--mount"),
        (&["--mount", "/w=/proc/self"], "--mount"),
        (&["--mount", "/w=/sys"], "--mount"),
        (&["--mount", "/w=/dev"], "--mount"),
        (&["--limit", "timeout"], "--limit"),
        (&["--limit", "timeout=0s"], "--limit"),
        (&["--limit", "timeout=5"], "--limit"),
        (&["--limit", "memory=lots"], "--limit"),
        (&["--limit", "nonsense=1"], "--limit"),
        (&["--limit", "memory=99999999999999999999GiB"], "--limit"),
    ];
    for (options, says) in table {
        let args = [&["run", &tool, "--args", r#"{"a":1,"b":2}"#], *options].concat();
        refused(&world, &args, 2, "invalid-config", says);
    }
}

#[test]
fn a_name_that_is_no_tool_gets_a_suggestion() {
    let world = World::new();
    let table =
        [("file-raed", "did you mean file-read?"), ("read", "did you mean file-read?"), ("zzz", "caplet tools")];
    for (name, says) in table {
        refused(&world, &["run", name], 2, "unknown-tool", says);
    }
    world.write("here", "");
    refused(&world, &["run", "here"], 2, "unknown-tool", "./here");
    let tool = world.write("two.wat", guests::TWO);
    refused(&world, &["run", &tool], 2, "unknown-tool", "one, two");
    refused(&world, &["run", &tool, "three"], 2, "unknown-tool", "one, two");
    assert_eq!(world.run(&["run", &tool, "two"]).stdout.trim(), "2");
}

#[test]
fn names_that_mislead_or_never_end_are_shown_as_what_they_are() {
    let world = World::new();
    let long = "x".repeat(100_000);
    let table = [
        ("\u{1b}[2Jx", "unknown-tool"),
        ("x\nerror: pay here", "unknown-tool"),
        ("./\u{202e}x\n.wasm", "invalid-component"),
        ("", "unknown-tool"),
        (&long, "unknown-tool"),
        (&format!("./{long}"), "invalid-component"),
        ("__proto__", "unknown-tool"),
        ("../../../../etc/passwd", "invalid-component"),
        ("File-Read", "unknown-tool"),
        ("file-read ", "unknown-tool"),
    ];
    for (name, kind) in table {
        refused(&world, &["run", name], 2, kind, "error: ");
        let shown = world.run(&["run", name]).stderr;
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
        assert!(!shown.lines().any(|line| line.starts_with("error: pay")), "{shown}");
    }
    let add = world.write("add.wat", guests::ADDS);
    refused(&world, &["run", &add, "x\nerror: pay here"], 2, "unknown-tool", "add");
    refused(&world, &["run", &add, &long], 2, "unknown-tool", "add");
    refused(&world, &["run", &add, "--allow", &format!("read:/{long}")], 2, "invalid-config", "--allow");
    refused(&world, &["run", &add, "--mount", &format!("/{long}=.")], 2, "invalid-config", "--mount");
}

#[test]
fn bad_usage_is_plain_text() {
    let world = World::new();
    for args in [
        &["inspct"] as &[&str],
        &["run"],
        &["run", "x", "--nope"],
        &["explain", "x"],
        &[],
        &["run", "x", "--ceiling", "wide"],
    ] {
        let ran = world.run(args);
        ran.assert(2, &["--help"]);
        assert!(ran.stdout.is_empty());
    }
    world.run(&["inspct"]).assert(2, &["'inspect'"]);
}
