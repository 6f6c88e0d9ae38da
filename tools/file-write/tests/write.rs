//! What a caller of `file-write` gets, and what the file holds then.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use file_write::{Action, Encoding, IfExists, Request, Written, write};

fn ask(dir: &Path, path: &str, content: &str, change: impl FnOnce(&mut Request)) -> Result<Written, String> {
    let mut request = Request { path: path.to_owned(), content: content.to_owned(), ..Request::default() };
    change(&mut request);
    write(dir.to_str().unwrap(), request)
}

#[test]
fn any_content_is_stored_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let long = "0123456789".repeat(10_000);
    for (index, content) in ["", "a", "-n", "--help\n", "\u{feff}ü\r\n\0", "no newline", &long].into_iter().enumerate()
    {
        let name = format!("{index}");
        let written = ask(dir.path(), &name, content, |_| {}).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(&name)).unwrap(), content);
        assert_eq!(
            (written.action, written.bytes, written.size),
            (Action::Created, content.len() as u64, content.len() as u64)
        );
        assert_eq!(written.path, dir.path().join(&name).to_str().unwrap());
    }
}

#[test]
fn parents_are_created() {
    let dir = tempfile::tempdir().unwrap();
    ask(dir.path(), "a/b/../c d/ü.txt", "x", |_| {}).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("a/c d/ü.txt")).unwrap(), "x");
    let error = ask(dir.path(), "a/c d/ü.txt/more", "x", |_| {}).unwrap_err();
    assert!(error.contains("ü.txt is a file"), "{error}");
}

#[test]
fn an_existing_file_is_treated_as_asked_and_the_answer_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let text = || fs::read_to_string(dir.path().join("f")).unwrap();
    let run = |content: &str, if_exists| ask(dir.path(), "f", content, |request| request.if_exists = if_exists);
    assert_eq!(run("one", IfExists::Append).unwrap().action, Action::Created);
    let appended = run(" two", IfExists::Append).unwrap();
    assert_eq!((appended.action, appended.bytes, appended.size), (Action::Appended, 4, 7));
    assert_eq!(text(), "one two");
    let error = run("x", IfExists::Fail).unwrap_err();
    assert!(error.contains("exists already") && text() == "one two", "{error}");
    assert_eq!(run("x", IfExists::Overwrite).unwrap().action, Action::Replaced);
    assert_eq!(text(), "x");
    assert_eq!(
        ask(dir.path(), "g", "x", |request| request.if_exists = IfExists::Fail).unwrap().action,
        Action::Created
    );
}

#[test]
fn base64_gives_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let run = |content: &str| ask(dir.path(), "f", content, |request| request.encoding = Encoding::Base64);
    for (content, bytes) in [
        ("AP8Q", b"\0\xff\x10".as_slice()),
        ("AP8", b"\0\xff"),
        ("AP8=", b"\0\xff"),
        ("AP\n 8=\r\n", b"\0\xff"),
        ("data:image/png;base64,AP8=", b"\0\xff"),
        ("", b""),
    ] {
        run(content).unwrap();
        assert_eq!(fs::read(dir.path().join("f")).unwrap(), bytes, "{content}");
    }
    let error = run("not base64!").unwrap_err();
    assert!(error.contains("not base64") && error.contains("nothing was written"), "{error}");
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"");
}

#[test]
fn what_cannot_be_written_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    for (path, expected) in [
        ("d", "is a directory"),
        ("d/", "names a directory"),
        ("", "path is empty"),
        ("/", "names a directory"),
        ("x\0", "NUL"),
    ] {
        let error = ask(dir.path(), path, "x", |_| {}).unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_mode_its_hard_links_and_the_links_to_it() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o751)).unwrap();
    fs::hard_link(&file, dir.path().join("hard")).unwrap();
    symlink("f", dir.path().join("soft")).unwrap();
    assert_eq!(ask(dir.path(), "soft", "new", |_| {}).unwrap().action, Action::Replaced);
    let facts = fs::metadata(&file).unwrap();
    assert_eq!((facts.mode() & 0o777, facts.nlink()), (0o751, 2));
    assert_eq!(fs::read_to_string(dir.path().join("hard")).unwrap(), "new");
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    assert!(ask(dir.path(), "dangling", "x", |_| {}).unwrap_err().contains("symbolic link"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_write_that_fails_half_way_says_how_much_was_written() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let error = ask(Path::new("/dev"), "full", "x", |_| {}).unwrap_err();
    assert!(error.contains("only 0 of 1 bytes were written") && error.contains("no space"), "{error}");
}
