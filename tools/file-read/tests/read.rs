//! What a caller of `file-read` gets, by content and request.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use file_read::{Request, read};

fn with(content: impl AsRef<[u8]>, name: &str, request: Request) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), content).unwrap();
    read(dir.path().to_str().unwrap(), &Request { path: name.to_owned(), ..request })
}

fn whole(content: impl AsRef<[u8]>) -> String {
    with(content, "a.txt", Request::default()).unwrap()
}

fn lines(count: usize) -> String {
    (1..=count).map(|number| format!("line {number}\n")).collect()
}

#[test]
fn a_small_text_comes_exactly_as_it_is() {
    for text in
        ["a", "a\n", "a\r\nb\r\n", "\u{feff}a\n", "\n\n", "ü\u{1f600}\n", "- x\n--y", &"x".repeat(60_000), "\t\u{b}\n"]
    {
        assert_eq!(whole(text), text);
    }
}

#[test]
fn offset_and_limit_choose_lines_and_the_footer_says_how_to_go_on() {
    let text = lines(5);
    let page = |offset, limit| with(&text, "a", Request { offset, limit, ..Request::default() });
    assert_eq!(
        page(Some(2), Some(2)).unwrap(),
        "line 2\nline 3\n[file-read: lines 2 to 3 of 5; to read on, call again with offset 4.]\n"
    );
    assert_eq!(page(Some(4), Some(2)).unwrap(), "line 4\nline 5\n");
    assert_eq!(page(Some(0), Some(1)).unwrap(), page(None, Some(1)).unwrap());
    assert_eq!(page(Some(5), None).unwrap(), "line 5\n");
    let past = page(Some(6), None).unwrap_err();
    assert!(
        past.contains("offset 6 is past the end") && past.contains("has 5 lines") && past.contains("from 1 to 5"),
        "{past}"
    );
    assert!(page(None, Some(0)).unwrap_err().contains("limit is 0"));
    // The last line may lack its newline; it still counts.
    let open = with("a\nb\nc", "a", Request { limit: Some(1), ..Request::default() }).unwrap();
    assert!(open.ends_with("lines 1 to 1 of 3; to read on, call again with offset 2.]\n"), "{open}");
}

#[test]
fn long_files_are_paged_without_losing_a_line() {
    let text = lines(4_500);
    let (mut offset, mut together) = (1, String::new());
    loop {
        let page = with(&text, "a", Request { offset: Some(offset), ..Request::default() }).unwrap();
        match page.rsplit_once("[file-read: ") {
            Some((body, footer)) => {
                together.push_str(body);
                offset = footer.split("offset ").nth(1).unwrap().trim_end_matches(".]\n").parse().unwrap();
            }
            None => break together.push_str(&page),
        }
    }
    assert_eq!(together, text);
}

#[test]
fn one_answer_stays_within_its_budget() {
    let wide = format!("{}\n", "y".repeat(10_000)).repeat(100);
    let page = whole(&wide);
    assert!(page.len() < 257 * 1024 && page.contains("lines 1 to 26 of 100"), "{}", page.len());
    let long = format!("{}ü\nend\n", "x".repeat(65_535));
    let page = whole(&long);
    assert!(page.contains("x [file-read: line 1 cut after 65536 of 65538 bytes]\nend\n") && !page.contains('\u{fffd}'));
}

#[test]
fn line_numbers_are_those_of_the_file() {
    let numbered = with(lines(3), "a", Request { offset: Some(2), line_numbers: true, ..Request::default() });
    assert_eq!(numbered.unwrap(), "     2\tline 2\n     3\tline 3\n");
}

#[test]
fn binary_files_come_as_data_urls() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice();
    for (name, bytes, media_type) in [
        ("a.bin", png, "image/png"),
        ("a", b"\xff\xd8\xff\xe0\0\x10JFIF".as_slice(), "image/jpeg"),
        ("a", b"GIF89a\x01\0\x01\0\x80\xff\xff", "image/gif"),
        ("a", b"%PDF-1.7\ntext only", "application/pdf"),
        ("a", b"\0asm\x01\0\0\0", "application/wasm"),
        ("a.docx", b"PK\x03\x04\0\0", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a", b"PK\x03\x04\0\0", "application/zip"),
        ("a", b"\x01\x02\0\x03", "application/octet-stream"),
        ("a", b"\xc3\x28\xa0\xa1\xe2\x28", "application/octet-stream"),
    ] {
        let url = with(bytes, name, Request::default()).unwrap();
        assert_eq!(url, format!("data:{media_type};base64,{}", STANDARD.encode(bytes)));
    }
    assert!(with(png, "a", Request { offset: Some(1), ..Request::default() }).unwrap_err().contains("do not apply"));
    let mut big = png.to_vec();
    big.resize(5 * 1024 * 1024, 1);
    assert!(with(&big, "a", Request::default()).is_ok());
    big.push(1);
    let error = with(&big, "a", Request::default()).unwrap_err();
    assert!(error.contains("image/png") && error.contains("up to 5 MiB"), "{error}");
}

#[test]
fn text_that_only_looks_like_a_format_is_text() {
    for text in ["ID3 is a tag format", "OggS are eggs", "GIF89a"] {
        assert_eq!(whole(text), text);
    }
}

#[test]
fn other_encodings_are_shown_with_a_note() {
    let latin = b"caf\xe9 and many more words around it\n";
    assert_eq!(
        whole(latin),
        "caf\u{fffd} and many more words around it\n[file-read: 1 piece of invalid UTF-8 shown as U+FFFD.]\n"
    );
    let utf16: Vec<u8> = [0xfeff_u16].into_iter().chain("hé\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(whole(utf16), "hé\n[file-read: converted from UTF-16LE to UTF-8.]\n");
    // A character that the first look cuts in two is no flaw.
    let torn = format!("{}ü{}", "a".repeat(8 * 1024 - 1), "b".repeat(10));
    assert_eq!(whole(&torn), torn);
}

#[test]
fn what_is_no_file_is_explained() {
    assert!(whole("").contains("empty (0 bytes)"));
    let dir = tempfile::tempdir().unwrap();
    let cwd = dir.path().to_str().unwrap();
    fs::write(dir.path().join("notes.md"), "x").unwrap();
    let ask = |path: &str| read(cwd, &Request { path: path.to_owned(), ..Request::default() }).unwrap_err();
    assert!(ask(".").contains("is a directory") && ask(".").contains("file-glob"));
    assert!(ask("note.md").contains("does not exist") && ask("note.md").contains("notes.md?"));
    assert!(ask("notes.md/x").contains("is a file"));
    assert!(ask("").contains("path is empty"));
    assert!(ask("a\0b").contains("NUL"));
}
