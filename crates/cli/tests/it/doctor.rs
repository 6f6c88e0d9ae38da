//! What `caplet doctor` says of the way from a client to a tool.

use std::fs;

use serde_json::Value;

use crate::bin::{World, arg};

/// What is said of `what`, and the exit code.
fn said(world: &World, what: &str, args: &[&str]) -> (Value, i32) {
    let ran = world.run(&[&["doctor", "--json"], args].concat());
    let report = ran.json();
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["what"] == what);
    (finding.cloned().unwrap_or_default(), ran.code)
}

fn cursor(world: &World, command: &str, args: &[&str]) {
    let folder = world.home().join(".cursor");
    fs::create_dir_all(&folder).unwrap();
    let entry = serde_json::json!({"mcpServers": {"caplet": {"command": command, "args": args}}});
    fs::write(folder.join("mcp.json"), entry.to_string()).unwrap();
}

#[test]
fn each_tool_of_the_toolbox_is_looked_at() {
    let world = World::new();
    let (toolbox, code) = said(&world, "toolbox", &[]);
    assert_eq!((&toolbox["state"], code), (&"ok".into(), 0), "{toolbox}");
    world.write("bad.wasm", "no component");
    world.write(
        "caplet.toml",
        "[tools.file-read]\n[tools.bad]\nsource = \"./bad.wasm\"\n[tools.gone]\nsource = \"./gone.wasm\"\n",
    );
    let config = ["--config", "./caplet.toml"];
    let (toolbox, code) = said(&world, "toolbox", &config);
    assert!(toolbox["detail"].as_str().unwrap().contains("offers 1 functions"), "{toolbox}");
    assert_eq!(code, 6);
    for name in ["tool bad", "tool gone"] {
        let (tool, _) = said(&world, name, &config);
        assert_eq!(tool["state"], "broken", "{name}: {tool}");
    }
    assert_eq!(said(&world, "tool file-read", &config).0, Value::Null);
    world.write("caplet.toml", "[tools.x]\nalow = []\nenv = { A = \"hunter2\" }\n");
    let (toolbox, code) = said(&world, "toolbox", &config);
    assert_eq!((&toolbox["state"], code), (&"broken".into(), 6), "{toolbox}");
    assert!(toolbox["detail"].as_str().unwrap().contains("unknown field `alow`"), "{toolbox}");
    assert!(!toolbox.to_string().contains("hunter2"));
}

#[test]
fn what_an_installation_wrote_answers() {
    let world = World::new();
    world.write("caplet.toml", "[tools.file-read]\n[tools.memory]\n");
    for client in ["cursor", "codex"] {
        world.run(&["mcp", "install", "--client", client, "--config", "./caplet.toml"]).assert(0, &[]);
    }
    for client in ["Cursor", "Codex"] {
        let (finding, code) = said(&world, client, &[]);
        assert_eq!((&finding["state"], code), (&"ok".into(), 0), "{finding}");
        assert!(finding["detail"].as_str().unwrap().contains(" offers 7 tools, by MCP 2025-11-25"), "{finding}");
    }
    world.write("caplet.toml", "[tools.file-read\n");
    let (finding, code) = said(&world, "Cursor", &[]);
    assert_eq!((&finding["state"], code), (&"broken".into(), 6), "{finding}");
    assert!(finding["detail"].as_str().unwrap().contains("and said: error: "), "{finding}");
}

#[test]
fn nothing_that_a_client_would_start_is_started_but_this_program() {
    let world = World::new();
    let (clients, code) = said(&world, "clients", &[]);
    assert_eq!((&clients["state"], code), (&"ok".into(), 0), "{clients}");
    let trap = world.path("caplet");
    let trace = world.path("started");
    fs::write(&trap, format!("#!/bin/sh\ntouch {}\n", trace.display())).unwrap();
    fs::set_permissions(&trap, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let this = env!("CARGO_BIN_EXE_caplet");
    let gone = arg(&world.path("gone/caplet"));
    for (command, args, state, told) in [
        (arg(&trap).as_str(), &["serve"][..], "worse", "another caplet"),
        ("caplet", &["serve"], "worse", "another caplet"),
        (&gone, &["serve"], "broken", "not there"),
        (this, &["serve", "--http", "0.0.0.0:0"], "ok", "not tried"),
        (this, &["serve", "--config", "./none.toml"], "broken", "it ended"),
    ] {
        cursor(&world, command, args);
        let (finding, code) = said(&world, "Cursor", &[]);
        assert_eq!(finding["state"], state, "{command} {args:?}: {finding}");
        assert_eq!(code, if state == "broken" { 6 } else { 0 }, "{command} {args:?}: {finding}");
        assert!(finding["detail"].as_str().unwrap().contains(told), "{command} {args:?}: {finding}");
    }
    assert!(!trace.exists());
    cursor(&world, arg(&trap).as_str(), &["run"]);
    assert_eq!(said(&world, "Cursor", &[]).0, Value::Null, "what does not serve is somebody else's");
    fs::write(world.home().join(".cursor/mcp.json"), "{").unwrap();
    assert_eq!(said(&world, "Cursor", &[]).0["state"], "worse");
    let shown = world.run(&["doctor"]);
    assert!(shown.stdout.contains("worse  Cursor"), "{}", shown.stdout);
}
