//! What is no toolbox, and places and values that a file names.

use std::fs;

use caplet::Toolbox;

use super::{SECRET, World};

#[test]
fn what_is_no_toolbox_is_refused_quickly() {
    let world = World::new(&[("folder/x", "")]);
    let large = |length: usize| "#".repeat(length);
    let limit = usize::try_from(Toolbox::LARGEST).unwrap();
    let files: [(&str, Vec<u8>, &str); 8] = [
        ("bom", b"\xef\xbb\xbf[tools.file-read]\n".to_vec(), "byte order mark"),
        ("latin", b"[tools.file-read]\n# caf\xe9\n".to_vec(), "it is not UTF-8, on line 2"),
        ("large", large(limit + 1).into(), "larger than the limit of 1048576 bytes"),
        ("binary", vec![0; 100], "caplet.toml"),
        ("deep", format!("a = {}{}", "[".repeat(200_000), "]".repeat(200_000)).into(), "recursion"),
        ("tables", format!("a = {}", "{a=".repeat(200_000)).into(), "recursion"),
        ("dots", format!("{}a = 1", "a.".repeat(400_000)).into(), "recursion"),
        ("values", format!("[tools]\nx = {{ env = {{ {} }} }}", "a=1,".repeat(200_000)).into(), "duplicate key"),
    ];
    for (name, content, expected) in files {
        let path = world.path(&format!("{name}/caplet.toml"));
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let error = Toolbox::read(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(path.to_str().unwrap()), "{name}: {error}");
    }
    fs::write(world.path("largest.toml"), large(limit)).unwrap();
    assert_eq!(Toolbox::read(world.path("largest.toml")).unwrap().names().len(), 0);
    rustix::fs::mknodat(rustix::fs::CWD, world.path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for (path, expected) in [("folder", "it is a directory"), ("pipe", "it is a pipe"), ("none", "no such file")] {
        let error = Toolbox::read(world.path(path)).unwrap_err();
        assert!(error.to_string().contains(expected), "{path}: {error}");
        assert_eq!(error.kind(), caplet::audit::ErrorKind::InvalidConfig);
    }
}

#[test]
fn bad_values_and_places_are_told_where_they_are_named() {
    let world = World::new(&[("latin.txt", ""), ("folder/x", ""), ("good.txt", SECRET)]);
    fs::write(world.path("latin.txt"), b"hunter2-canary \xff").unwrap();
    world.write("large.txt", &"x".repeat(70_000));
    for (name, text) in [
        ("plain.env", "A=1\nhunter2-canary\n"),
        ("export.env", "export A=hunter2-canary\n"),
        ("twice.env", "A=1\n\n# c\nA=hunter2-canary\n"),
        ("quoted.env", "A=\"hunter2-canary\"\n"),
        ("space.env", "A = hunter2-canary\n"),
        ("nested.toml", "a = 1\n[b]\nc = \"hunter2-canary\"\n"),
        ("inline.toml", "a = 1\nb = { file = \"hunter2-canary\" }\n"),
        ("large-number.toml", "a = 9223372036854775808\n"),
        ("date.toml", "a = 2026-11-21\n"),
        ("list.toml", "a = [\"hunter2-canary\"]\n"),
        ("infinite.toml", "a = inf\n"),
        ("broken.toml", "a = \"hunter2-canary\n"),
    ] {
        world.write(name, text);
    }
    let table = [
        ("env = { A = { file = \"none.txt\" } }", "2:22", "none.txt cannot be read: there is no such file"),
        ("env = { A = { file = \"large.txt\" } }", "2:22", "larger than the limit of 65536 bytes"),
        ("env = { A = { file = \"latin.txt\" } }", "2:22", "latin.txt is not UTF-8"),
        ("env = { A = { file = \"folder\" } }", "2:22", "it is a directory"),
        ("env-file = \"none.env\"", "2:12", "there is no such file"),
        ("env-file = \"plain.env\"", "2:12", "plain.env, line 2: the line is not KEY=VALUE"),
        ("env-file = \"export.env\"", "2:12", "export.env, line 1: write KEY=VALUE alone"),
        ("env-file = \"twice.env\"", "2:12", "twice.env, line 4: the variable A is there twice"),
        ("env-file = \"quoted.env\"", "2:12", "quoted.env, line 1: the quotes would be part of the value"),
        ("env-file = \"space.env\"", "2:12", "space.env, line 1: a variable cannot contain this character"),
        ("env = { A = \"1\" }\nenv-file = \"twice.env\"", "3:12", "twice.env, line 4"),
        ("config-file = \"nested.toml\"", "2:15", "true or false, found a table"),
        ("config-file = \"inline.toml\"", "2:15", "inline.toml, line 2: expected a text in quotes, a number, true or"),
        ("config-file = \"large-number.toml\"", "2:15", "line 1: the number does not fit into 64 bits"),
        ("config-file = \"date.toml\"", "2:15", "date.toml, line 1: expected a text in quotes, found a date"),
        ("config-file = \"list.toml\"", "2:15", "list.toml, line 1: expected a text in quotes, a number"),
        ("config-file = \"infinite.toml\"", "2:15", "infinite.toml, line 1: expected a number that is finite"),
        ("config-file = \"broken.toml\"", "2:15", "broken.toml, line 1"),
        ("mounts = { \"/w\" = \"overlay:./nowhere\" }", "2:19", "there is no directory"),
        ("mounts = { \"/w\" = \"good.txt\" }", "2:19", "good.txt is not a directory"),
        ("mounts = { \"/w\" = \"sqlite:./nowhere/f.db\" }", "2:19", "there is no directory"),
        ("mounts = { \"/w\" = \"@far\" }\n[stores.far]\nstore = \"./nowhere\"", "4:9", "there is no directory"),
        ("buckets = { b = \"sqlite:./nowhere/f.db\" }", "2:17", "there is no directory"),
    ];
    for (lines, place, expected) in table {
        world.write("caplet.toml", &format!("[tools.file-read]\n{lines}\n"));
        let toolbox = world.toolbox();
        let error = toolbox.tool("file-read").unwrap().grant("/").unwrap_err();
        let told = format!("{error} {error:?} {:?}", error.hint());
        let at = format!("caplet.toml:{place}: ");
        assert!(told.contains(&at) && told.contains(expected) && !told.contains("hunter2"), "{lines}: {told}");
    }
    // A value that is there twice, in the toolbox and in a file.
    world.write("one.env", "A=hunter2-canary\n");
    world.write("caplet.toml", "[tools.file-read]\nenv = { A = \"1\" }\nenv-file = \"one.env\"\n");
    let error = world.toolbox().tool("file-read").unwrap().grant("/").unwrap_err().to_string();
    assert!(error.contains("3:12") && error.contains("the variable A has a value in the toolbox already"), "{error}");
}
