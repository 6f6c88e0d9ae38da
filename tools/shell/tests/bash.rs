//! Scripts whose answers Debian's bash has given: `data/bash.toml`. The counts by feature are printed.

mod support;

use std::collections::BTreeMap;

#[test]
fn scripts_answer_as_bash_does() {
    let data: toml::Table = include_str!("data/bash.toml").parse().expect("the data is TOML");
    let scripts = data["script"].as_array().expect("a list of scripts");
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for script in scripts {
        let text = |key: &str| script[key].as_str().expect("a text");
        let directory = tempfile::tempdir().expect("a directory");
        let answer = support::run(&mut support::session(directory.path()), text("run"));
        let same = answer.stdout == text("stdout").as_bytes()
            && i64::from(answer.exit_status) == script["status"].as_integer().expect("a number");
        let count = counts.entry(text("feature")).or_default();
        if same {
            count.0 += 1;
        } else {
            count.1 += 1;
            wrong.push(format!(
                "{}\n  bash ({}): {:?}\n  here ({}): {:?}\n  errors: {}",
                text("run"),
                script["status"],
                text("stdout"),
                answer.exit_status,
                String::from_utf8_lossy(&answer.stdout),
                String::from_utf8_lossy(&answer.stderr)
            ));
        }
    }
    for (feature, (passed, failed)) in &counts {
        println!("{feature:14} {passed:3} pass {failed:3} fail");
    }
    assert!(wrong.is_empty(), "{} of {} scripts differ:\n{}", wrong.len(), scripts.len(), wrong.join("\n"));
}
