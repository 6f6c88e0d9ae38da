//! Recordings and replays, as a person makes them: the world is changed or gone, and the call comes out the same.

use std::fs;
use std::path::PathBuf;

use caplet::audit::log::Hash;
use caplet_testkit::TOOLS_PROBE;
use caplet_testkit::lab::http::{Http, pages};
use serde_json::{Value, json};

use crate::bin::{Ran, World};
use crate::guests;

/// Time to compile an interpreter on a machine that is busy.
const PATIENCE: [&str; 2] = ["--limit", "compile=10m"];

/// Runs a tool and records it; gives the id of its record.
fn record(world: &World, args: &[&str]) -> String {
    let outcome = world.outcome(&[&["run"], args, &PATIENCE, &["--record"]].concat());
    assert_eq!(outcome.get("note"), None, "nothing is wrong with the recording: {outcome}");
    outcome["record"].as_str().unwrap().to_owned()
}

/// Runs a tool that calls others and records it.
fn record_with(world: &World, args: &[&str]) -> Value {
    let ran = world.run(&[&["run"], args, &PATIENCE, &["--record", "--json"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

/// Replays, with nothing of the world reachable that the call could have used.
fn replay(world: &World, id: &str, more: &[&str]) -> Ran {
    world.run(&[&["replay", id], more].concat())
}

#[track_caller]
fn assert_identical(world: &World, id: &str) {
    let ran = replay(world, id, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("identical: "), "{ran:?}");
}

fn recordings(world: &World) -> PathBuf {
    world.state().join("recordings")
}

/// All files below a folder.
fn files(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { left.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// A folder of some files, one of them large.
fn docs(world: &World) {
    world.write("docs/a.txt", "first line\nneedle one\n");
    world.write("docs/b.txt", "nothing here\n");
    world.write("docs/deep/c.txt", "x\n".repeat(40_000) + "needle two\n");
}

#[test]
fn a_call_on_files_comes_out_the_same_without_them() {
    let world = World::new();
    let cases: &[(&str, Value)] = &[
        ("file-read", json!({"path": "docs/a.txt"})),
        ("file-read", json!({"path": "docs/missing.txt"})),
        ("file-read", json!({"path": "/etc/passwd"})),
        ("file-grep", json!({"pattern": "needle", "path": "docs", "output": "content"})),
        ("file-glob", json!({"pattern": "**/*.txt", "path": "docs"})),
        ("shell", json!({"command": "cat docs/*.txt | sort | uniq -c; ls -l docs; wc -c < docs/deep/c.txt"})),
        ("javascript", json!({"code": "[Date.now(), Math.random(), new Date().toISOString()]"})),
        ("javascript", json!({"code": "await new Promise(done => setTimeout(done, 20)); Date.now()"})),
    ];
    for (tool, arguments) in cases {
        docs(&world);
        let args = [*tool, "--allow", "read:docs/**", "--args", &arguments.to_string()];
        let outcome = world.outcome(&[&["run"], &args[..], &PATIENCE, &["--record"]].concat());
        let id = outcome["record"].as_str().unwrap();
        fs::remove_dir_all(world.path("docs")).unwrap();
        assert_identical(&world, id);
        let replayed = replay(&world, id, &["--json"]).json();
        assert_eq!(replayed["outcome"]["output"], outcome["output"], "{tool} {arguments}");
        assert_eq!(replayed["outcome"]["decisions"], outcome["decisions"], "{tool} {arguments}");
    }
}

#[test]
fn what_a_call_writes_is_read_back_in_a_replay_and_written_nowhere() {
    let world = World::new();
    let script = "set -e; mkdir -p w/new; echo one > w/new/a; cat w/old >> w/new/a; mv w/new/a w/new/b; cp w/new/b w/copy; \
                  rm w/old; echo two >> w/copy; cat w/new/b w/copy; ls w w/new; test ! -e w/old";
    for (tool, arguments) in [
        ("shell", json!({"command": script})),
        ("file-edit", json!({"path": "w/old", "edits": [{"old_string": "text", "new_string": "other"}]})),
        ("file-write", json!({"path": "w/x/y", "content": "z"})),
        ("file-write", json!({"path": "w/old", "content": "more", "if_exists": "append"})),
    ] {
        drop(fs::remove_dir_all(world.path("w")));
        world.write("w/old", "old text\n");
        let id = record(&world, &[tool, "--allow", "write:w/**", "--args", &arguments.to_string()]);
        drop(fs::remove_dir_all(world.path("w")));
        assert_identical(&world, &id);
        assert!(!world.path("w").exists(), "a replay writes nothing: {tool}");
    }
}

#[test]
fn a_page_comes_out_the_same_without_its_server() {
    let server = Http::on("127.0.0.1:0", pages::echo).unwrap();
    let base = format!("http://{}", server.address());
    let world = World::new();
    let allow = format!("fetch:ANY {base}/**");
    let mut ids = Vec::new();
    for arguments in [
        json!({"url": format!("{base}/page?x=1"), "format": "raw"}),
        json!({"url": format!("{base}/post"), "method": "POST", "body": "some body", "format": "raw"}),
    ] {
        ids.push(record(&world, &["web-fetch", "--allow", &allow, "--args", &arguments.to_string()]));
    }
    let refused = json!({"url": "http://127.0.0.1:9/", "format": "raw"}).to_string();
    let refused =
        world.outcome(&["run", "web-fetch", "--allow", "fetch:http://127.0.0.1:9/**", "--args", &refused, "--record"]);
    ids.push(refused["record"].as_str().unwrap().to_owned());
    let asked = server.accepts();
    drop(server);
    for id in &ids {
        assert_identical(&world, id);
    }
    assert!(asked > 0);
}

#[test]
fn notes_come_out_the_same_without_their_store() {
    let world = World::new();
    let allow = ["--allow", "kv:memory"];
    let mut ids = Vec::new();
    for (function, arguments) in [
        ("put", json!({"name": "n", "text": "some words"})),
        ("put", json!({"name": "n", "text": "more", "if_exists": "append"})),
        ("get", json!({"name": "n"})),
        ("list", json!({})),
        ("search", json!({"query": "words"})),
        ("forget", json!({"name": "n"})),
    ] {
        let arguments = arguments.to_string();
        ids.push(record(&world, &[&["memory", function, "--args", &arguments][..], &allow].concat()));
    }
    fs::remove_file(world.state().join("keyvalue.sqlite")).unwrap();
    for id in &ids {
        assert_identical(&world, id);
    }
    assert!(!world.state().join("keyvalue.sqlite").exists(), "a replay opens no store");
}

#[test]
fn a_record_has_the_digest_of_its_recording_and_a_replay_leaves_none() {
    let world = World::new();
    docs(&world);
    let plain = ["file-read", "--allow", "read:docs/**", "--args", r#"{"path":"docs/a.txt"}"#];
    world.outcome(&[&["run"][..], &plain].concat());
    let id = record(&world, &plain);
    let index: Value =
        serde_json::from_slice(&fs::read(recordings(&world).join(format!("{id}.json"))).unwrap()).unwrap();
    let records = world.records();
    assert_eq!(records[0].get("recording"), None);
    assert_eq!((&records[1]["id"], &records[1]["recording"]), (&json!(id), &index["digest"]));
    assert_identical(&world, &id.to_lowercase());
    let path = recordings(&world).join(format!("{id}.json"));
    assert_identical(&world, path.to_str().unwrap());
    assert_eq!(world.records().len(), 2);
    // What was refused before it began saw nothing.
    let ran = world.run(&["run", "file-read", "no-such-function", "--record", "--args", "{}"]);
    assert!(ran.code != 0 && !ran.stderr.contains("recorded"), "{ran:?}");
    // A folder that others may enter is not used, and the call is not made.
    fs::set_permissions(recordings(&world), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ran = world.run(&[&["run"][..], &plain, &["--record"]].concat());
    ran.assert(2, &["--record", "0700"]);
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_recording_that_was_changed_is_refused_by_name() {
    let world = World::new();
    docs(&world);
    let read = |path: &str| {
        record(&world, &["file-read", "--allow", "read:docs/**", "--args", &json!({"path": path}).to_string()])
    };
    let (id, other) = (read("docs/a.txt"), read("docs/b.txt"));
    assert_identical(&world, &id);
    let folder = recordings(&world);
    let index = folder.join(format!("{id}.json"));
    for file in files(folder.clone()).into_iter().filter(|file| !file.ends_with(format!("{other}.json"))) {
        let content = fs::read(&file).unwrap();
        let places =
            if file == index { (0..content.len()).collect() } else { vec![0, content.len() / 2, content.len() - 1] };
        // Starting a process for each byte of the index takes long, and shows no more.
        for place in places.into_iter().step_by(if file == index { 97 } else { 1 }) {
            let mut changed = content.clone();
            changed[place] ^= 1;
            fs::write(&file, &changed).unwrap();
            let ran = replay(&world, &id, &[]);
            if file == index
                || fs::read_to_string(&index).unwrap().contains(file.file_name().unwrap().to_str().unwrap())
            {
                ran.assert(2, &[&id]);
            }
        }
        fs::write(&file, &content[..content.len() - 1]).unwrap();
        let is_part = file == index
            || String::from_utf8_lossy(&fs::read(&index).unwrap())
                .contains(file.file_name().unwrap().to_str().unwrap());
        if is_part {
            replay(&world, &id, &[]).assert(2, &[&id]);
            fs::remove_file(&file).unwrap();
            replay(&world, &id, &[]).assert(2, &[&id]);
        }
        fs::write(&file, &content).unwrap();
    }
    assert_identical(&world, &id);
    // Another recording under this id.
    fs::copy(folder.join(format!("{other}.json")), &index).unwrap();
    replay(&world, &id, &[]).assert(2, &[&id, &other]);
    // The same, made to fit in every part of it: what the call's record says cannot be made with it.
    let forged = fs::read_to_string(&index).unwrap().replace(&other, &id);
    let (before, digest) = forged.rsplit_once("\"digest\": \"").unwrap();
    let after = digest.split_once('"').unwrap().1;
    let with = |digest: &str| format!("{before}\"digest\": \"{digest}\"{after}");
    fs::write(&index, with(&Hash::of(&[with("").as_bytes()]).to_string())).unwrap();
    replay(&world, &id, &[]).assert(2, &[&id, "audit log"]);
    fs::remove_dir_all(world.state().join("audit")).unwrap();
    assert_identical(&world, &id);
    for unknown in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "no-id", "../../../etc/passwd"] {
        replay(&world, unknown, &[]).assert(2, &[]);
    }
}

#[test]
fn no_value_of_a_secret_is_in_a_recording() {
    const CANARY: &str = "canary-4f1c9b7e2d";
    let server = Http::on("127.0.0.1:0", pages::echo).unwrap();
    let base = format!("http://{}", server.address());
    let world = World::new();
    world.write("docs/leak.txt", format!("the file says {CANARY} as well"));
    world.run_with_input(&["secret", "set", "TOKEN", "--file"], CANARY.as_bytes()).assert(0, &[]);
    let arguments =
        json!({"url": format!("{base}/echo"), "format": "raw", "headers": [{"name": "x-note", "value": "plain"}]})
            .to_string();
    let allow = [format!("fetch:{base}/**"), format!("secret:TOKEN@{base}/**")];
    let id = record(&world, &["web-fetch", "--allow", &allow[0], "--allow", &allow[1], "--args", &arguments]);
    let sent = String::from_utf8_lossy(&server.requests()[0].raw).into_owned();
    assert!(sent.contains(CANARY), "the server got it: {sent}");
    drop(server);
    fs::remove_file(world.state().join("secrets.age")).unwrap();
    assert_identical(&world, &id);
    let (base64, hex) =
        ("Y2FuYXJ5LTRmMWM5YjdlMmQ", CANARY.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
    let mut looked_at = 0;
    for file in files(recordings(&world)) {
        let content = fs::read(&file).unwrap();
        let unpacked = lz4(&content);
        for bytes in [&content, &unpacked] {
            for form in [CANARY, base64, &hex] {
                let text = String::from_utf8_lossy(bytes);
                assert!(!text.contains(form), "{form} is in {}", file.display());
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 10);
}

/// What is packed in a part of a recording, as far as it is packed.
fn lz4(packed: &[u8]) -> Vec<u8> {
    let Some((length, packed)) = packed.split_first_chunk::<4>() else { return Vec::new() };
    let length = u32::from_le_bytes(*length) as usize;
    if length > 64 << 20 { Vec::new() } else { lz4_flex::decompress(packed, length).unwrap_or_default() }
}

#[test]
fn a_new_version_that_asks_for_more_is_told_what() {
    let world = World::new();
    world.write("docs/a.txt", "first");
    world.write("docs/b.txt", "second");
    let one = world.write("one.wat", guests::reads(&["a.txt"]));
    let two = world.write("two.wat", guests::reads(&["a.txt", "b.txt"]));
    let allow = ["--ceiling", "open", "--allow", "read:docs/**", "--deny", "read:docs/c.txt"];
    let id = record(&world, &[&[one.as_str()][..], &allow].concat());
    assert_identical(&world, &id);
    let ran = replay(&world, &id, &["--against", &two]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let path = world.path("docs/b.txt");
    assert!(ran.stdout.contains(&format!("+ read {} (permitted); not in the recording", path.display())), "{ran:?}");
    // The same version under another name is the same.
    let same = world.write("same.wat", guests::reads(&["a.txt"]));
    replay(&world, &id, &["--against", &same]).assert(0, &[]);
    // And one that asks for less.
    let none = world.write("none.wat", guests::reads(&[]));
    let ran = replay(&world, &id, &["--against", &none, "--json"]);
    assert_eq!(ran.code, 1);
    let replayed = ran.json();
    let gone = replayed["gone_ops"].as_array().unwrap();
    assert!(gone.iter().any(|op| op.as_str().unwrap().ends_with("docs/a.txt")), "{replayed}");
    assert!(replayed["output_diff"].as_str().unwrap().contains("-first"), "{replayed}");
    // What the policy does not permit is denied there as well.
    let outside = world.write("outside.wat", guests::reads(&["a.txt", "c.txt"]));
    let replayed = replay(&world, &id, &["--against", &outside, "--json"]).json();
    let denied = replayed["new_ops"].as_array().unwrap().iter().find(|op| op["permitted"] == false).unwrap();
    assert!(denied["op"].as_str().unwrap().ends_with("docs/c.txt") && denied["hint"].is_string(), "{replayed}");
}

#[test]
fn a_call_that_sees_more_than_a_recording_holds_goes_on_and_is_told() {
    let world = World::new();
    world.write("docs/large", vec![b'x'; 70 << 20]);
    let arguments = json!({"command": "wc -c < docs/large"}).to_string();
    let outcome = record_with(&world, &["shell", "--allow", "read:docs/**", "--args", &arguments]);
    assert!(outcome["output"].to_string().contains("73400320"), "{outcome}");
    assert!(outcome["note"].as_str().unwrap().contains("incomplete"), "{outcome}");
    let ran = replay(&world, outcome["record"].as_str().unwrap(), &[]);
    ran.assert(1, &["the recording is incomplete", "64 MiB"]);
    // Very many readings are no more than a few.
    let arguments =
        json!({"code": "let last; for (let n = 0; n < 200000; n++) last = Date.now(); typeof last"}).to_string();
    assert_identical(&world, &record(&world, &["javascript", "--args", &arguments]));
    let size: u64 = files(recordings(&world))
        .iter()
        .filter(|file| file.metadata().unwrap().len() < 1 << 20)
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(size < 4 << 20, "{size} bytes");
}

#[test]
fn calls_of_other_tools_come_out_the_same_without_them() {
    let world = World::new();
    docs(&world);
    world.write("probe.wat", TOOLS_PROBE);
    let toolbox = "[tools.probe]\nsource = \"./probe.wat\"\nceiling = \"open\"\nallow = [\"call:file-read\"]\n\
                   [tools.file-read]\nallow = [\"read:docs/**\"]\n";
    world.write("caplet.toml", toolbox);
    let arguments = json!({"name": "file-read", "arguments": r#"{"path":"docs/a.txt"}"#}).to_string();
    let outcome = record_with(&world, &["--config", "./caplet.toml", "probe", "call", "--args", &arguments]);
    assert!(outcome["output"].as_str().unwrap().contains("needle"), "{outcome}");
    fs::remove_dir_all(world.path("docs")).unwrap();
    fs::remove_file(world.path("caplet.toml")).unwrap();
    assert_identical(&world, outcome["record"].as_str().unwrap());
}

#[test]
fn a_server_records_every_call() {
    let world = World::new();
    docs(&world);
    world.write("caplet.toml", "[tools.file-read]\nallow = [\"read:docs/**\"]\n");
    world.approve();
    let client = json!({"name": "test", "version": "0"});
    let messages = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize",
               "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
               "params": {"name": "file-read", "arguments": {"path": "docs/a.txt"}}}),
    ];
    let input = messages.iter().map(|message| format!("{message}\n")).collect::<String>();
    let served = world.run_with_input(&["serve", "--record", "--config", "./caplet.toml"], input.as_bytes());
    assert!(served.stdout.contains("needle one"), "{served:?}");
    let records = world.records();
    let id = records.last().unwrap()["id"].as_str().unwrap();
    fs::remove_dir_all(world.path("docs")).unwrap();
    assert_identical(&world, id);
}

#[test]
fn no_tool_reaches_recordings() {
    let world = World::new();
    docs(&world);
    record(&world, &["file-read", "--allow", "read:docs/**", "--args", r#"{"path":"docs/a.txt"}"#]);
    let folder = recordings(&world);
    let arguments = json!({"pattern": "**", "path": world.home().display().to_string()}).to_string();
    let rule = format!("read:{}/**", world.home().display());
    let ran = world.run(&["run", "file-glob", "--allow", &rule, "--args", &arguments]);
    assert!(!ran.stdout.contains("recordings"), "{ran:?}");
    let rule = format!("read:{}/**", folder.display());
    let arguments = json!({"pattern": "**", "path": folder.display().to_string()}).to_string();
    let ran = world.run(&["run", "file-glob", "--allow", &rule, "--args", &arguments]);
    assert!(ran.code != 0 && !ran.stdout.contains(".json"), "{ran:?}");
}
