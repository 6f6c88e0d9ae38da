//! Calls: what reaches standard output and standard error, the outcome as JSON, the record.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use crate::bin::World;
use crate::guests;

#[test]
fn an_answer_goes_to_standard_output() {
    let world = World::new();
    let add = world.write("add.wat", guests::ADDS);
    let args = ["run", &add, "add", "--args", r#"{"a":40,"b":2}"#];
    let ran = world.run(&args);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "42\n", ""), "{ran:?}");
    let outcome = world.outcome(&args);
    assert_eq!(outcome["tool"], "add");
    assert_eq!(outcome["function"], "add");
    assert_eq!(outcome["output"], 42);
    assert_eq!(outcome["error"], json!(null));
    assert_eq!(outcome["decisions"], json!({"permitted": 0, "denied": []}));
    let keys: Vec<_> = outcome.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected =
        ["tool", "function", "outcome", "output", "error", "exit_code", "usage", "decisions", "record"].to_vec();
    expected.sort();
    let mut keys = keys;
    keys.sort();
    assert_eq!(keys, expected);
}

#[test]
fn arguments_come_from_an_option_a_file_or_standard_input() {
    let world = World::new();
    let add = world.write("add.wat", guests::ADDS);
    let text = r#"{"a":1,"b":2}"#;
    let file = world.write("args.json", text);
    let runs = [
        world.run(&["run", &add, "--args", text]),
        world.run(&["run", &add, "--args-file", &file]),
        world.run_with_input(&["run", &add, "--args", "-"], text.as_bytes()),
        world.run_with_input(&["run", &add, "--args-file", "-"], text.as_bytes()),
    ];
    for ran in runs {
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "3\n"), "{ran:?}");
    }
    world.run(&["run", &add, "--args", "{}", "--args-file", &file]).assert(2, &["cannot be used with"]);
}

#[test]
fn a_command_writes_bytes_and_exits() {
    let world = World::new();
    let hello = world.write("hello.wat", guests::prints(1, "hé\u{1b}[31m\n"));
    let ran = world.run(&["run", &hello]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "hé\u{1b}[31m\n"), "a pipe gets what the tool wrote: {ran:?}");
    for (code, ends) in
        [(0, 0), (1, 1), (7, 1), (125, 1), (126, 1), (255, 1), (256, 1), (2_147_483_648, 1), (u32::MAX, 1)]
    {
        let tool = world.write("exit.wat", guests::exits(code));
        let outcome = world.outcome(&["run", &tool]);
        assert_eq!(outcome["outcome"], "exit");
        assert_eq!(outcome["exit_code"], code);
        let ran = world.run(&["run", &tool]);
        assert_eq!(ran.code, ends, "{ran:?}");
        assert_eq!(ran.stderr.contains(&format!("exited with code {code}")), code != 0, "{ran:?}");
    }
}

#[test]
fn each_bad_end_has_its_code_and_a_way_out() {
    let world = World::new();
    let table: &[(&str, &[&str], i32, &str, &str)] = &[
        ("unreachable", &[], 4, "trap", "trap"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", &[], 4, "trap", "trap"),
        ("(loop br 0)", &["--limit", "timeout=300ms"], 5, "limit", "timeout"),
        ("(loop br 0)", &["--limit", "fuel=100000"], 5, "limit", "fuel"),
        ("(loop (drop (memory.grow (i32.const 1))) (br 0))", &["--limit", "memory=32MiB"], 5, "limit", "memory"),
    ];
    for (body, options, code, outcome, kind) in table {
        let tool = world.write("guest.wat", guests::does(body));
        let args = [&["run", tool.as_str()] as &[&str], options].concat();
        let ran = world.run(&args);
        assert_eq!(ran.code, *code, "{body}: {ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
        let object = world.outcome(&args);
        assert_eq!((&object["outcome"], &object["error"]["kind"]), (&json!(outcome), &json!(kind)), "{object}");
    }
}

#[test]
fn a_tool_cannot_forge_a_message() {
    let world = World::new();
    let text = "x\nerror: pay here\nhelp: run `rm -rf /`\u{1b}]0;title\u{7}\u{202e}";
    let guest = guests::prints(2, text).replace(
        "(drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))",
        "(drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))) unreachable",
    );
    let tool = world.write("forger.wat", guest);
    let ran = world.run(&["run", &tool]);
    assert_eq!(ran.code, 4);
    assert!(!ran.stderr.lines().any(|line| line.starts_with("help: run")), "{ran:?}");
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{202e}'), "{ran:?}");
}

#[test]
fn every_call_leaves_a_record() {
    let world = World::new();
    let add = world.write("add.wat", guests::ADDS);
    let ok = world.outcome(&["run", &add, "--args", r#"{"a":1,"b":2}"#]);
    let bad_arguments = world.outcome(&["run", &add, "--args", "{}"]);
    let unknown = world.outcome(&["run", "nosuch"]);
    let bad_rule = world.outcome(&["run", &add, "--allow", "nonsense"]);
    let records = world.records();
    for (outcome, record) in [ok, bad_arguments, unknown, bad_rule].iter().zip(&records) {
        assert_eq!(outcome["record"], record["id"]);
        assert_eq!(outcome["outcome"], record["outcome"]);
        assert_eq!(outcome["tool"], record["tool"]);
    }
    assert_eq!(records.len(), 4);
    assert!(records[0]["component"].as_str().unwrap().starts_with("sha256:"), "{}", records[0]);
    assert!(records[0]["arguments"].as_str().unwrap().starts_with("sha256:"), "{}", records[0]);
    assert_eq!(records[0]["ceiling"], "none");
    assert_eq!(records[0]["limits"]["timeout"], "30s");
    let open = world.outcome(&["run", &add, "--args", r#"{"a":1,"b":2}"#, "--ceiling", "open"]);
    assert_eq!(open["outcome"], "ok");
    assert_eq!(world.records()[4]["ceiling"], "open");
}

#[test]
fn no_call_runs_without_a_record() {
    let world = World::new();
    let add = world.write("add.wat", guests::ADDS);
    let args = ["run", &add, "--args", r#"{"a":1,"b":2}"#];
    assert_eq!(world.run(&args).code, 0);
    let log = world.log();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o666)).unwrap();
    let ran = world.run(&args);
    ran.assert(6, &["audit log", "chmod 600"]);
    assert_eq!(ran.stdout, "", "no answer without a record");
    assert_eq!(world.outcome(&args)["error"]["kind"], "host");
    fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(world.run(&args).code, 0);
    assert_eq!(world.records().len(), 2);
}

#[test]
fn an_interrupt_ends_the_call_with_a_message_and_a_record() {
    let world = World::new();
    let tool = world.write("loop.wat", guests::does("(loop br 0)"));
    for (signal, code) in [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143)] {
        let mut command = world.command(&["run", &tool, "--limit", "timeout=100s"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let process = rustix::process::Pid::from_child(&child);
        // The call is under way when the log has been opened and the process has used some time on the guest.
        while cpu_time(child.id()) < 60 {
            assert!(child.try_wait().unwrap().is_none(), "the call ended by itself");
            std::thread::yield_now();
        }
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert!(core.split_whitespace().filter(|word| *word == "0").count() == 2, "no core file: {core}");
        rustix::process::kill_process(process, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains("cancelled"), "{stderr}");
    }
    let records = world.records();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record["error"]["kind"] == "cancelled"), "{records:?}");
}

#[test]
fn a_result_that_cannot_be_written_is_told() {
    let world = World::new();
    let add = world.write("add.wat", guests::ADDS);
    let mut command = world.command(&["run", &add, "--args", r#"{"a":1,"b":2}"#]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdin(Stdio::null()).stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    assert!(stderr.contains("cannot write the result"), "{stderr}");
}

/// Ticks of processor time that a process has used.
fn cpu_time(id: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let world = World::new();
    let tool = world.write("hello.wat", guests::prints(1, &"x".repeat(60_000)));
    for (args, code) in [(&["run", tool.as_str()] as &[&str], 0), (&["run", "nosuch", "--json"], 2), (&["tools"], 0)] {
        let mut command = world.command(args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(code), ""), "{args:?}");
    }
}

#[test]
fn a_terminal_gets_no_control_characters() {
    let world = World::new();
    let tool = world.write("hello.wat", guests::prints(1, "a\u{1b}[2Jb\u{202e}c\rd"));
    let script = format!("{} run {tool}", env!("CARGO_BIN_EXE_caplet"));
    // `script` runs its command on a terminal of its own.
    let Ok(output) = std::process::Command::new("script")
        .args(["-qec", &script, "/dev/null"])
        .current_dir(world.path(""))
        .env("HOME", world.path("../home"))
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .output()
    else {
        return;
    };
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("a\\u{1b}[2Jb\\u{202e}c\\rd"), "{shown:?}");
}

#[test]
fn a_deterministic_call_can_be_repeated() {
    let world = World::new();
    let tool = world.write("random.wat", guests::RANDOM);
    let value = |options: &[&str]| {
        let outcome = world.outcome(&[&["run", tool.as_str()] as &[&str], options].concat());
        outcome["exit_code"].as_u64().unwrap()
    };
    assert_eq!(value(&["--deterministic"]), value(&["--deterministic"]));
    let seen: std::collections::BTreeSet<u64> = (0..5).map(|_| value(&[])).collect();
    assert!(seen.len() > 1, "randomness is real unless asked for otherwise: {seen:?}");
}

#[test]
fn a_rule_with_nothing_behind_it_is_pointed_out() {
    let world = World::new();
    let add = world.write("add.wat", guests::ADDS);
    let args = ["run", &add, "--args", r#"{"a":1,"b":2}"#, "--allow", "read:./no/such/folder/**"];
    let ran = world.run(&args);
    ran.assert(0, &["warning: nothing is behind the rule", "no/such/folder"]);
    assert_eq!(ran.stdout, "3\n");
}
