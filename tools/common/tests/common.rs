//! Paths, sentences and the walk, through the public surface.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use caplet_tool_common::failure::missing;
use caplet_tool_common::glob::Glob;
use caplet_tool_common::text::{join_or, plural, prefix, size};
use caplet_tool_common::walk::{Options, Walk, order};
use caplet_tool_common::{Access, GuestPath, PathProblem, explain};

fn resolve(cwd: &str, text: &str) -> String {
    GuestPath::resolve(cwd, text).unwrap().to_string()
}

#[test]
fn paths_are_made_absolute_and_normalised() {
    for (cwd, text, expected) in [
        ("/w", "a", "/w/a"),
        ("/w", "/a", "/a"),
        ("/w", "./a/./b//c/", "/w/a/b/c"),
        ("/w/x", "../a", "/w/a"),
        ("/w", "../../../a", "/a"),
        ("/w", ".", "/w"),
        ("/", "..", "/"),
        ("/w", "-a", "/w/-a"),
        ("/w", "ü/名 前", "/w/ü/名 前"),
    ] {
        assert_eq!(resolve(cwd, text), expected, "{cwd} + {text}");
    }
    assert_eq!(GuestPath::resolve("/", ""), Err(PathProblem::Empty));
    assert_eq!(GuestPath::resolve("/", "a\0b"), Err(PathProblem::Nul));
    assert_eq!(GuestPath::resolve("/", &"a/".repeat(5000)), Err(PathProblem::TooLong));
}

#[test]
fn below_and_shown_give_a_path_back() {
    let cwd = GuestPath::resolve("/", "/w").unwrap();
    let file = cwd.child("a b");
    assert_eq!(file.below(&cwd), Some("a b"));
    assert_eq!(file.below(&GuestPath::root()), Some("w/a b"));
    assert_eq!(GuestPath::resolve("/", "/wx").unwrap().below(&cwd), None);
    assert_eq!(file.shown(&cwd, true), "a b");
    assert_eq!(file.shown(&cwd, false), "/w/a b");
    assert_eq!(resolve("/w", &file.shown(&cwd, true)), "/w/a b");
}

#[test]
fn sentences_name_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let root = GuestPath::resolve("/", dir.path().to_str().unwrap()).unwrap();
    fs::write(root.child("README.md"), "x").unwrap();
    fs::create_dir(root.child("source")).unwrap();
    for (name, expected) in [("readme.md", "README.md"), ("README.txt", "README.md"), ("READMEE.md", "README.md")] {
        let text = missing(&root.child(name));
        assert!(text.contains("does not exist") && text.contains(&format!("{root}/{expected}")), "{text}");
    }
    let text = missing(&GuestPath::resolve(root.as_str(), "sorce/a.rs").unwrap());
    assert!(
        text.contains(&format!("the directory {root}/sorce does not"))
            && text.contains(&format!("mean {root}/source?")),
        "{text}"
    );
    assert!(missing(&root.child("zzzzzzzz")).contains("call file-glob"));
    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let text = explain(Access::Write, &root, &denied);
    assert!(text.contains("the operator has not granted") && text.contains(&format!("`write:{root}`")), "{text}");
    let text = explain(
        Access::Read,
        &root.child("README.md").child("x"),
        &std::io::Error::from(std::io::ErrorKind::NotADirectory),
    );
    assert!(text.contains("README.md is a file"), "{text}");
}

#[test]
fn text_helpers() {
    let sizes = [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (5 << 20, "5 MiB"),
        (u64::MAX >> 5, "524287.9 TiB"),
    ];
    for (bytes, expected) in sizes {
        assert_eq!(size(bytes), expected);
    }
    assert_eq!(plural(1, "line"), "1 line");
    assert_eq!(prefix("aüb", 2), "a");
    assert_eq!(join_or(&["a".into(), "b".into(), "c".into()]), "a, b or c");
}

struct Tree {
    _dir: tempfile::TempDir,
    root: GuestPath,
}

fn tree(files: &[(&str, &str)]) -> Tree {
    let dir = tempfile::tempdir().unwrap();
    let root = GuestPath::resolve("/", dir.path().to_str().unwrap()).unwrap();
    for (path, content) in files {
        let path = GuestPath::resolve(root.as_str(), path).unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    Tree { _dir: dir, root }
}

fn walked(root: &GuestPath, cwd: &GuestPath, options: Options) -> Vec<String> {
    Walk::new(root, cwd, options).unwrap().map(|entry| entry.path.below(root).unwrap().to_owned()).collect()
}

#[test]
fn a_walk_is_sorted_and_honours_gitignore() {
    let files = [
        (".gitignore", "*.log\n/target/\n!keep.log\n"),
        (".git/config", ""),
        ("a.log", ""),
        ("keep.log", ""),
        ("src/a.rs", ""),
        ("src/b.log", ""),
        ("src/deep/.gitignore", "!b.log\nx\n"),
        ("src/deep/b.log", ""),
        ("src/deep/x", ""),
        ("target/y", ""),
        ("src/target/z", ""),
    ];
    let tree = tree(&files);
    let all = walked(&tree.root, &tree.root, Options::default());
    let expected = [
        ".gitignore",
        "keep.log",
        "src",
        "src/a.rs",
        "src/deep",
        "src/deep/.gitignore",
        "src/deep/b.log",
        "src/target",
        "src/target/z",
    ];
    assert_eq!(all, expected);
    assert!(all.is_sorted_by(|left, right| order(left, right).is_lt()));
    // Rules above the root count up to the repository's top.
    let src = tree.root.child("src");
    assert_eq!(
        walked(&src, &GuestPath::root(), Options::default()),
        ["a.rs", "deep", "deep/.gitignore", "deep/b.log", "target", "target/z"]
    );
    let ignored = walked(&tree.root, &tree.root, Options { ignored: true, ..Options::default() });
    assert!(ignored.contains(&"target/y".to_owned()) && !ignored.iter().any(|path| path.starts_with(".git/")));
    let from = Options { from: Some("src/deep/b.log".into()), ..Options::default() };
    assert_eq!(
        walked(&tree.root, &tree.root, from),
        ["src", "src/deep", "src/deep/b.log", "src/target", "src/target/z"]
    );
    let shallow = Options { max_depth: Some(1), ..Options::default() };
    assert_eq!(walked(&tree.root, &tree.root, shallow), [".gitignore", "keep.log", "src"]);
}

#[test]
fn without_a_repository_rules_count_up_to_the_current_directory() {
    let tree =
        tree(&[(".gitignore", "*.a\n"), ("w/.gitignore", "*.b\n"), ("w/d/x.a", ""), ("w/d/x.b", ""), ("w/d/x.c", "")]);
    let (cwd, root) = (tree.root.child("w"), tree.root.child("w").child("d"));
    assert_eq!(walked(&root, &cwd, Options::default()), ["x.a", "x.c"]);
    assert_eq!(
        walked(&root, &GuestPath::resolve("/", "/elsewhere").unwrap(), Options::default()),
        ["x.a", "x.b", "x.c"]
    );
}

#[cfg(unix)]
#[test]
fn links_are_shown_and_not_followed() {
    let tree = tree(&[("d/a", "")]);
    std::os::unix::fs::symlink("..", tree.root.child("d").child("loop")).unwrap();
    std::os::unix::fs::symlink("/etc", tree.root.child("out")).unwrap();
    assert_eq!(walked(&tree.root, &tree.root, Options::default()), ["d", "d/a", "d/loop", "out"]);
}

#[test]
fn globs_match_whole_paths_by_character() {
    for (glob, yes, no) in [
        ("*.rs", vec!["a.rs", ".rs", "a\nb.rs"], vec!["a/b.rs", "a.rs2"]),
        ("?", vec!["a", "ü", "名", "?"], vec!["", "ab", "/"]),
        ("**", vec!["a", "a/b"], vec![""]),
        ("**/x", vec!["x", "a/x", "a/b/x"], vec!["ax", "x/a"]),
        ("a/**", vec!["a/b", "a/b/c"], vec!["a", "a/"]),
        ("a/**/b", vec!["a/b", "a/x/b", "a/x/y/b"], vec!["ab", "a/xb"]),
        ("{a,b{c,}}*", vec!["a", "b", "bcx"], vec!["c"]),
        ("{**/a,b/**}", vec!["a", "x/a", "b/c"], vec!["b"]),
        ("[a-cü]", vec!["b", "ü"], vec!["d", "-"]),
        ("[!a-c]", vec!["d", "名"], vec!["a", "/"]),
        ("[]a-]", vec!["]", "a", "-"], vec!["b"]),
        ("[+-9]", vec![".", "0"], vec!["/"]),
        ("a.b+(c)$^|&~#", vec!["a.b+(c)$^|&~#"], vec!["axb"]),
        ("\\*\\{", vec!["*{"], vec!["a{"]),
        ("a,b}", vec!["a,b}"], vec!["a"]),
    ] {
        let compiled = Glob::parse(glob).unwrap();
        yes.iter().for_each(|path| assert!(compiled.matches(path), "{glob} {path:?}"));
        no.iter().for_each(|path| assert!(!compiled.matches(path), "{glob} {path:?}"));
    }
    for bad in [
        "[",
        "[]",
        "{a",
        "a\\",
        "**a",
        "a**",
        "{x**}",
        "[b-a]",
        "[a-",
        &"?".repeat(5000),
        &"{a,b}".repeat(800).replace('b', "*?*?"),
    ] {
        let result = Glob::parse(bad);
        assert!(result.is_err() || bad.len() > 1000, "{bad}");
    }
}

#[test]
fn no_glob_panics() {
    let alphabet: Vec<char> = "*?[]{},\\a/!-".chars().collect();
    for number in 0..alphabet.len().pow(3) {
        let mut rest = number;
        let text: String = (0..3).map(|_| (alphabet[rest % alphabet.len()], rest /= alphabet.len()).0).collect();
        if let Ok(glob) = Glob::parse(&text) {
            assert!(!glob.matches("") || text.contains(['*', '{', ',']) || text.is_empty(), "{text}");
        }
    }
}
