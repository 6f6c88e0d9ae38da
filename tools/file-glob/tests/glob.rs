//! What a caller of `file-glob` gets, by pattern and tree.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use file_glob::{Found, Request, glob};

/// Makes the files, the last one the newest, an hour apart.
fn tree(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (hours, path) in (1..).zip(files) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(3600 * hours)).unwrap();
    }
    dir
}

fn ask(dir: &Path, pattern: &str, change: impl FnOnce(&mut Request)) -> Result<Found, String> {
    let mut request = Request { pattern: pattern.to_owned(), ..Request::default() };
    change(&mut request);
    glob(dir.to_str().unwrap(), &request)
}

fn sorted(dir: &Path, pattern: &str) -> Vec<String> {
    let mut paths = ask(dir, pattern, |_| {}).unwrap().paths;
    paths.sort();
    paths
}

#[test]
fn patterns_find_what_they_say() {
    let dir = tree(&[
        "a.rs",
        "b.txt",
        "src/c.rs",
        "src/deep/d.rs",
        "src/deep/e.ts",
        "src/[x]/f.tsx",
        "-n",
        "ü.rs",
        ".hidden",
    ]);
    for (pattern, expected) in [
        ("*.rs", vec!["a.rs", "ü.rs"]),
        ("**/*.rs", vec!["a.rs", "src/c.rs", "src/deep/d.rs", "ü.rs"]),
        ("src/**/*.{rs,ts}", vec!["src/c.rs", "src/deep/d.rs", "src/deep/e.ts"]),
        ("./src/*", vec!["src/[x]/", "src/c.rs", "src/deep/"]),
        ("*/", vec!["src/"]),
        ("**/", vec!["src/", "src/[x]/", "src/deep/"]),
        ("src/*/", vec!["src/[x]/", "src/deep/"]),
        ("src/deep/d.rs", vec!["src/deep/d.rs"]),
        ("src/deep/", vec!["src/deep/"]),
        ("?.rs", vec!["a.rs", "ü.rs"]),
        ("[!a].rs", vec!["ü.rs"]),
        ("src/[[]x]/*", vec!["src/[x]/f.tsx"]),
        ("src/\\[x\\]/*", vec!["src/[x]/f.tsx"]),
        ("-*", vec!["-n"]),
        ("*", vec!["-n", ".hidden", "a.rs", "b.txt", "src/", "ü.rs"]),
        ("{a,b}*", vec!["a.rs", "b.txt"]),
        ("*.rs/x", vec![]),
    ] {
        assert_eq!(sorted(dir.path(), pattern), expected, "{pattern}");
    }
}

#[test]
fn the_newest_come_first_and_pages_join_without_gap_or_repeat() {
    let files: Vec<String> = (0..25).map(|number| format!("d{}/f{number}", number % 3)).collect();
    let dir = tree(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let newest_first: Vec<String> = files.iter().rev().cloned().collect();
    let (mut cursor, mut together) = (None, Vec::new());
    loop {
        let found =
            ask(dir.path(), "**/*", |request| (request.limit, request.cursor) = (Some(4), cursor.take())).unwrap();
        assert_eq!((found.total, found.paths.len() <= 4), (25, true));
        together.extend(found.paths);
        match found.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(together, newest_first);
    assert_eq!(ask(dir.path(), "**/*", |request| request.limit = Some(25)).unwrap().next_cursor, None);
}

#[test]
fn gitignore_is_honoured_unless_told() {
    let dir = tree(&["a.log", "b.txt", "target/c.txt", ".git/config"]);
    fs::write(dir.path().join(".gitignore"), "*.log\ntarget/\n").unwrap();
    assert_eq!(sorted(dir.path(), "**/*"), [".gitignore", "b.txt"]);
    let all = ask(dir.path(), "**/*.{log,txt}", |request| request.ignored = true).unwrap();
    assert_eq!(all.total, 3);
    assert!(ask(dir.path(), "*.log", |_| {}).unwrap().notice.unwrap().contains("set ignored to true"));
    // What is asked for by its own name is looked into.
    assert_eq!(sorted(dir.path(), "target/*"), ["target/c.txt"]);
    assert_eq!(sorted(dir.path(), ".git/*"), [".git/config"]);
}

#[test]
fn paths_can_be_given_back() {
    let dir = tree(&["sub/a.rs"]);
    let absolute = dir.path().join("sub").to_str().unwrap().to_owned();
    let relative = ask(dir.path(), "*.rs", |request| request.path = Some("sub".into())).unwrap();
    assert_eq!(relative.paths, ["sub/a.rs"]);
    let expected = format!("{absolute}/a.rs");
    assert_eq!(
        ask(dir.path(), "*.rs", |request| request.path = Some(absolute.clone())).unwrap().paths,
        [expected.as_str()]
    );
    assert_eq!(ask(dir.path(), &format!("{absolute}/*"), |_| {}).unwrap().paths, [expected.as_str()]);
    assert_eq!(ask(&dir.path().join("sub"), "../**/*.rs", |_| {}).unwrap().paths, ["a.rs"]);
}

#[test]
fn bad_requests_are_explained() {
    let dir = tree(&["a"]);
    for (pattern, expected) in [
        ("", "pattern is empty"),
        ("**.rs", "`**/*.rs`"),
        ("[z-a]", "is empty"),
        ("a\\", "single `\\`"),
        ("a**/b", "stand alone"),
        ("*/../x", "`..`"),
        ("{a", "no glob"),
        ("[a", "no glob"),
        ("none/*", "does not exist"),
        ("a/*", "is a file"),
    ] {
        let error = ask(dir.path(), pattern, |_| {}).unwrap_err();
        assert!(error.contains(expected), "{pattern}: {error}");
    }
    let error = |change: fn(&mut Request)| ask(dir.path(), "*", change).unwrap_err();
    assert!(error(|request| request.limit = Some(0)).contains("from 1 to 5000"));
    assert!(error(|request| request.limit = Some(5001)).contains("from 1 to 5000"));
    assert!(error(|request| request.cursor = Some("x".into())).contains("cursor"));
    assert!(error(|request| request.path = Some("a".into())).contains("is a file"));
    assert!(ask(dir.path(), "/x/*", |request| request.path = Some(".".into())).unwrap_err().contains("absolute"));
    assert!(ask(dir.path(), "*.rs", |_| {}).unwrap().notice.unwrap().contains("use `**/*.rs`"));
}

#[cfg(unix)]
#[test]
fn links_are_listed_and_not_followed() {
    let dir = tree(&["d/a.rs"]);
    std::os::unix::fs::symlink("..", dir.path().join("d/up")).unwrap();
    assert_eq!(sorted(dir.path(), "**/*"), ["d/a.rs", "d/up"]);
}
