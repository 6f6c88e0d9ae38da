//! `caplet fs`: what is in a database file, shown and copied out, with nothing written and nothing believed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use caplet::authority::{GuestPath, Journal, Layer, LayerKind, Policy, Rule};
use caplet::vfs::{DescriptorFlags, Mount, Namespace, NamespaceConfig, OpenFlags, SqliteStore};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::bin::{World, arg};

const QUOTA: u64 = 64 << 20;

/// Makes files, and links where a name has ` -> `, in the database `name` of the world.
fn stored(world: &World, name: &str, files: &[(&str, &[u8])]) -> String {
    let store = SqliteStore::open(world.path(name), QUOTA).unwrap();
    let mut layer = Layer::new(LayerKind::Operator);
    layer.add_allow(Rule::parse_grant("write:/**", &GuestPath::root()).unwrap());
    let ns = Namespace::new(NamespaceConfig {
        mounts: vec![Mount::new(GuestPath::root(), Arc::new(store))],
        guard: Policy::new(layer).guard(&Arc::new(Journal::new())),
        cwd: None,
        preopen_cwd: false,
        write_quota: QUOTA,
        time_resolution: Some(Duration::from_nanos(1)),
    });
    let top = ns.preopens().pop().unwrap().0;
    for (path, content) in files {
        if let Some((name, target)) = path.split_once(" -> ") {
            ns.symlink_at(target, &top, name).unwrap();
            continue;
        }
        for (at, _) in path.match_indices('/') {
            let _ = ns.create_directory_at(&top, &path[..at]);
        }
        let open = OpenFlags { create: true, ..OpenFlags::default() };
        let flags = DescriptorFlags { write: true, ..DescriptorFlags::default() };
        let file = ns.open_at(&top, path, false, open, flags).unwrap();
        assert_eq!(ns.write_at(&file, 0, content).unwrap(), content.len());
    }
    format!("sqlite:./{name}")
}

/// All files in the working directory, byte for byte.
fn bytes(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    let listed = fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().path());
    let files = listed.filter(|path| fs::symlink_metadata(path).unwrap().is_file());
    files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn a_directory_is_listed() {
    let world = World::new();
    let store = stored(&world, "f.db", &[("b", b"12345"), ("a/inner", b""), ("l -> a/inner", b"")]);
    let before = bytes(&world);
    for (args, expected) in [
        (vec!["ls", &store], "a/\nb\nl\n"),
        (vec!["ls", &store, "/"], "a/\nb\nl\n"),
        (vec!["ls", &store, "/a"], "inner\n"),
        (vec!["ls", &store, "a/"], "inner\n"),
        (vec!["ls", &store, "//a/./"], "inner\n"),
        (vec!["ls", &store, "/b"], "b\n"),
    ] {
        let ran = world.run(&[&["fs"], args.as_slice()].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (0, expected), "{ran:?}");
    }
    let long = world.run(&["fs", "ls", "-l", &store]).stdout;
    let lines: Vec<Vec<&str>> = long.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((lines[0][0], lines[0][3]), ("directory", "a/"));
    assert_eq!((lines[1][0], lines[1][1], lines[1][3]), ("file", "5", "b"));
    assert_eq!(lines[2][3..], ["l", "->", "a/inner"]);
    let json = world.run(&["fs", "ls", "--json", &store]).json();
    assert_eq!(json["entries"][1]["size"], 5);
    assert_eq!(json["entries"][2]["target"], "a/inner");
    for path in ["/missing", "/b/below", "..", "/a/../.."] {
        world.run(&["fs", "ls", &store, path]).assert(2, &["error: "]);
    }
    assert_eq!(bytes(&world), before, "nothing was written");
}

#[test]
fn a_file_is_printed_byte_for_byte_and_copied_out() {
    let world = World::new();
    let large: Vec<u8> = (0..3_000_000u32).map(|index| b'a' + (index / 11 % 26) as u8).collect();
    let store = stored(&world, "f.db", &[("d/large", &large), ("binary", b"\0\xff"), ("l -> d/large", b"")]);
    let database = fs::read(world.path("f.db")).unwrap();
    for path in ["/d/large", "l"] {
        let ran = world.run(&["fs", "cat", &store, path]);
        assert!(ran.code == 0 && ran.stdout.as_bytes() == large);
    }
    world.run(&["fs", "cat", &store, "/d"]).assert(2, &["it is a directory"]);
    world.run(&["fs", "cat", &store, "/nothing"]).assert(2, &["/nothing in sqlite:./f.db: no such file"]);
    fs::create_dir(world.path("out")).unwrap();
    for (path, dest, file, content) in [
        ("/d/large", "copy", "copy", large.as_slice()),
        ("l", "out", "out/l", large.as_slice()),
        ("binary", "out/", "out/binary", b"\0\xff".as_slice()),
    ] {
        world.run(&["fs", "cp", &store, path, dest]).assert(0, &[]);
        assert!(fs::read(world.path(file)).unwrap() == content, "{file}");
    }
    assert!(fs::read(world.path("f.db")).unwrap() == database);
}

#[test]
fn nothing_is_overwritten_or_written_through_a_link() {
    let world = World::new();
    let store = stored(&world, "f.db", &[("f", b"new"), ("d/f", b"")]);
    let target = world.path("target");
    fs::write(&target, "old").unwrap();
    fs::create_dir(world.path("out")).unwrap();
    fs::write(world.path("out/f"), "old").unwrap();
    symlink("target", world.path("link")).unwrap();
    symlink("out", world.path("linked-out")).unwrap();
    symlink("made", world.path("dangling")).unwrap();
    mknodat(CWD, world.path("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    for dest in ["target", "out", "link", "linked-out", "dangling", "pipe"] {
        world.run(&["fs", "cp", &store, "/f", dest]).assert(2, &["exists", "--force"]);
    }
    world.run(&["fs", "cp", &store, "/f", "no/such"]).assert(2, &["cannot write no/such"]);
    world.run(&["fs", "cp", &store, "/d", "new"]).assert(2, &["it is a directory"]);
    world.run(&["fs", "cp", "--force", &store, "/f", "pipe"]).assert(2, &["is not a file"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    assert_eq!(fs::read_to_string(world.path("out/f")).unwrap(), "old");
    for link in ["link", "dangling"] {
        world.run(&["fs", "cp", "--force", &store, "/f", link]).assert(0, &[]);
        assert!(fs::symlink_metadata(world.path(link)).unwrap().is_file(), "the link was replaced");
    }
    world.run(&["fs", "cp", "--force", &store, "/f", "out"]).assert(0, &[]);
    assert_eq!(fs::read_to_string(world.path("out/f")).unwrap(), "new");
    assert_eq!(fs::read_to_string(&target).unwrap(), "old", "what the link led to was not touched");
    assert!(!world.path("made").exists() && !world.path("new").exists());
    let names = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!((names(&world.path("")), names(&world.path("out"))), (7, 1), "nothing else was left");
}

#[test]
fn the_files_of_the_store_are_not_overwritten() {
    let world = World::new();
    // What is copied to a directory has the name that it has inside.
    let inside: Vec<(&str, &[u8])> = vec![("a", b"other"), ("f.db", b"other"), ("f.db-wal", b"other")];
    let store = stored(&world, "f.db", &inside);
    fs::create_dir(world.path("below")).unwrap();
    symlink(".", world.path("here")).unwrap();
    let before = fs::read(world.path("f.db")).unwrap();
    for (path, dest) in [
        ("/a", "f.db"),
        ("/a", "./below/../f.db"),
        ("/a", &arg(&world.path("f.db"))),
        ("/a", "here/f.db"),
        ("/f.db", "."),
        ("/f.db-wal", "."),
        ("/a", "f.db-wal"),
        ("/a", "f.db-shm"),
        ("/a", "f.db-journal"),
    ] {
        for force in [&["--force"][..], &[]] {
            let ran = world.run(&[&["fs", "cp"], force, &[store.as_str(), path, dest]].concat());
            assert_eq!(ran.code, 2, "{dest}: {ran:?}");
            assert!(ran.stderr.contains("belongs to the store"), "{dest}: {ran:?}");
        }
        assert!(fs::read(world.path("f.db")).unwrap() == before, "{dest}");
    }
    world.run(&["fs", "check", &store]).assert(0, &[]);
    // The same name elsewhere is another file.
    world.run(&["fs", "cp", &store, "/f.db", "below"]).assert(0, &[]);
}

#[test]
fn a_file_is_copied_in() {
    let world = World::new();
    let large: Vec<u8> = (0..3_000_000u32).map(|index| b'a' + (index / 7 % 26) as u8).collect();
    fs::write(world.path("large"), &large).unwrap();
    fs::write(world.path("small"), "small").unwrap();
    symlink("small", world.path("link")).unwrap();
    fs::create_dir(world.path("directory")).unwrap();
    mknodat(CWD, world.path("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    // The file of the store is made with the first copy.
    let store = "sqlite:./f.db";
    for (source, path, made) in [
        ("large", "/", "/large"),
        ("./large", "/renamed", "/renamed"),
        ("small", "a/b/c", "/a/b/c"),
        ("link", "a/", "/a/link"),
        ("small", "/a/b", "/a/b/small"),
    ] {
        world.run(&["fs", "cp", source, store, path]).assert(0, &[]);
        let copied = world.run(&["fs", "cat", store, made]);
        assert!(copied.code == 0 && copied.stdout.len() > 4, "{made}: {copied:?}");
        world.run(&["fs", "cp", store, made, "back"]).assert(0, &[]);
        assert!(fs::read(world.path("back")).unwrap() == fs::read(world.path(source)).unwrap(), "{made}");
        fs::remove_file(world.path("back")).unwrap();
        world.run(&["fs", "cp", source, store, path]).assert(2, &["it exists already", "--force"]);
    }
    world.run(&["fs", "cp", "small", store, "/large"]).assert(2, &["/large in sqlite:./f.db", "--force"]);
    world.run(&["fs", "cp", "--force", "small", store, "/large"]).assert(0, &[]);
    assert_eq!(world.run(&["fs", "cat", store, "/large"]).stdout, "small");
    for (source, path, message) in [
        ("missing", "/x", "cannot read missing"),
        ("directory", "/x", "it is not a file"),
        ("pipe", "/x", "it is not a file"),
        ("small", "/large/x", "not a directory"),
        ("small", "/../x", "leads out"),
        ("f.db", "/x", "f.db belongs to the store itself"),
        ("./f.db-wal", "/x", "belongs to the store itself"),
        ("store link", "/x", "belongs to the store itself"),
    ] {
        symlink("f.db", world.path("store link")).ok();
        world.run(&["fs", "cp", source, store, path]).assert(2, &[message]);
    }
    world.run(&["fs", "cp", "--force", "small", store, "/a"]).assert(0, &[]);
    assert_eq!(world.run(&["fs", "ls", store]).stdout, "a/\nlarge\nrenamed\n", "nothing half done is left");
    assert_eq!(world.run(&["fs", "ls", store, "/a"]).stdout, "b/\nlink\nsmall\n");
    world.run(&["fs", "check", store]).assert(0, &[]);
    // No file of another program is written to.
    fs::write(world.path("text"), "not a database at all, however long it may be".repeat(9)).unwrap();
    world.run(&["fs", "cp", "small", "sqlite:text", "/x"]).assert(2, &["is not an SQLite database"]);
    assert!(fs::read_to_string(world.path("text")).unwrap().starts_with("not a database"));
}

#[test]
fn names_of_the_file_cannot_speak_to_the_terminal() {
    let world = World::new();
    let store = stored(&world, "f.db", &[("\u{1b}[31mred\nerror: forged", b"x"), ("l -> \u{202e}evil", b"")]);
    for args in [&["ls", store.as_str()][..], &["ls", "-l", &store], &["ls", "--json", &store]] {
        let ran = world.run(&[&["fs"], args].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(!ran.stdout.contains(['\u{1b}', '\u{202e}']) && !ran.stdout.contains("\nerror"), "{ran:?}");
        assert!(ran.stdout.contains("forged"), "{ran:?}");
    }
}

#[test]
fn damage_is_found() {
    let world = World::new();
    let store = stored(&world, "f.db", &[("victim", b"12345"), ("other", b"")]);
    world.run(&["fs", "check", &store]).assert(0, &[]);
    assert_eq!(world.run(&["fs", "check", &store]).stdout, "sound: 2 files, 1 directories, 0 links, 2064 bytes\n");
    let json = world.run(&["fs", "check", "--json", &store]).json();
    assert_eq!((&json["sound"], &json["files"], &json["findings"]), (&true.into(), &2.into(), &serde_json::json!([])));
    // A name that leads elsewhere, written into the file itself.
    let mut database = fs::read(world.path("f.db")).unwrap();
    let at = database.windows(6).position(|bytes| bytes == b"victim").unwrap();
    database[at..at + 6].copy_from_slice(b"../../");
    fs::write(world.path("f.db"), &database).unwrap();
    let found = world.run(&["fs", "check", &store]);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.stdout.contains("nothing can be called so") && found.stdout.contains("damaged: "), "{found:?}");
    assert_eq!(world.run(&["fs", "check", "--json", &store]).json()["sound"], false);
    world.run(&["fs", "ls", &store]).assert(6, &["caplet fs check"]);
    assert!(fs::read(world.path("f.db")).unwrap() == database);
}

#[test]
fn each_wrong_file_is_refused() {
    let world = World::new();
    let text = world.write("text", "not a database at all, however long it may be".repeat(9));
    fs::create_dir(world.path("directory")).unwrap();
    fs::write(world.path("empty"), "").unwrap();
    stored(&world, "f.db", &[]);
    symlink("f.db", world.path("link")).unwrap();
    mknodat(CWD, world.path("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let before = bytes(&world);
    for (store, message) in [
        ("f.db", "write sqlite:FILE"),
        ("sqlite:", "write sqlite:FILE"),
        ("memory", "write sqlite:FILE"),
        ("sqlite:missing", "there is no file missing"),
        ("sqlite:missing/f.db", "there is no file"),
        ("sqlite:directory", "is a directory"),
        ("sqlite:empty", "is empty"),
        ("sqlite:link", "is a symbolic link"),
        ("sqlite:pipe", "is a pipe"),
        ("sqlite:/dev/null", "is a device"),
        (&format!("sqlite:{text}"), "is not an SQLite database"),
        (&format!("sqlite:{}", arg(&world.path("text"))), "is not an SQLite database"),
    ] {
        for verb in [&["ls"][..], &["cat"], &["cp"], &["check"]] {
            let rest: &[&str] = match verb[0] {
                "cat" => &["/f"],
                "cp" => &["/f", "copy"],
                _ => &[],
            };
            world.run(&[&["fs"], verb, &[store], rest].concat()).assert(2, &[message]);
        }
    }
    assert_eq!(bytes(&world), before, "nothing was written");
}
