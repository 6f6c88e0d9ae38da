//! The same programs, unchanged, on every store, with the same answers: a guest of ours that does everything there is to do with files,
//! and published ones that nobody here wrote. And mounts that cannot be.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use caplet::{Caplet, Ceiling, Grant, SessionData, Source};
use serde_json::json;

use crate::bin::World;
use crate::programs::program;

/// Each store, empty, as what is written behind the `=` of a mount.
pub(crate) fn stores(world: &World) -> [(&'static str, String); 5] {
    let at = |name: &str| world.path(name).display().to_string();
    for name in ["plain", "below"] {
        fs::create_dir(world.path(name)).unwrap();
    }
    [
        ("host", format!("host:{}", at("plain"))),
        ("memory", "memory".to_owned()),
        ("session", "session".to_owned()),
        ("overlay", format!("overlay:{}", at("below"))),
        ("sqlite", format!("sqlite:{}", at("files.db"))),
    ]
}

/// What the guest does, and what it says of it: an errno of preview1, and what it read.
#[rustfmt::skip]
const STEPS: &[(&str, &str, &str, &str)] = &[
    ("mkdir", "d", "", "0"),
    ("mkdir", "d", "", "20"),
    ("mkdir", "no/such", "", "44"),
    ("write", "d/f", "hello", "0"),
    ("read", "d/f", "", "0 hello"),
    ("append", "d/f", ", world", "0"),
    ("read", "d/f", "", "0 hello, world"),
    ("size", "d/f", "", "0 12"),
    ("new", "d/f", "", "20"),
    ("new", "d/g", "", "0"),
    ("size", "d/g", "", "0 0"),
    ("cut", "d/f", "", "0"),
    ("read", "d/f", "", "0 hel"),
    ("write", "d/f", "other", "0"),
    ("read", "d/f", "", "0 other"),
    ("link", "d/f", "d/h", "0"),
    ("write", "d/h", "both", "0"),
    ("read", "d/f", "", "0 both"),
    ("link", "d/f", "d/g", "20"),
    ("symlink", "f", "d/l", "0"),
    ("readlink", "d/l", "", "0 f"),
    ("readlink", "d/f", "", "28"),
    ("read", "d/l", "", "0 both"),
    ("symlink", "../../x", "d/out", "0"),
    ("read", "d/out", "", "63"),
    ("symlink", "d", "to-d", "0"),
    ("read", "to-d/f", "", "0 both"),
    ("list", "d", "", "0 7"),
    ("rename", "d/f", "d/g", "0"),
    ("read", "d/f", "", "44"),
    ("read", "d/g", "", "0 both"),
    ("rename", "d", "d/x", "28"),
    ("mkdir", "e", "", "0"),
    ("rename", "d", "e", "0"),
    ("list", "e", "", "0 6"),
    ("read", "e/g", "", "0 both"),
    ("rmdir", "e", "", "55"),
    ("unlink", "e", "", "31"),
    ("rmdir", "e/g", "", "54"),
    ("unlink", "e/l", "", "0"),
    ("unlink", "e/out", "", "0"),
    ("unlink", "e/h", "", "0"),
    ("unlink", "e/g", "", "0"),
    ("unlink", "e/g", "", "44"),
    ("list", "e", "", "0 2"),
    ("rmdir", "e", "", "0"),
    ("read", "../outside", "", "63"),
    ("read", "/etc/passwd", "", "63"),
    ("mkdir", "caf\u{e9}", "", "0"),
    ("write", "caf\u{e9}/*[a]", "literal", "0"),
    ("read", "caf\u{e9}/*[a]", "", "0 literal"),
];

/// A preview1 module that takes the steps, one after the other, and prints a line for each.
fn guest() -> String {
    let (mut data, mut body, mut at) = (String::new(), String::new(), 4096);
    for (op, one, other, _) in STEPS {
        write!(body, "(call ${op}").unwrap();
        for text in [one, other] {
            let hex: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
            write!(data, "(data (i32.const {at}) \"{hex}\")").unwrap();
            write!(body, " (i32.const {at}) (i32.const {})", text.len()).unwrap();
            at += text.len();
        }
        body.push_str(") (call $line)\n");
    }
    include_str!("every_store.wat").replace(";;DATA", &data).replace(";;STEPS", &body)
}

#[test]
fn one_guest_has_the_same_answers_on_every_store() {
    let world = World::new();
    let guest = world.write("guest.wat", guest());
    for (store, mount) in stores(&world) {
        let mount = format!("/w={mount}");
        let done = world.outcome(&["run", &guest, "--ceiling", "open", "--mount", &mount, "--allow", "write:/w/**"]);
        assert!(done["outcome"] == "ok", "{store}: {done}");
        let output = done["output"].as_str().unwrap();
        let found: Vec<&str> = output.lines().collect();
        assert_eq!(found.len(), STEPS.len(), "{store}: {output}");
        for ((op, one, other, expected), found) in STEPS.iter().zip(found) {
            assert_eq!(found, *expected, "{store}: {op} {one:?} {other:?}");
        }
        let denied: Vec<&str> =
            done["decisions"]["denied"].as_array().unwrap().iter().map(|entry| entry["op"].as_str().unwrap()).collect();
        assert_eq!(denied, ["read /x", "read /outside", "read /etc/passwd"], "{store}");
    }
    // And where it lasts, it is there.
    assert_eq!(fs::read_to_string(world.path("plain/caf\u{e9}/*[a]")).unwrap(), "literal");
    assert_eq!(fs::read_dir(world.path("below")).unwrap().count(), 0);
    let diff = world.run(&["diff", &world.path("below").display().to_string()]);
    assert!(diff.stdout.contains("+literal"), "{diff:?}");
    let kept = world.run(&["fs", "cat", &format!("sqlite:{}", world.path("files.db").display()), "caf\u{e9}/*[a]"]);
    assert_eq!(kept.stdout, "literal");
    world.run(&["fs", "check", "sqlite:./files.db"]).assert(0, &[]);
}

/// What CPython does with files, in one call, since a store in memory has no more; it prints what it saw.
const SCRIPT: &str = r#"
import os, json
seen = []
os.makedirs('/w/a/b/c')
for number in range(30):
    with open(f'/w/a/b/{number:02}.txt', 'w') as file:
        file.write(f'line {number}\n' * 1000)
seen.append(sorted(os.listdir('/w/a/b')))
seen.append(sum(os.stat(f'/w/a/b/{n:02}.txt').st_size for n in range(30)))
os.rename('/w/a/b/00.txt', '/w/a/b/c/first.txt')
os.replace('/w/a/b/01.txt', '/w/a/b/02.txt')
os.rename('/w/a/b/c', '/w/moved')
seen.append(open('/w/moved/first.txt').readline())
seen.append(open('/w/a/b/02.txt').readline())
with open('/w/a/b/03.txt', 'r+') as file:
    file.seek(5); file.write('X'); file.truncate(10)
with open('/w/a/b/03.txt', 'a') as file:
    file.write('end')
seen.append(open('/w/a/b/03.txt').read())
with open('/w/large', 'wb') as file:
    for number in range(64):
        file.write(bytes([number]) * 65536)
    os.fsync(file.fileno())
with open('/w/large', 'rb') as file:
    file.seek(33 * 65536 - 1)
    seen.append(list(file.read(2)))
seen.append(os.path.getsize('/w/large'))
for failing in [lambda: open('/w/none'), lambda: os.rmdir('/w/a/b'), lambda: os.mkdir('/w/moved'), lambda: open('/etc/passwd')]:
    try:
        failing()
        seen.append('no error')
    except OSError as error:
        seen.append(type(error).__name__)
for number in range(2, 30):
    os.remove(f'/w/a/b/{number:02}.txt')
os.removedirs('/w/a/b')
seen.append(sorted(os.path.join(d, f) for d, _, fs in os.walk('/w') for f in fs))
print(json.dumps(seen))
"#;

#[test]
fn cpython_works_on_every_store() {
    let Some(python) = program("python") else { return };
    let world = World::new();
    let input = json!({ "args": ["-c", SCRIPT] }).to_string();
    for (store, mount) in stores(&world) {
        let mount = format!("/w={mount}");
        let limits = ["--limit", "compile=10m", "--limit", "timeout=2m", "--args", &input];
        let words = ["run", &python, "--ceiling", "open", "--mount", &mount, "--allow", "write:/w/**"];
        let done = world.outcome(&[&words[..], &limits].concat());
        assert_eq!(done["outcome"], "ok", "{store}: {done}");
        let seen: serde_json::Value = serde_json::from_str(done["output"].as_str().unwrap()).unwrap();
        let names: Vec<String> = (0..30).map(|number| format!("{number:02}.txt")).chain(["c".to_owned()]).collect();
        let expected = json!([
            names,
            1000 * (10 * 7 + 20 * 8),
            "line 0\n",
            "line 1\n",
            "line X\nlinend",
            [32, 33],
            64 * 65536,
            "FileNotFoundError",
            "OSError",
            "FileExistsError",
            "PermissionError",
            ["/w/large", "/w/moved/first.txt"],
        ]);
        assert_eq!(seen, expected, "{store}");
    }
    world.run(&["fs", "check", "sqlite:./files.db"]).assert(0, &[]);
    let names = |folder: &str| fs::read_dir(world.path(folder)).unwrap().count();
    assert_eq!((names("plain"), names("below")), (2, 0));
}

#[test]
fn ripgrep_finds_the_same_in_every_store() {
    let Some(rg) = program("ripgrep") else { return };
    let world = World::new();
    let files = [("in/a.txt", "a needle\nhay\n"), ("in/deep/er/b.txt", "hay\nanother needle\n"), ("c.txt", "hay\n")];
    let stores = stores(&world);
    for (path, content) in files {
        for folder in ["plain", "below"] {
            world.write(&format!("{folder}/{path}"), content);
        }
        world.run(&["fs", "cp", &world.write("one", content), "sqlite:./files.db", path]).assert(0, &[]);
    }
    let words = ["--sort", "path", "-n", "needle", "/w"];
    let expected = "/w/in/a.txt:1:a needle\n/w/in/deep/er/b.txt:2:another needle\n";
    let input = json!({ "args": words }).to_string();
    // What is in memory is gone after the call, so there is nothing to find; what is in a session, the test below finds.
    for (store, mount) in stores.iter().filter(|(store, _)| !matches!(*store, "memory" | "session")) {
        let mount = format!("/w={mount}");
        let options = ["--ceiling", "open", "--mount", &mount, "--allow", "read:/w/**", "--limit", "compile=10m"];
        let found = world.outcome(&[&["run", &rg, "--args", &input], &options[..]].concat());
        assert_eq!((found["outcome"].as_str(), found["output"].as_str()), (Some("ok"), Some(expected)), "{store}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let caplet = Caplet::builder().build().unwrap();
    let session = Arc::new(SessionData::new(1 << 20));
    let call = |source: &str, input: serde_json::Value| {
        let mut grant = Grant::new("/").unwrap();
        grant.ceiling(Ceiling::Open).session(Arc::clone(&session)).allow("write:/w/**").unwrap();
        grant.mount("/w=session").unwrap().limit("compile=10m").unwrap();
        let tool = caplet.load_within(&Source::parse(source).unwrap(), &grant.limits()).unwrap();
        runtime.block_on(caplet.grant(&tool, grant).unwrap().call(None, input)).output
    };
    for (path, content) in files {
        call("file-write", json!({"path": format!("/w/{path}"), "content": content}));
    }
    assert_eq!(call(&rg, json!({ "args": words })), json!(expected));
}

#[test]
fn mounts_that_cannot_be_are_refused_and_nothing_runs() {
    let world = World::new();
    let file = world.write("file", "text, and no database at all");
    fs::create_dir(world.path("dir")).unwrap();
    std::os::unix::fs::symlink("file.db", world.path("link.db")).unwrap();
    let state = world.state().display().to_string();
    let home = world.home().display().to_string();
    // The state folder is made by the first call.
    world.run(&["run", "file-glob", "--allow", "read:/w/**", "--args", r#"{"pattern":"*","path":"/w"}"#]);
    let overlay_of_state = format!("/w=overlay:{state}");
    let overlay_of_home = format!("/w=overlay:{home}");
    for (mounts, message) in [
        (&["/w=host:missing"][..], "there is no directory"),
        (&["/w=missing"], "there is no directory"),
        (&["/w=overlay:missing"], "there is no directory"),
        (&["/w=sqlite:missing/f.db"], "there is no directory"),
        // A path that is a file, and a file that is a directory.
        (&["/w=file"], "is not a directory"),
        (&["/w=host:file"], "is not a directory"),
        (&["/w=overlay:file"], "is not a directory"),
        (&["/w=sqlite:dir"], "is a directory, not a database file"),
        (&["/w=sqlite:file"], "is not an SQLite database"),
        (&["/w=sqlite:link.db"], "is a symbolic link"),
        (&["/w=sqlite:/dev/null"], "is a device"),
        // The kernel's own.
        (&["/w=host:/proc/self"], "where names are the kernel's interface"),
        (&["/w=overlay:/sys"], "where names are the kernel's interface"),
        // One over the other.
        (&["/w=memory", "/w=session"], "is mounted at the same path"),
        (&["/w=dir", "/x/../w=memory"], "is mounted at the same path"),
        // An overlay of what its own changes are kept in.
        (&[&overlay_of_state], "which no tool may reach"),
        (&[&overlay_of_home], "which no tool may reach"),
        // What is no mount at all.
        (&["/w"], "it has no ="),
        (&["=memory"], "one side of the = is empty"),
        (&["/w=sqlite:"], "there is no file after sqlite:"),
        (&["/w=overlay:"], "there is no directory after overlay:"),
    ] {
        let mut words = vec!["run", "file-write", "--allow", "write:/w/**"];
        words.extend(mounts.iter().flat_map(|mount| ["--mount", mount]));
        words.extend(["--args", r#"{"path":"/w/made","content":"x"}"#]);
        world.run(&words).assert(2, &[message]);
    }
    assert_eq!(fs::read_to_string(world.path("file")).unwrap(), "text, and no database at all", "{file}");
    assert_eq!(fs::read_dir(world.path("dir")).unwrap().count(), 0);
    assert!(!world.path("missing").exists() && !world.path("file.db").exists());
}
