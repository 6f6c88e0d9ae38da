//! What a caller of `file-grep` gets, by request and tree.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use file_grep::{Found, Output, Request, grep};

fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn ask(dir: &Path, pattern: &str, change: impl FnOnce(&mut Request)) -> Result<Found, String> {
    let mut request = Request { pattern: pattern.to_owned(), ..Request::default() };
    change(&mut request);
    grep(dir.to_str().unwrap(), &request)
}

fn text(dir: &Path, pattern: &str, change: impl FnOnce(&mut Request)) -> String {
    ask(dir, pattern, change).unwrap().text
}

fn sample() -> tempfile::TempDir {
    tree(&[
        ("a.rs", b"fn main() {\n    let x = 1;\n}\n\n// end\nfn tail() {}\n"),
        ("src/b.ts", b"function f() {}\r\nconst X = 2;\r\n"),
        ("src/c.md", b"# fn\n- item\n"),
    ])
}

#[test]
fn lines_come_under_their_file_with_numbers() {
    let dir = sample();
    assert_eq!(text(dir.path(), r"\bfn\b", |_| {}), "a.rs\n1:fn main() {\n6:fn tail() {}\n\nsrc/c.md\n1:# fn\n");
    assert_eq!(
        text(dir.path(), "x", |request| request.ignore_case = true),
        "a.rs\n2:    let x = 1;\n\nsrc/b.ts\n2:const X = 2;\n"
    );
    assert_eq!(text(dir.path(), "^- item$", |_| {}), "src/c.md\n2:- item\n");
    assert_eq!(text(dir.path(), r"\{\}$", |_| {}), "a.rs\n6:fn tail() {}\n\nsrc/b.ts\n1:function f() {}\n");
    let one = ask(dir.path(), "fn", |request| request.path = Some("src/c.md".into())).unwrap();
    assert_eq!((one.text.as_str(), one.matches, one.files), ("src/c.md\n1:# fn\n", 1, 1));
}

#[test]
fn context_is_marked_and_gaps_are_shown() {
    let dir = tree(&[("f", b"1\n2\nx\n4\n5\n6\n7\nx\n9\n")]);
    let shown = text(dir.path(), "x", |request| (request.before, request.after) = (1, 1));
    assert_eq!(shown, "f\n2-2\n3:x\n4-4\n--\n7-7\n8:x\n9-9\n");
    let shown = text(dir.path(), "x", |request| (request.before, request.after) = (3, 3));
    assert_eq!(shown, "f\n1-1\n2-2\n3:x\n4-4\n5-5\n6-6\n7-7\n8:x\n9-9\n");
}

#[test]
fn files_and_counts() {
    let dir = sample();
    let files = ask(dir.path(), "fn|const", |request| request.output = Output::Files).unwrap();
    assert_eq!((files.text.as_str(), files.files), ("a.rs\nsrc/b.ts\nsrc/c.md\n", 3));
    let count = ask(dir.path(), "fn", |request| request.output = Output::Count).unwrap();
    assert_eq!((count.text.as_str(), count.matches, count.files), ("a.rs:2\nsrc/c.md:1\n", 3, 2));
}

#[test]
fn globs_and_types_select_files() {
    let dir = sample();
    let files = |change: fn(&mut Request)| {
        text(dir.path(), ".", |request| {
            request.output = Output::Files;
            change(request);
        })
    };
    assert_eq!(files(|request| request.glob = Some("*.{ts,md}".into())), "src/b.ts\nsrc/c.md\n");
    assert_eq!(files(|request| request.glob = Some("src/*.ts".into())), "src/b.ts\n");
    assert_eq!(files(|request| request.glob = Some("!*.md".into())), "a.rs\nsrc/b.ts\n");
    assert_eq!(files(|request| request.file_type = Some("rust".into())), "a.rs\n");
    assert_eq!(files(|request| request.file_type = Some("rs".into())), "a.rs\n");
    assert_eq!(files(|request| request.file_type = Some("ts".into())), "src/b.ts\n");
}

#[test]
fn matches_span_lines_only_when_asked() {
    let dir = sample();
    let multi = |pattern: &str| text(dir.path(), pattern, |request| request.multiline = true);
    assert_eq!(multi(r"main.*?\n\}"), "a.rs\n1:fn main() {\n2:    let x = 1;\n3:}\n");
    assert_eq!(multi(r"let x = 1;$"), "a.rs\n2:    let x = 1;\n");
    let error = ask(dir.path(), r"main\(\) \{\n", |_| {}).unwrap_err();
    assert!(error.contains("set multiline to true"), "{error}");
}

#[test]
fn pages_join_without_gap_or_repeat() {
    let body: String = (1..=7).map(|number| format!("hit {number}\nmiss\n")).collect();
    let dir = tree(&[("a", body.as_bytes()), ("b/a", body.as_bytes()), ("b.txt", body.as_bytes()), ("c", b"none\n")]);
    for (output, limit) in [(Output::Content, 3), (Output::Files, 1), (Output::Count, 2)] {
        let whole = text(dir.path(), "hit", |request| request.output = output);
        let (mut cursor, mut together, mut pages) = (None, String::new(), 0);
        loop {
            let found = ask(dir.path(), "hit", |request| {
                (request.output, request.limit, request.cursor) = (output, Some(limit), cursor.take());
            });
            let found = found.unwrap();
            together.push_str(&found.text);
            pages += 1;
            match found.next_cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let hits = |text: &str| {
            text.lines()
                .filter(|line| line.contains(':') || output != Output::Content)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(hits(&together), hits(&whole), "{output:?}");
        assert!(pages > 1, "{output:?}");
    }
    // A page that ends with the last match has no cursor.
    assert_eq!(ask(dir.path(), "hit", |request| request.limit = Some(21)).unwrap().next_cursor, None);
}

#[test]
fn a_page_that_ends_between_matches_shows_no_context_of_the_next() {
    let dir = tree(&[("f", b"1\n2\nx\n4\n5\n6\n7\nx\n9\n")]);
    let first =
        ask(dir.path(), "x", |request| (request.before, request.after, request.limit) = (1, 1, Some(1))).unwrap();
    assert_eq!(first.text, "f\n2-2\n3:x\n4-4\n");
    let second = ask(dir.path(), "x", |request| {
        (request.before, request.after, request.cursor) = (1, 1, first.next_cursor.clone())
    });
    assert_eq!(second.unwrap().text, "f\n7-7\n8:x\n9-9\n");
}

#[test]
fn binary_and_ignored_files_are_left_out_and_odd_text_is_not() {
    let utf16: Vec<u8> =
        [0xfeff_u16].into_iter().chain("x in utf-16\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let mut late = vec![b'a'; 20_000];
    late.extend_from_slice(b"\nx\0\n");
    let dir = tree(&[
        ("bin", b"x\0x"),
        ("late", &late),
        ("latin", b"caf\xe9 x\n"),
        ("utf16", &utf16),
        (".gitignore", b"skipped\n"),
        ("skipped", b"x\n"),
        ("empty", b""),
    ]);
    let found = ask(dir.path(), "x", |_| {}).unwrap();
    assert_eq!(found.text, "latin\n1:caf\u{fffd} x\n\nutf16\n1:x in utf-16\n");
    assert!(found.notice.unwrap().contains("2 binary files not searched"));
    assert_eq!(text(dir.path(), "x", |request| request.path = Some("skipped".into())), "skipped\n1:x\n");
}

#[test]
fn long_lines_are_cut_around_the_match() {
    let line = format!("{}needle{}\n", "a".repeat(3000), "ü".repeat(3000));
    let dir = tree(&[("f", line.as_bytes())]);
    let shown = text(dir.path(), "needle", |_| {});
    assert!(
        shown.len() < 620
            && shown.contains("aneedleü")
            && shown.contains("…")
            && shown.contains("[line of 9006 bytes cut]"),
        "{shown}"
    );
}

#[test]
fn a_pattern_that_backtracking_engines_choke_on_takes_no_time() {
    let dir = tree(&[("f", format!("{}!\n", "a".repeat(50_000)).as_bytes())]);
    assert!(ask(dir.path(), r"^(a|aa)+$", |_| {}).unwrap().notice.unwrap().contains("No match in 1 file"));
}

#[test]
fn bad_requests_are_explained() {
    let dir = sample();
    for (pattern, expected) in [
        ("", "pattern is empty"),
        ("(", "no valid regular expression"),
        (r"(?=x)", "look-around"),
        (r"(a)\1", "back"),
        (r"\p{Nope}", "no valid"),
        (r"(?:a{1000}){1000}", "no valid"),
    ] {
        let error = ask(dir.path(), pattern, |_| {}).unwrap_err();
        assert!(error.contains(expected), "{pattern}: {error}");
    }
    let error = |change: fn(&mut Request)| ask(dir.path(), "x", change).unwrap_err();
    assert!(error(|request| request.path = Some("none".into())).contains("does not exist"));
    assert!(error(|request| request.file_type = Some("rus".into())).contains("did you mean rust"));
    assert!(error(|request| request.file_type = Some("???".into())).contains("not known"));
    assert!(error(|request| request.glob = Some("../*".into())).contains("`..`"));
    assert!(error(|request| request.glob = Some("{a".into())).contains("no valid glob"));
    assert!(error(|request| request.limit = Some(0)).contains("from 1 to 5000"));
    assert!(error(|request| request.before = 101).contains("at most 100"));
    assert!(error(|request| request.cursor = Some("5".into())).contains("cursor"));
    let none = ask(dir.path(), "x", |request| request.glob = Some("*.zig".into())).unwrap();
    assert!(none.notice.unwrap().contains("no text file that glob and type select"));
    assert!(ask(dir.path(), "FN", |_| {}).unwrap().notice.unwrap().contains("ignore_case"));
}
