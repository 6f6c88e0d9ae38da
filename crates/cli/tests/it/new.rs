//! `caplet new`: what it makes, and that it makes nothing where something is or something is wrong.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bin::World;

const LANGUAGES: &[&str] = &["rust", "js", "python", "go", "c"];

/// Every path below `folder`.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(tree(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

#[test]
fn every_language_has_a_tool_to_start_from() {
    let world = World::new();
    for language in LANGUAGES {
        let name = format!("tool-in-{language}");
        let made = world.run(&["new", "--lang", language, &name]);
        made.assert(0, &[&format!("caplet build {name}")]);
        let folder = world.path(&name);
        for file in ["agent-tool.toml", "README.md", ".gitignore"] {
            assert!(folder.join(file).is_file(), "{language}: {file}");
            assert!(made.stdout.contains(&format!("written: {name}/{file}")), "{}", made.stdout);
        }
        for path in tree(&folder).into_iter().filter(|path| path.is_file()) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("my-tool"), "{} has another tool's name", path.display());
        }
        let manifest = folder.join("agent-tool.toml");
        let checked = world.run(&["check", manifest.to_str().unwrap(), "--json"]);
        assert_eq!(checked.json()["findings"].as_array().map(Vec::len), Some(0), "{checked:?}");
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains(&format!("name = \"{name}\"")), "{text}");
        // What the comments offer is a manifest too.
        let offered = text.replace("# [", "[").replace("# path", "path").replace("# mode", "mode");
        let offered = ["# description", "# scheme", "# host", "# methods"]
            .iter()
            .fold(offered, |text, line| text.replace(line, line.trim_start_matches("# ")));
        let more = world.write("more.toml", offered);
        let more = world.run(&["check", &more]);
        more.assert(0, &[]);
        assert!(more.stdout.contains("0 errors, 0 warnings"), "{more:?}");
    }
}

#[test]
fn a_folder_above_and_an_empty_one_are_as_good() {
    let world = World::new();
    world.run(&["new", "--lang", "go", "tools/one/word-count"]).assert(0, &[]);
    assert!(world.path("tools/one/word-count/go.mod").is_file());
    fs::create_dir_all(world.path("word-count/.git")).unwrap();
    fs::write(world.path("word-count/.git/HEAD"), "ref: refs/heads/main").unwrap();
    let mut here = world.command(&["new", "--lang", "go", "."]);
    let here = here.current_dir(world.path("word-count")).output().unwrap();
    assert!(here.status.success(), "{here:?}");
    assert!(String::from_utf8(here.stderr).unwrap().contains("the next is: caplet build\n"));
    let module = fs::read_to_string(world.path("word-count/go.mod")).unwrap();
    assert!(module.contains("word-count"), "{module}");
    world.run(&["new", "--lang", "go", "Some Folder", "--name", "word-count"]).assert(0, &["build 'Some Folder'"]);
}

#[test]
fn nothing_is_written_over() {
    let world = World::new();
    world.write("taken/notes.txt", "mine");
    world.write("file", "mine");
    fs::create_dir(world.path("elsewhere")).unwrap();
    symlink(world.path("elsewhere/gone"), world.path("link")).unwrap();
    let before = tree(&world.path(""));
    for (path, says) in [
        ("taken", "is not empty: it has \"notes.txt\""),
        ("file", "is not a folder"),
        ("link", "cannot write"),
        ("file/below", "is not a folder"),
    ] {
        let refused = world.run(&["new", "--lang", "rust", path]);
        assert!(refused.code == 2 || refused.code == 6, "{refused:?}");
        assert!(refused.stderr.contains(says), "{path}: {}", refused.stderr);
    }
    assert_eq!(tree(&world.path("")), before);
    assert_eq!(fs::read_to_string(world.path("taken/notes.txt")).unwrap(), "mine");
}

#[test]
fn a_name_that_no_manifest_takes_makes_nothing() {
    let world = World::new();
    let long = "a".repeat(65);
    for (arguments, hint) in [
        (vec!["Word_Count"], "--name word-count"),
        (vec!["word count"], "--name word-count"),
        (vec!["3d"], "starts with a letter"),
        (vec!["-"], "a name is"),
        (vec!["a--b"], "--name a-b"),
        (vec!["größe"], "a name is"),
        (vec![&*long], "at most 64"),
        (vec!["x\"\n[tool]"], "a name is"),
        (vec!["good", "--name", "a\"b"], "such as a-b"),
        (vec!["good", "--name", ""], "a name is"),
        (vec!["..", "--name", "Bad"], "such as bad"),
        (vec![".."], "--name NAME"),
    ] {
        world.run(&[&["new", "--lang", "c"], &*arguments].concat()).assert(2, &[hint]);
        assert_eq!(tree(&world.path("")), Vec::<PathBuf>::new(), "{arguments:?}");
    }
    world.run(&["new", "word-count"]).assert(2, &["--lang"]);
    world.run(&["new", "--lang", "cobol", "word-count"]).assert(2, &["rust", "python"]);
}

#[test]
fn a_scaffold_that_fails_leaves_nothing_behind() {
    let world = World::new();
    // A limit on the size of files, which also the superuser has, ends the first write that is longer.
    let script = format!("ulimit -f 1; trap '' XFSZ; exec '{}' new --lang go tools/one", env!("CARGO_BIN_EXE_caplet"));
    let ran = Command::new("sh").args(["-c", &script]).current_dir(world.path("")).output().unwrap();
    let stderr = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(6), "{stderr}");
    assert!(stderr.contains("cannot write"), "{stderr}");
    assert_eq!(tree(&world.path("")), Vec::<PathBuf>::new());
}
