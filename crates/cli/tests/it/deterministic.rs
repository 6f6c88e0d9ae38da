//! `--deterministic`, as a person uses it: processes of their own, on one core and on two, beside a busy machine.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use caplet_testkit::TOOLS_PROBE;
use serde_json::{Value, json};

use crate::bin::World;
use crate::guests;

/// A tool, and what it is asked to do with the folder `docs`.
const TASKS: [(&str, &str); 5] = [
    (
        "shell",
        r#"{"command":"ls -la docs; cat docs/*.txt | sort -r | uniq -c; date +%s.%N; echo $RANDOM; sleep 3; for f in docs/*; do echo $f; done; date"}"#,
    ),
    (
        "javascript",
        r#"{"code":"const m = new Map(); for (let i = 0; i < 2000; i++) m.set('k' + (i * 7919) % 2000, Math.sin(i)); [Math.random(), Date.now(), performance.now(), NaN, [...m].slice(0, 5), crypto.randomUUID()].map(String).join(' ')"}"#,
    ),
    (
        "python",
        r#"{"code":"import os, random, time, uuid, json\nfound = [(e.name, e.stat().st_mtime_ns, e.stat().st_size, e.inode()) for e in os.scandir('docs')]\ntime.sleep(1.5)\nrepr([found, random.random(), str(uuid.uuid4()), time.time(), time.monotonic(), hash('text'), list({'a', 'b', 'c'}), os.urandom(8).hex()])"}"#,
    ),
    ("file-glob", r#"{"pattern":"docs/**"}"#),
    ("file-grep", r#"{"pattern":"line","path":"docs"}"#),
];

/// Makes the same folder anew: in another order, at other times, and with other inodes.
fn fill(folder: &Path, names: &[&str], age: u64) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
    for (older, name) in (0..).zip(names) {
        let file = folder.join(name);
        fs::write(&file, format!("line of {name}\nline\n")).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age * (older + 1));
        File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    }
}

/// Runs with `--json`, on core 0 alone where `pinned`. The record's id is another each time.
fn outcome(world: &World, args: &[&str], pinned: bool) -> Value {
    let mut command = world.command(args);
    if pinned {
        let mut on_one = Command::new("taskset");
        on_one.args(["-c", "0"]).arg(command.get_program()).args(command.get_args());
        on_one.current_dir(world.path("")).env_clear().env("HOME", world.home()).env("PATH", "/usr/bin:/bin");
        command = on_one;
    }
    // Code that takes long to compile stays from run to run.
    let code = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deterministic");
    let output = command.arg("--json").env("XDG_CACHE_HOME", code).output().unwrap();
    let mut outcome: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    outcome["record"].take();
    outcome
}

#[test]
fn tools_answer_the_same_on_one_core_and_on_two_and_beside_others() {
    let world = World::new();
    let can_pin = Command::new("taskset").args(["-c", "0", "true"]).status().is_ok_and(|status| status.success());
    for (tool, arguments) in TASKS {
        let args = [
            "run",
            tool,
            "--deterministic=3",
            "--allow",
            "read:docs/**",
            "--limit",
            "compile=10m",
            "--args",
            arguments,
        ];
        fill(&world.path("docs"), &["b.txt", "a.txt", "c.txt"], 1);
        let first = outcome(&world, &args, false);
        assert_eq!(first["outcome"], "ok", "{tool}: {first}");
        assert!(first["record_digest"].as_str().unwrap().starts_with("sha256:"), "{first}");
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..2 {
            let over = Arc::clone(&over);
            std::thread::spawn(move || while !over.load(Ordering::Relaxed) {});
        }
        for (names, pinned) in [(["a.txt", "c.txt", "b.txt"], can_pin), (["c.txt", "b.txt", "a.txt"], false)] {
            fill(&world.path("docs"), &names, 10_000);
            assert_eq!(outcome(&world, &args, pinned), first, "{tool}");
        }
        over.store(true, Ordering::Relaxed);
        fs::write(world.path("docs/a.txt"), "another line\n").unwrap();
        let changed = outcome(&world, &args, false);
        let is_told = tool != "javascript" && tool != "file-glob";
        assert_eq!(
            changed["record_digest"] != first["record_digest"],
            is_told,
            "{tool}: files are a part of it: {changed}"
        );
    }
}

#[test]
fn the_seed_is_chosen_and_on_record() {
    let world = World::new();
    let tool = world.write("random.wat", guests::RANDOM);
    let code = |option: &str| {
        let outcome = world.outcome(&["run", &tool, option]);
        assert_eq!(outcome["usage"]["wall_us"], 0, "{outcome}");
        (outcome["exit_code"].as_u64().unwrap(), outcome["deterministic"].as_u64().unwrap())
    };
    assert_eq!(code("--deterministic"), code("--deterministic=0"));
    let codes: std::collections::BTreeSet<u64> =
        (0..6).map(|seed| code(&format!("--deterministic={seed}")).0).collect();
    assert!(codes.len() > 1, "{codes:?}");
    let records = world.records();
    assert_eq!(records.last().unwrap()["deterministic"], 5);
    assert_eq!(records[0]["digest"], records[1]["digest"]);
    assert_ne!(records[0]["digest"], records.last().unwrap()["digest"]);
    assert_eq!(records[0]["limits"]["fuel"], "30000000000", "a second of the timeout is worth so much fuel");
    world.run(&["run", &tool, "--deterministic=x"]).assert(2, &["invalid value 'x' for '--deterministic[=<SEED>]'"]);
}

#[test]
fn code_for_both_kinds_of_calls_comes_from_the_compiler_and_is_kept_apart() {
    let world = World::new();
    // Exits with 0 where a NaN out of nothing is the canonical one, which it is on no x86 by itself.
    let tool = world.write(
        "nan.wat",
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
          (func (export "_start") (call $exit (i32.ne (i32.const 0x7fc00000)
            (i32.reinterpret_f32 (f32.div (f32.load (i32.const 0)) (f32.load (i32.const 0))))))))"#,
    );
    for options in [&[][..], &["--deterministic"], &["--deterministic"], &["--limit", "fuel=1000000"], &[]] {
        let outcome = world.outcome(&[&["run", tool.as_str()], options].concat());
        let is_canonical = outcome["exit_code"] == 0;
        let expected = options == ["--deterministic"] || !cfg!(target_arch = "x86_64");
        assert_eq!(is_canonical, expected, "{options:?}: {outcome}");
    }
}

#[test]
fn calls_of_other_tools_are_deterministic_too() {
    let world = World::new();
    world.write("probe.wat", TOOLS_PROBE);
    world.write("random.wat", guests::RANDOM);
    world.write("notes.txt", "from the file\n");
    world.write(
        "caplet.toml",
        "[tools.probe]\nsource = \"./probe.wat\"\nceiling = \"open\"\nallow = [\"call:*\"]\n\
         [tools.random]\nsource = \"./random.wat\"\n[tools.file-read]\nallow = [\"read:notes.txt\"]\n\
         [tools.web-fetch]\nallow = [\"fetch:http://127.0.0.1:9/**\"]\n",
    );
    world.approve();
    let run = |function: &str, arguments: Value, seed: &str| {
        let arguments = arguments.to_string();
        let args = ["run", "--config", "./caplet.toml", "probe", function, seed, "--args", &arguments, "--json"];
        let run = world.run(&args);
        let mut outcome = run.json();
        outcome["record"].take();
        let calls: Vec<(Value, Value)> = world
            .records()
            .into_iter()
            .rev()
            .skip(1)
            .take(usize::try_from(outcome["usage"]["calls"].as_u64().unwrap()).unwrap())
            .map(|record| (record["deterministic"].clone(), record["digest"].clone()))
            .collect();
        (outcome, calls)
    };
    let all = json!({"name": "random", "arguments": "{}", "times": 5});
    let (first, calls) = run("all", all.clone(), "--deterministic");
    assert_eq!((first["outcome"].as_str(), calls.len()), (Some("ok"), 5), "{first}");
    assert_eq!(run("all", all.clone(), "--deterministic"), (first.clone(), calls.clone()));
    let seeds: std::collections::BTreeSet<u64> = calls.iter().map(|(seed, _)| seed.as_u64().unwrap()).collect();
    assert_eq!(seeds.len(), 5, "each has a seed of its own");
    assert_ne!(run("all", all, "--deterministic=1").1, calls);
    let read = json!({"name": "file-read", "arguments": r#"{"path":"notes.txt"}"#});
    let (outcome, _) = run("call", read, "--deterministic");
    assert!(outcome["output"].as_str().unwrap().contains("from the file"), "{outcome}");
    let fetch = json!({"name": "web-fetch", "arguments": r#"{"url":"http://127.0.0.1:9/x"}"#});
    let (outcome, _) = run("call", fetch, "--deterministic");
    assert_eq!(outcome["outcome"], "error", "{outcome}");
    let record = world.records().into_iter().rev().find(|record| record["tool"] == "web-fetch").unwrap();
    assert_eq!(record["decisions"]["denied"][0]["op"], "GET http://127.0.0.1:9/x", "{record}");
}

#[test]
fn what_cannot_be_deterministic_is_refused_and_says_so() {
    let world = World::new();
    let fetch = ["run", "web-fetch", "--deterministic", "--allow", "fetch:http://127.0.0.1:9/**", "--args"];
    let run = world.run(&[&fetch[..], &[r#"{"url":"http://127.0.0.1:9/x"}"#]].concat());
    run.assert(
        3,
        &[
            "denied: GET http://127.0.0.1:9/x",
            "by: host layer",
            "requests are not deterministic: leave out --deterministic",
        ],
    );
    let put =
        ["run", "memory", "put", "--deterministic", "--allow", "kv:memory", "--args", r#"{"name":"a","text":"b"}"#];
    world.run(&put).assert(3, &["a bucket of its own with --bucket NAME=memory"]);
    world.run(&[&put[..], &["--bucket", "memory=memory"]].concat()).assert(0, &[]);
    world.run(&[&put[..], &["--bucket", "memory=session"]].concat()).assert(3, &["denied"]);
}

#[test]
fn a_call_that_never_ends_is_over_at_the_same_place() {
    let world = World::new();
    let tool = world.write("spins.wat", guests::does("(loop $l (br $l))"));
    let run = || outcome(&world, &["run", &tool, "--deterministic", "--limit", "timeout=20ms"], false);
    let first = run();
    assert_eq!((&first["outcome"], &first["error"]["kind"]), (&json!("limit"), &json!("fuel")), "{first}");
    assert_eq!(run(), first);
}
