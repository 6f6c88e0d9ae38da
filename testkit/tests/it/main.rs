//! The test data of the built-in tools is in its format and shows what it has to show.
#![expect(clippy::unwrap_used, reason = "tests")]

mod network;

use std::path::{Path, PathBuf};

use caplet_testkit::cases::{Case, Content, Expected, FileSpec, Observed, read_folder};
use serde_json::json;

fn tools() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("agent-tool.toml").is_file()).collect()
}

#[test]
fn every_tool_has_cases_with_a_denial_and_bad_input() {
    for tool in tools() {
        let cases = read_folder(&tool.join("cases")).unwrap();
        let count = |outcome: &str| cases.iter().filter(|case| case.expect.outcome == outcome).count();
        // What is fetched takes a server, and what is kept a bucket: the command line's tests have them.
        let is_alone = !tool.ends_with("web-fetch") && !tool.ends_with("memory");
        assert!(cases.len() >= 8 && (count("ok") > 0 || !is_alone), "{}", tool.display());
        // A shell goes on after a command that was denied something, and its call is a success all the same.
        let denies = |case: &Case| case.expect.outcome == "denied" || !case.expect.denied.is_empty();
        assert!(cases.iter().any(denies), "{} shows no denial", tool.display());
        assert!(count("refused") > 0, "{} shows no bad input", tool.display());
    }
}

#[test]
fn files_are_made_and_observed_alike() {
    let directory = tempfile::tempdir().unwrap();
    let spec = |change: fn(&mut FileSpec)| {
        let mut file = FileSpec { path: "/w/d/f".to_owned(), ..FileSpec::default() };
        change(&mut file);
        file
    };
    for file in [
        spec(|file| (file.text, file.times, file.modified) = (Some("ab".into()), Some(2), Some(7))),
        spec(|file| file.base64 = Some("AP8=".into())),
        spec(|file| file.link = Some("../x".into())),
        spec(|file| file.directory = true),
        spec(|file| file.absent = true),
    ] {
        file.make(directory.path()).unwrap();
        assert_eq!(file.observe(directory.path()).unwrap(), file.content().unwrap());
        std::fs::remove_dir_all(directory.path().join("d")).unwrap();
    }
    assert!(spec(|_| {}).content().is_err());
    assert!(spec(|file| (file.directory, file.absent) = (true, true)).content().is_err());
}

#[test]
fn deviations_name_what_is_not_as_expected() {
    let expect: Expected = serde_json::from_value(json!({
        "outcome": "ok", "fields": {"a": 1}, "contains": ["one"], "lacks": ["two"], "denied": ["read /w/x"],
        "files": [{"path": "/w/f", "text": "x"}],
    }))
    .unwrap();
    let case = Case {
        expect,
        ..serde_json::from_value(json!({"name": "n", "input": {}, "expect": {"outcome": "ok"}})).unwrap()
    };
    let good = json!({"a": 1, "text": "one"});
    let bad = json!({"a": 2, "text": "two"});
    let observed = |output, denied: &[&str], files: Vec<Content>| {
        let denied = denied.iter().map(|op| (*op).to_owned()).collect();
        case.deviations(&Observed { outcome: "ok", kind: None, output, message: "", denied, files })
    };
    assert_eq!(observed(&good, &["read /w/x"], vec![Content::Bytes(b"x".to_vec())]), Vec::<String>::new());
    let found = observed(&bad, &[], vec![Content::Absent]).join("\n");
    for part in ["field `a`", "\"one\" is not in", "\"two\" is in", "denied ops", "/w/f"] {
        assert!(found.contains(part), "{part}: {found}");
    }
}

#[test]
fn a_file_that_is_not_in_the_format_is_refused() {
    for (text, expected) in [
        ("[[case]]\nname = 'a'\ninput = {}\nexpect = { outcome = 'ok' }\nextra = 1", "extra"),
        ("[[case]]\nname = 'a'\ninput = 1\nexpect = { outcome = 'ok' }", "not an object"),
        (
            "[[case]]\nname = 'a'\ninput = {}\nexpect = { outcome = 'ok' }\nfiles = [{ path = '/etc/x', text = '' }]",
            "below /w",
        ),
        (
            "[[case]]\nname = 'a'\ninput = {}\nexpect = { outcome = 'ok' }\n[[case]]\nname = 'a'\ninput = {}\nexpect = { outcome = 'ok' }",
            "two cases",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("x.toml"), text).unwrap();
        let error = read_folder(directory.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
