//! What Debian's own commands answer, as data: `data/commands/*.toml`, and whole scripts: `data/scripts/*.sh` with `*.out`.
//!
//! The expected answers are recorded by `cargo test -p shell --test commands -- --ignored` on a machine with Debian 12's GNU coreutils,
//! grep, sed, findutils, diffutils, mawk (`awk`), gawk, jq, tar, gzip and xxd, with `LC_ALL=C.UTF-8` and `TZ=UTC`.
#![expect(clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use toml::{Table, Value};

fn data(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let entries = std::fs::read_dir(&folder).expect("the folder is there");
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    all.retain(|path| path.extension().is_some_and(|found| found == ending));
    all.sort();
    assert!(!all.is_empty(), "no data in {}", folder.display());
    all
}

fn scripts(path: &Path) -> Vec<Table> {
    let text = std::fs::read_to_string(path).expect("readable data");
    let table: Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let list = table["script"].as_array().expect("a list of scripts");
    list.iter().map(|script| script.as_table().expect("a table").clone()).collect()
}

/// What the script writes here, and its status and errors.
fn here(script: &str) -> (String, i64, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let answer = support::run(&mut support::session(directory.path()), script);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&answer.stdout), answer.exit_status.into(), text(&answer.stderr))
}

/// What it writes on this machine.
fn debian(script: &str) -> (String, i64) {
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", std::env::var("PATH").expect("a path"))
        .envs([("HOME", "/root"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")])
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1).into())
}

#[test]
fn commands_answer_as_debians_do() {
    let (mut passed, mut known, mut wrong) = (0, 0, Vec::new());
    for path in data("commands", "toml") {
        for script in scripts(&path) {
            let text = |key: &str| script[key].as_str().expect("a text");
            let (stdout, status, errors) = here(text("run"));
            let same = stdout == text("stdout") && Some(status) == script["status"].as_integer();
            match (same, script.get("known")) {
                (true, None) => passed += 1,
                (false, Some(_)) => known += 1,
                (true, Some(_)) => wrong.push(format!("{}\n  is a known difference, and does not differ", text("run"))),
                (false, None) => wrong.push(format!(
                    "{}: {}\n  Debian ({}): {:?}\n  here   ({status}): {stdout:?}\n  errors: {errors}",
                    path.file_name().unwrap_or_default().display(),
                    text("run"),
                    script["status"],
                    text("stdout")
                )),
            }
        }
    }
    println!("{passed} pass, {known} known differences");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn scripts_as_agents_write_them_answer_as_on_debian() {
    let mut wrong = Vec::new();
    for path in data("scripts", "sh") {
        let script = std::fs::read_to_string(&path).expect("a script");
        let expected = std::fs::read_to_string(path.with_extension("out")).expect("its output");
        let (stdout, status, errors) = here(&script);
        let found = format!("{stdout}[exit {status}]\n");
        if found != expected {
            let lines = expected.lines().zip(found.lines()).find(|(left, right)| left != right);
            wrong.push(format!("{}: {lines:?}\n{errors}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
#[ignore = "writes the expected answers anew, with this machine's commands"]
fn record() {
    for path in data("commands", "toml") {
        let text = std::fs::read_to_string(&path).expect("readable data");
        let mut out: String =
            text.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        for mut script in scripts(&path) {
            let run = script["run"].as_str().expect("a text").to_owned();
            let (stdout, status) = debian(&run);
            script.insert("stdout".to_owned(), Value::String(stdout));
            script.insert("status".to_owned(), Value::Integer(status));
            out.push_str("\n[[script]]\n");
            for key in ["run", "stdout", "status", "known"] {
                if let Some(value) = script.get(key) {
                    out.push_str(&format!("{key} = {value}\n"));
                }
            }
        }
        std::fs::write(&path, out.trim_start()).expect("written data");
    }
    for path in data("scripts", "sh") {
        let (stdout, status) = debian(&std::fs::read_to_string(&path).expect("a script"));
        std::fs::write(path.with_extension("out"), format!("{stdout}[exit {status}]\n")).expect("written output");
    }
}
