//! What never ends, grows or nests too far ends with the right status, and the next call is not affected.

mod support;

use std::time::Duration;

use shell::{Request, Session};
use support::{run, session};

fn fresh() -> (tempfile::TempDir, Session) {
    let directory = tempfile::tempdir().expect("a directory");
    let session = session(directory.path());
    (directory, session)
}

#[test]
fn an_early_reader_ends_an_endless_writer() {
    let (_directory, mut session) = fresh();
    for script in ["yes | head -1", "while true; do echo y; done | head -1", "yes | grep y | cat | tr y y | head -n 1"]
    {
        assert_eq!(run(&mut session, script).stdout, b"y\n", "{script}");
    }
}

#[test]
fn recursion_and_fork_bombs_end_with_a_message() {
    let (_directory, mut session) = fresh();
    for script in [":(){ :|:& };:", "f(){ f; }; f", "f(){ $(f); }; f", "eval_(){ eval eval_; }; eval_"] {
        let answer = run(&mut session, script);
        assert_ne!(answer.exit_status, 0, "{script}");
        assert!(String::from_utf8_lossy(&answer.stderr).contains("nesting level exceeded"), "{script}: {answer:?}");
    }
    assert_eq!(run(&mut session, "echo still here").stdout, b"still here\n");
}

#[test]
fn deep_texts_are_refused() {
    let (_directory, mut session) = fresh();
    for script in
        ["(".repeat(10_000), "$(".repeat(10_000), "{ ".repeat(10_000), format!("echo $(({}1))", "(".repeat(10_000))]
    {
        assert_ne!(run(&mut session, &script).exit_status, 0);
    }
}

#[test]
fn a_timeout_ends_a_loop_and_leaves_the_session_as_it_was() {
    let (_directory, mut session) = fresh();
    run(&mut session, "x=before");
    let command = "x=after; while :; do :; done".to_owned();
    let limit = Some(Duration::from_millis(100));
    let answer = session.run(&Request { command, timeout: limit, ..Request::default() });
    assert_eq!(answer.exit_status, 124);
    assert_eq!(run(&mut session, "echo $x").stdout, b"before\n");
    let answer = run(&mut session, "timeout 0.1 bash -c 'while :; do :; done'; echo $?");
    assert_eq!(answer.stdout, b"124\n");
}

#[test]
fn both_ends_of_a_long_output_are_kept() {
    let (_directory, mut session) = fresh();
    let answer = run(&mut session, "seq 1000000");
    assert!(answer.stdout_truncated && answer.stdout.len() <= 192 * 1024 + 200);
    assert!(answer.stdout.starts_with(b"1\n2\n") && answer.stdout.ends_with(b"\n1000000\n"));
    assert!(String::from_utf8_lossy(&answer.stdout).contains("bytes of stdout left out here]"));
}

#[test]
fn bytes_pass_through_pipelines_unchanged() {
    let (_directory, mut session) = fresh();
    let answer = run(
        &mut session,
        r"printf 'a\0\xff\xfe\nb' > f; cat f | tac | tac | cat > g; cmp_() { base64 $1; }; [ $(base64 f) = $(cat f | base64) ] && base64 f",
    );
    assert_eq!(answer.stdout, b"YQD//gpi\n");
}

#[test]
fn a_session_keeps_its_state() {
    let (_directory, mut session) = fresh();
    run(&mut session, "mkdir d; cd d; v=1; f() { echo from f; }; set -o pipefail");
    let answer = run(&mut session, "basename $PWD; echo $v; f; false | true; echo $?");
    assert_eq!(answer.stdout, b"d\n1\nfrom f\n1\n");
}

#[test]
fn what_is_missing_or_refused_says_so() {
    let (_directory, mut session) = fresh();
    for (script, status, text) in [
        ("nosuch", 127, "nosuch: command not found (not available in the sandbox)"),
        ("git status", 127, "git: command not found (not available in the sandbox: version control needs a process)"),
        ("tool other '{}'", 126, "an operator can grant `call:other`"),
        ("curl -s https://elsewhere.test/a", 7, "fetch:GET https://elsewhere.test/a"),
        ("echo x | grep '\\(a\\)\\1'", 2, "linear time"),
    ] {
        let answer = run(&mut session, script);
        assert_eq!(answer.exit_status, status, "{script}: {answer:?}");
        assert!(String::from_utf8_lossy(&answer.stderr).contains(text), "{script}: {answer:?}");
    }
    assert_eq!(run(&mut session, "tool echo '{\"a\":1}' | jq .a").stdout, b"1\n");
    assert_eq!(run(&mut session, "curl -s https://granted.test/x").stdout, b"GET https://granted.test/x\n");
}
