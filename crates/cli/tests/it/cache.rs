//! Compiled code that is kept: used again, never when it is not what it should be, and never in the way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::bin::{World, arg};
use crate::guests;

const ARGS: &str = r#"{"a":1,"b":2}"#;

/// A tool like `guests::ADDS` that adds `extra` as well, so that its code is another.
fn adds(extra: u32) -> String {
    guests::ADDS.replace(
        "(i32.add (local.get 0) (local.get 1))",
        &format!("(i32.add (i32.const {extra}) (i32.add (local.get 0) (local.get 1)))"),
    )
}

/// The entries with this ending.
fn entries(world: &World, ending: &str) -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(world.cache()) else { return Vec::new() };
    let mut entries: Vec<PathBuf> = folder.map(|listed| listed.unwrap().path()).collect();
    entries.retain(|path| path.extension().is_some_and(|found| found == ending));
    entries.sort();
    entries
}

fn overwrite(path: &PathBuf, bytes: &[u8]) {
    // Entries are read-only; whoever may write the folder can replace them all the same.
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
}

#[track_caller]
fn runs(world: &World, tool: &str, answer: &str) -> String {
    let ran = world.run(&["run", tool, "--args", ARGS]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, answer), "{ran:?}");
    ran.stderr
}

#[test]
fn code_is_kept_and_used_again() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    assert_eq!(runs(&world, &tool, "3"), "");
    let [code] = entries(&world, "code").try_into().unwrap();
    let written = fs::metadata(&code).unwrap().modified().unwrap();
    assert_eq!(runs(&world, &tool, "3"), "");
    assert_eq!(fs::metadata(&code).unwrap().modified().unwrap(), written, "nothing was compiled again");
    assert_eq!(fs::metadata(world.cache()).unwrap().permissions().mode() & 0o777, 0o700);
    let shown = world.run(&["cache", "--json"]).json();
    assert!(shown["entries"].as_u64().unwrap() >= 1 && shown["bytes"].as_u64().unwrap() > 1_000, "{shown}");
    world.run(&["cache", "clear"]).assert(0, &[]);
    assert!(entries(&world, "code").is_empty());
    assert_eq!(runs(&world, &tool, "3"), "", "and is compiled again when it is gone");
}

#[test]
fn code_that_is_not_what_was_written_is_never_run() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    runs(&world, &tool, "3");
    let [code] = entries(&world, "code").try_into().unwrap();
    let whole = fs::read(&code).unwrap();
    let patched = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut variants: Vec<(String, Vec<u8>)> =
        (0..whole.len()).step_by(whole.len() / 12).map(|at| (format!("patched at {at}"), patched(at))).collect();
    variants.push(("patched at the end".into(), patched(whole.len() - 1)));
    variants.extend(
        [0, 1, 100, whole.len() / 2, whole.len() - 1].map(|end| (format!("cut at {end}"), whole[..end].to_vec())),
    );
    variants.push(("longer".into(), [whole.as_slice(), b"x"].concat()));
    variants.push(("another file".into(), b"\x7fELF".repeat(1_000)));
    for (what, bytes) in variants {
        overwrite(&code, &bytes);
        let warned = runs(&world, &tool, "3");
        assert!(warned.contains("warning: ") && warned.contains("compiled again"), "{what}: {warned}");
        assert_eq!(runs(&world, &tool, "3"), "", "{what}: the entry is sound again");
    }
}

#[test]
fn no_entry_stands_in_for_another() {
    let (world, stranger) = (World::new(), World::new());
    let (one, other) = (world.write("one.wat", guests::ADDS), world.write("other.wat", adds(10)));
    runs(&world, &one, "3");
    let [first] = entries(&world, "code").try_into().unwrap();
    runs(&world, &other, "13");
    let second = entries(&world, "code").into_iter().find(|path| *path != first).unwrap();
    let (first_code, second_code) = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
    overwrite(&first, &second_code);
    overwrite(&second, &first_code);
    assert!(runs(&world, &one, "3").contains("warning: "), "swapped");
    assert!(runs(&world, &other, "13").contains("warning: "), "swapped");
    // The same component, compiled by somebody else.
    let theirs = stranger.write("one.wat", guests::ADDS);
    runs(&stranger, &theirs, "3");
    let [foreign] = entries(&stranger, "code").try_into().unwrap();
    assert_eq!(foreign.file_name(), first.file_name());
    overwrite(&first, &fs::read(foreign).unwrap());
    assert!(runs(&world, &one, "3").contains("warning: "), "foreign");
    fs::remove_file(&first).unwrap();
    std::os::unix::fs::symlink(&second, &first).unwrap();
    assert!(runs(&world, &one, "3").contains("warning: "), "a link");
}

#[test]
fn a_tool_that_was_changed_is_noticed() {
    let world = World::new();
    for extra in [0, 10, 20, 10] {
        let tool = world.write("add.wat", adds(extra));
        // Long ago enough for its facts to be remembered.
        let past = std::time::SystemTime::now() - Duration::from_secs(60);
        fs::File::options().write(true).open(world.path("add.wat")).unwrap().set_modified(past).unwrap();
        let answer = (3 + extra).to_string();
        runs(&world, &tool, &answer);
        runs(&world, &tool, &answer);
        let digest = world.run(&["inspect", &tool, "--json"]).json()["digest"].clone();
        assert_eq!(world.records().last().unwrap()["component"], digest, "the record says what ran");
    }
}

#[test]
fn a_cache_that_cannot_be_used_slows_things_down_and_no_more() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    fs::create_dir_all(world.cache()).unwrap();
    fs::set_permissions(world.cache(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(runs(&world, &tool, "3").contains("warning: compiled code cannot be cached"));
    world.run(&["cache"]).assert(6, &["help: "]);
    fs::set_permissions(world.cache(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(world.cache().join("key"), "short").unwrap();
    assert!(runs(&world, &tool, "3").contains("warning: compiled code cannot be cached"));
}

#[test]
fn no_grant_reaches_compiled_code() {
    let world = World::new();
    let tool = world.write("open.wat", guests::opens("x"));
    runs(&world, &world.write("add.wat", guests::ADDS), "3");
    let cache = arg(&world.cache().canonicalize().unwrap());
    for options in [
        ["--mount".to_owned(), format!("/w={cache}")],
        ["--allow".to_owned(), format!("read:{cache}/**")],
        ["--allow".to_owned(), format!("write:{cache}/**")],
    ] {
        let ran = world.run(&["run", &tool, "--ceiling", "open", &options[0], &options[1]]);
        ran.assert(2, &["compiled code", "no tool may reach"]);
    }
}

#[test]
fn processes_share_one_cache() {
    let world = World::new();
    let tools: Vec<String> = (0..4).map(|number| world.write(&format!("{number}.wat"), adds(number))).collect();
    for round in 0..3 {
        let started: Vec<_> = (0..12)
            .map(|index| {
                let tool = &tools[index % tools.len()];
                let mut command = world.command(&["run", tool, "--args", ARGS]);
                (index % tools.len(), command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
            })
            .collect();
        for (number, child) in started {
            let output = child.wait_with_output().unwrap();
            let answer = String::from_utf8(output.stdout).unwrap();
            assert_eq!(answer.trim(), (3 + number).to_string(), "{:?}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stderr.is_empty(), "round {round}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn a_process_that_is_killed_leaves_cache_and_log_usable() {
    let world = World::new();
    for number in 0..25u32 {
        let tool = world.write(&format!("{number}.wat"), adds(number));
        let mut child = world.command(&["run", &tool, "--args", ARGS]).stdout(Stdio::null()).spawn().unwrap();
        // At another moment each time, from before it starts to after it has ended.
        let until = Instant::now() + Duration::from_millis(u64::from(number) * 2);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(runs(&world, &tool, &(3 + number).to_string()), "");
    }
    assert!(world.records().len() >= 25, "every line of the log is whole");
}

#[test]
fn a_component_that_takes_too_long_to_compile_is_stopped() {
    let world = World::new();
    // Half a million branches that each depend on all locals.
    let mut body = String::new();
    for index in 0..60_000 {
        let (one, other) = (index % 50, (index * 7 + 3) % 50);
        body.push_str(&format!(
            "(if (i32.lt_s (local.get {one}) (local.get {other})) (then (local.set {one} (i32.mul (local.get {other}) (i32.const {index})))))"
        ));
    }
    let locals = "(local i32)".repeat(50);
    let text = format!(r#"(module (memory (export "memory") 1) (func (export "_start") {locals} {body}))"#);
    let bomb = world.write("bomb.wasm", wat::parse_str(text).unwrap());
    let started = Instant::now();
    let outcome = world.outcome(&["run", &bomb, "--limit", "compile=1s"]);
    let took = started.elapsed();
    assert_eq!((&outcome["outcome"], &outcome["error"]["kind"]), (&"limit".into(), &"timeout".into()), "{outcome}");
    assert!(took < Duration::from_secs(20), "it was stopped, not waited for: {took:?}");
    assert!(entries(&world, "code").is_empty());
    let tool = world.write("add.wat", guests::ADDS);
    assert_eq!(runs(&world, &tool, "3"), "");
}

#[test]
fn doctor_says_what_works() {
    let world = World::new();
    let healthy = world.run(&["doctor", "--json"]);
    assert_eq!(healthy.code, 0, "{healthy:?}");
    let report = healthy.json();
    let state = |what: &str| {
        let findings = report["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["what"] == what).unwrap()["state"].as_str().unwrap().to_owned()
    };
    for what in ["pool", "compiler", "cache", "audit log"] {
        assert_eq!(state(what), "ok", "{report}");
    }
    fs::remove_dir_all(world.state()).unwrap();
    fs::write(world.state(), "in the way").unwrap();
    world.run(&["doctor"]).assert(6, &[]);
}
