//! What a caller of `file-edit` gets, and what the file holds then.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use file_edit::{Edit, Edited, edit};

fn one(old: &str, new: &str) -> Edit {
    Edit { old: old.into(), new: new.into(), all: false }
}

fn all(old: &str, new: &str) -> Edit {
    Edit { all: true, ..one(old, new) }
}

/// Runs the edits on a file with this content; gives the answer and the content after.
fn run(content: impl AsRef<[u8]>, edits: &[Edit]) -> (Result<Edited, String>, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f.txt");
    fs::write(&file, content).unwrap();
    let result = edit(dir.path().to_str().unwrap(), "f.txt", edits);
    (result, String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned())
}

fn refused(content: impl AsRef<[u8]>, edits: &[Edit]) -> String {
    let (result, after) = run(&content, edits);
    assert_eq!(after, String::from_utf8_lossy(content.as_ref()), "a refused edit changed the file");
    result.unwrap_err()
}

#[test]
fn edits_replace_exactly() {
    for (before, edits, after, count) in [
        ("a b c\n", vec![one("b", "B")], "a B c\n", 1),
        ("a a a", vec![all("a", "bb")], "bb bb bb", 3),
        ("a", vec![one("a", "")], "", 1),
        ("x\ny\nz\n", vec![one("y\n", "")], "x\nz\n", 1),
        ("ab", vec![one("a", "b"), all("b", "c")], "cc", 3),
        ("-n $x .* \\1", vec![one("$x .*", "-- $0")], "-n -- $0 \\1", 1),
        ("ü 名\n", vec![one("名", "\u{1f600}")], "ü \u{1f600}\n", 1),
        ("no newline", vec![one("newline", "newline\n")], "no newline\n", 1),
    ] {
        let (result, text) = run(before, &edits);
        assert_eq!(text, after, "{before}");
        assert_eq!(result.unwrap().replacements, count);
    }
}

#[test]
fn all_edits_or_none() {
    let error = refused("a b\n", &[one("a", "x"), one("zzz", "y")]);
    assert!(
        error.starts_with("edit 2 of 2: old_string does not occur") && error.ends_with("Nothing was changed."),
        "{error}"
    );
    let error = refused("a b\n", &[one("a", "x"), one("a", "y")]);
    assert!(error.contains("It did before the earlier edits"), "{error}");
    assert!(refused("a\n", &[one("a", "x"), one("x", "a")]).contains("undone"));
}

#[test]
fn line_endings_are_tolerated_and_kept() {
    for (before, edit, after) in [
        ("a\r\nb\r\nc\r\n", one("a\nb", "x\ny\nz"), "x\r\ny\r\nz\r\nc\r\n"),
        ("a\r\nb\r\n", one("b", "x\ny"), "a\r\nx\r\ny\r\n"),
        ("a\nb\nc\n", one("a\r\nb", "x\r\ny"), "x\ny\nc\n"),
        ("a\nb\n", one("b", "x\r\ny"), "a\nx\ny\n"),
        ("a\r\nb\r\n", one("a\n", "x\n"), "x\r\nb\r\n"),
        ("a\r\nb\r\n", one("\nb", "\nx"), "a\r\nx\r\n"),
        // Of a mixed file each place keeps its own.
        ("a\r\nb\nc\r\nd\n", one("a\nb\nc\n", "1\n2\n"), "1\r\n2\r\nd\n"),
        ("a\r\nb\nc\nd\r\n", one("b\nc", "2\n3"), "a\r\n2\n3\nd\r\n"),
    ] {
        let (result, text) = run(before, std::slice::from_ref(&edit));
        assert_eq!(text, after, "{before:?} {edit:?} {result:?}");
    }
}

#[test]
fn an_ambiguous_text_names_its_lines() {
    let error = refused("x\na\nx\n", &[one("x", "y")]);
    assert!(
        error.contains("occurs in 2 places") && error.contains("(line 1, 3)") && error.contains("replace_all"),
        "{error}"
    );
    assert!(refused("aaa\n", &[one("aa", "b")]).contains("overlap"));
    assert!(refused("x\n".repeat(20), &[one("x", "y")]).contains("10, …"));
}

#[test]
fn a_text_that_is_not_there_shows_the_closest() {
    let file = "fn main() {\n    let count = 1;\n    print(count);\n}\n";
    let error = refused(file, &[one("fn main() {\n  let count = 1;\n", "x")]);
    assert!(error.contains("Lines 1 to 2 differ only in white space:\nfn main() {\n    let count = 1;\n"), "{error}");
    let error = refused(file, &[one("    let counter = 1;", "x")]);
    assert!(error.contains("Line 2 is the closest:\n    let count = 1;\n"), "{error}");
    let error = refused(file, &[one("entirely different words", "x")]);
    assert!(error.contains("Nothing like it"), "{error}");
    let error = refused(file, &[one("     2\t    let count = 1;", "x")]);
    assert!(error.contains("line numbers"), "{error}");
    let error = refused(file, &[one("let total = 1;", "let count = 1;")]);
    assert!(error.contains("may have been made already"), "{error}");
}

#[test]
fn bad_requests_are_explained() {
    assert!(refused("a", &[]).contains("edits is empty"));
    assert!(refused("a", &[one("", "b")]).contains("file-write"));
    assert!(refused("a", &[one("a", "a")]).contains("the same"));
    assert!(refused("", &[one("a", "b")]).contains("is empty"));
    assert!(refused(b"\xff\xfea", &[one("a", "b")]).contains("not UTF-8"));
    let dir = tempfile::tempdir().unwrap();
    let ask = |path: &str| edit(dir.path().to_str().unwrap(), path, &[one("a", "b")]).unwrap_err();
    assert!(ask("none.txt").contains("does not exist"));
    assert!(ask(".").contains("is a directory"));
}

#[test]
fn the_diff_is_unified() {
    let before: String = (1..=20).map(|number| format!("{number}\n")).collect();
    let (result, _) = run(&before, &[one("4\n5\n", "4\nfive\n"), one("20\n", "20")]);
    let diff = result.unwrap().diff;
    let (head, body) = diff.split_once("@@").unwrap();
    assert!(head.starts_with("--- a/") && head.contains("\n+++ b/") && head.ends_with("f.txt\n"), "{head}");
    let expected = " -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -17,4 +17,4 @@\n 17\n 18\n 19\n-20\n+20\n\\ No newline at end of file\n";
    assert_eq!(body, expected);
    let (result, _) = run("a\n", &[one("a\n", "")]);
    assert!(result.unwrap().diff.contains("@@ -1 +0,0 @@\n-a\n"));
    let (result, _) = run("x y\n".repeat(8_000), &[all("x", "z")]);
    let diff = result.unwrap().diff;
    assert!(diff.len() < 65 * 1024 && diff.contains("more lines of this diff left out]"), "{}", diff.len());
}
