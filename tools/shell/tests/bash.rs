//! Scripts whose answers Debian's bash has given: `data/bash/FEATURE.toml`. The counts by feature are printed.
//!
//! A script that is `known` to answer otherwise says why; once it answers as bash does, that has to go.
#![expect(clippy::expect_used, reason = "tests")]

mod support;

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use toml::{Table, Value};

/// What a script gave: its output and its status.
type Outcome = (String, i64);

fn files() -> Vec<(String, PathBuf)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/bash"));
    let entries = folder.read_dir().expect("the data is there").map(|entry| entry.expect("an entry").path());
    let stem = |path: PathBuf| (path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned(), path);
    let mut files: Vec<(String, PathBuf)> = entries.map(stem).collect();
    files.sort();
    files
}

fn scripts(path: &PathBuf) -> Vec<Value> {
    let data: Table = std::fs::read_to_string(path).expect("a file").parse().expect("the data is TOML");
    data["script"].as_array().expect("a list of scripts").clone()
}

fn text<'a>(script: &'a Value, key: &str) -> &'a str {
    script[key].as_str().expect("a text")
}

/// What this shell answers, and what it says of errors.
fn here(script: &str) -> (Outcome, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let run = || support::run(&mut support::session(directory.path()), script);
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(answer) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            ((text(&answer.stdout), i64::from(answer.exit_status)), text(&answer.stderr))
        }
        Err(_) => ((String::new(), -1), "it panicked".to_owned()),
    }
}

#[test]
fn scripts_answer_as_bash_does() {
    let (mut wrong, mut total) = (String::new(), 0);
    for (feature, path) in files() {
        let (mut passed, mut failed, mut known) = (0, 0, 0);
        for script in scripts(&path) {
            let run = text(&script, "run");
            let bash = (text(&script, "stdout").to_owned(), script["status"].as_integer().expect("a number"));
            let (answer, errors) = here(run);
            let differs = script.get("known").is_some();
            known += usize::from(differs);
            if (answer == bash) != differs {
                passed += usize::from(!differs);
                continue;
            }
            failed += 1;
            writeln!(wrong, "{feature}: {run}\n  bash: {bash:?}\n  here: {answer:?}\n  errors: {errors:?}")
                .expect("text");
        }
        println!("{feature:14} {passed:3} pass {failed:3} fail {known:3} known to differ");
        total += passed;
    }
    println!("{total} scripts answer as bash does");
    assert!(wrong.is_empty(), "answers that differ:\n{wrong}");
}

/// Writes into the data what the machine's bash answers.
#[test]
#[ignore = "changes the data; run by hand where Debian's bash 5.2 and its commands are"]
fn regenerate() {
    for (_, path) in files() {
        let mut all = scripts(&path);
        for script in &mut all {
            let (stdout, status) = bash(text(script, "run"));
            let table = script.as_table_mut().expect("a table");
            table.insert("stdout".to_owned(), stdout.into());
            table.insert("status".to_owned(), status.into());
        }
        let data = Table::from_iter([("script".to_owned(), Value::Array(all))]);
        std::fs::write(path, toml::to_string_pretty(&data).expect("TOML")).expect("it can be written");
    }
}

fn bash(script: &str) -> Outcome {
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(directory.path())
        .env_clear()
        .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/root"), ("LC_ALL", "C.UTF-8")])
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    (stdout, output.status.code().map_or(-1, i64::from))
}
