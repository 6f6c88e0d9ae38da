//! Tools that call tools, as a person runs them: grants from the toolbox, secrets, and what counts for whom.

use caplet_testkit::TOOLS_PROBE;
use caplet_testkit::lab::http::{Http, pages};
use serde_json::{Value, json};

use crate::bin::{Ran, World};

const SECRET: &str = "canary-41c8d2-value";

/// A world with `probe`, which calls what it is told to, and these lines in its toolbox.
fn world(lines: &str) -> World {
    let world = World::new();
    world.write("probe.wat", TOOLS_PROBE);
    world.write("caplet.toml", format!("[tools.probe]\nsource = \"./probe.wat\"\nceiling = \"open\"\n{lines}"));
    world
}

/// Runs `probe`, which calls `tool` and gives what it answered.
fn calls(world: &World, tool: &str, arguments: &Value, more: &[&str]) -> Ran {
    let arguments = json!({"name": tool, "arguments": arguments.to_string()}).to_string();
    let mut words = vec!["run", "--config", "./caplet.toml", "probe", "call", "--args", &arguments];
    words.extend(more);
    world.run(&words)
}

#[test]
fn a_tool_that_is_run_calls_what_the_toolbox_grants() {
    let read = json!({"path": "notes.txt"});
    let world = world("allow = [\"call:file-read\"]\n[tools.file-read]\nallow = [\"read:notes.txt\"]\n");
    world.write("notes.txt", "from the file\n");
    let run = calls(&world, "file-read", &read, &["--json"]);
    run.assert(0, &[]);
    assert!(run.json()["output"].as_str().unwrap().contains("from the file"), "{}", run.stdout);
    assert_eq!(run.json()["usage"]["calls"], 1);
    // What the command line grants is the caller's alone.
    let run = calls(&world, "file-write", &json!({"path": "a", "content": "b"}), &["--allow", "write:**"]);
    run.assert(3, &["denied: call file-write", "--allow 'call:file-write'"]);
    let more = ["--allow", "call:file-write", "--allow", "write:**"];
    let run = calls(&world, "file-write", &json!({"path": "a", "content": "b"}), &more);
    assert!(run.code != 0 && !world.path("a").exists(), "{} {}", run.stdout, run.stderr);
}

#[test]
fn a_secret_of_the_called_tool_is_not_its_callers() {
    let server = Http::on("127.0.0.1:0", pages::echo).unwrap();
    let base = format!("http://{}", server.address());
    let rules = format!("\"fetch:{base}/**\", \"secret:TOKEN@{base}/**\"");
    let world = world(&format!("allow = [\"call:web-fetch\"]\n[tools.web-fetch]\nallow = [{rules}]\n"));
    world.run_with_input(&["secret", "set", "TOKEN", "--file"], format!("{SECRET}\n").as_bytes()).assert(0, &[]);
    let run = calls(&world, "web-fetch", &json!({"url": format!("{base}/x")}), &["--json", "--verbose"]);
    run.assert(0, &[]);
    assert!(run.stdout.contains("[secret:TOKEN]"), "the server's echo is masked: {}", run.stdout);
    assert!(!run.stdout.contains(SECRET) && !run.stderr.contains(SECRET), "{} {}", run.stdout, run.stderr);
    let got = String::from_utf8_lossy(&server.requests()[0].raw).into_owned();
    assert!(got.contains(&format!("authorization: Bearer {SECRET}\r\n")), "{got}");
}

#[test]
fn requests_of_the_called_tool_count_for_its_caller() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "ok")).unwrap();
    let base = format!("http://{}", server.address());
    let url = json!({"url": format!("{base}/x")});
    for (most, is_enough) in [(0, false), (1, true)] {
        let world = world(&format!(
            "allow = [\"call:web-fetch\"]\nlimits = {{ http-requests = {most} }}\n\
             [tools.web-fetch]\nallow = [\"fetch:{base}/**\"]\n"
        ));
        let before = server.requests().len();
        let run = calls(&world, "web-fetch", &url, &["--json"]);
        assert_eq!(
            (run.code == 0, server.requests().len() - before),
            (is_enough, usize::from(is_enough)),
            "{}",
            run.stdout
        );
        assert_eq!(run.json()["usage"]["http_requests"], u64::from(is_enough), "{}", run.stdout);
    }
}
