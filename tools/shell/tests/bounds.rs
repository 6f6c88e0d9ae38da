//! What never ends, grows or nests too far ends with the right status, and the next call is not affected.
#![expect(clippy::expect_used, reason = "tests")]

mod support;

use std::time::Duration;

use shell::{Request, Session};
use support::{run, session};

fn fresh() -> (tempfile::TempDir, Session) {
    let directory = tempfile::tempdir().expect("a directory");
    let session = session(directory.path());
    (directory, session)
}

fn quoted(script: &str) -> String {
    format!("'{}'", script.replace('\'', "'\\''"))
}

#[test]
fn an_early_reader_ends_an_endless_writer() {
    let (_directory, mut session) = fresh();
    for script in ["yes | head -1", "while true; do echo y; done | head -1", "yes | grep y | cat | tr y y | head -n 1"]
    {
        assert_eq!(run(&mut session, script).stdout, b"y\n", "{script}");
    }
}

/// Runs on a stack that is as deep as a debug build needs; the component's own is measured in its cases.
fn deep(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(test).expect("a thread");
    assert!(thread.join().is_ok());
}

#[test]
fn recursion_and_fork_bombs_end_with_a_message() {
    deep(|| {
        let (_directory, mut session) = fresh();
        for script in [
            ":(){ :|:& };:",
            "f(){ f & f & }; f",
            "f(){ f; }; f",
            "f(){ f || f && f; }; f",
            "f(){ if true; then while true; do for i in 1; do { f; }; done; done; fi; }; f",
            "f(){ $(f); }; f",
            "f(){ x=$(f)$(f); }; f",
            "f(){ ( f ); }; f",
            "f(){ f | f | f; }; f",
            "f(){ cat <(f); }; f",
            "f(){ echo ${x:-$(f)}; }; f",
            "f(){ trap f EXIT; ( : ); ( trap f EXIT ); }; f",
            "f(){ trap f ERR; set -E; false; f; }; f",
            "eval_(){ eval eval_; }; eval_",
            "s='eval \"$s\"'; eval \"$s\"",
            "export s='bash -c \"$s\"'; bash -c \"$s\"",
            "echo '. ./s' > s; . ./s",
            "echo 'bash s | bash s' > s; bash s",
            "echo 'echo a b | xargs -n1 bash s' > s; bash s",
            "echo 'find . -name s -exec bash s \\;' > s; bash s",
            "echo 'timeout 50 env A=1 bash s' > s; bash s",
        ] {
            let answer = run(&mut session, script);
            assert_ne!(answer.exit_status, 0, "{script}");
            let errors = String::from_utf8_lossy(&answer.stderr);
            assert!(errors.contains("nesting level exceeded"), "{script}: {errors}");
        }
        assert_eq!(run(&mut session, "echo still here").stdout, b"still here\n");
    });
}

#[test]
fn deep_texts_are_refused() {
    deep(|| {
        let (_directory, mut session) = fresh();
        for open in [
            "(",
            "$(",
            "{ ",
            "((",
            "$((",
            "\"$(",
            "`",
            "if ",
            "while ",
            "case x in x) ",
            "f() { ",
            "[[ ( ",
            "[[ ! ",
            "! ",
            "<(",
            "${x:-",
            "${x#",
            "\"${x:-",
            "${x[",
            "$[",
            "@(",
            "a && (",
        ] {
            let answer = run(&mut session, &open.repeat(10_001));
            assert_ne!(answer.exit_status, 0, "{open}");
        }
        for (open, inside, close) in [
            ("(", ":", ")"),
            ("{ ", ":;", " }"),
            ("$(", ":", ")"),
            ("[[ ! ", "x", " ]]"),
            ("${x:-", "y", "}"),
            ("if :; then ", ":", "; fi"),
        ] {
            let script = format!("{}{inside}{}", open.repeat(5_000), close.repeat(5_000));
            assert_ne!(run(&mut session, &script).exit_status, 0, "{open}");
        }
        for script in [
            format!("echo $(({}1{}))", "(".repeat(10_000), ")".repeat(10_000)),
            format!("echo $(({}1))", "-".repeat(100_001)),
            format!("echo $(({}1))", "!".repeat(100_001)),
            format!("echo $(({}1))", "2**".repeat(100_001)),
            format!("echo $(({}1))", "1?1:".repeat(100_001)),
            format!("echo $(({}1))", "x=".repeat(100_001)),
            "a=b; b=a; echo $((a))".to_owned(),
            "a='a[a]'; echo $((a))".to_owned(),
        ] {
            let answer = run(&mut session, &script);
            assert_eq!((answer.exit_status, answer.stdout.as_slice()), (1, &b""[..]), "{:.40}", script);
        }
        // What a shell can do without nesting it does.
        let chain = format!("echo $(({}1))", "1+".repeat(100_000));
        assert_eq!(run(&mut session, &chain).stdout, b"100001\n");
        let script = format!("{}echo end", "true && ".repeat(20_000));
        assert_eq!(run(&mut session, &script).stdout, b"end\n");
        let script = format!("echo x {}", "| cat ".repeat(300));
        assert_eq!(run(&mut session, &script).stdout, b"x\n");
    });
}

#[test]
fn what_would_fill_memory_is_refused() {
    let (_directory, mut session) = fresh();
    for (script, status, message) in [
        ("printf %1000000000d 1", 2, "printf"),
        ("printf '%.*f' 1000000000 1", 2, "printf"),
        ("x=$(yes)", 1, "more than 67108864 bytes"),
        ("echo {1..3000}{1..3000}", 1, "brace expansion"),
        ("echo {1..99999999999}", 1, "brace expansion"),
        (
            "echo {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
            1,
            "brace expansion",
        ),
        ("x=$(head -c 40000 /dev/zero | tr '\\0' a); y=${x//a/$x}", 1, "67108864 bytes"),
        ("x=aaaaaaaaaaaaaaaa; while :; do x=${x//a/$x}; done", 1, "67108864 bytes"),
        ("x=a; while :; do x=$x$x; done", 1, "67108864 bytes"),
        ("x=a; while :; do x+=$x; done", 1, "67108864 bytes"),
        ("read x < /dev/zero; echo $?", 0, ""),
        ("cat /dev/zero | tr '\\0' '\\n' | head -c 3000000 | wc -l", 0, ""),
        ("grep -E '(((((a{1,10}){1,10}){1,10}){1,10}){1,10}){1,10}' /dev/null", 2, "too big"),
    ] {
        let answer = run(&mut session, script);
        let errors = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert_eq!(answer.exit_status, status, "{script}: {errors:.300}");
        assert!(errors.contains(message), "{script}: {errors:.300}");
    }
}

#[test]
fn large_inputs_have_right_outcomes() {
    deep(|| {
        let (_directory, mut session) = fresh();
        for (script, output) in [
            ("set -- {1..1000000}; echo $# ${1000000}", "1000000 1000000\n"),
            ("for i in {1..20000}; do :; done; echo $i", "20000\n"),
            (
                "x=$(printf 'a%.0s' {1..5000}); [[ $x =~ ^(a+)+$ ]] && echo yes; [[ ${x}b =~ ^(a|aa)+$ ]] || echo no",
                "yes\nno\n",
            ),
            ("x=$(printf 'a%.0s' {1..300}); [[ $x == *a*a*a*a*a*a*a*b ]] || echo no", "no\n"),
            ("shopt -s extglob; x=$(printf 'a%.0s' {1..200}); [[ ${x}b == +(a|aa|+(a)) ]] || echo no", "no\n"),
            ("[[ x == $(printf '+(%.0s' {1..3000}) ]]; echo $?", "1\n"),
            ("x=$(printf 'a%.0s' {1..20000}); y=${x//a*b/}; echo ${#y}", "20000\n"),
            ("printf '[%.0s' {1..3000} | jq . 2> /dev/null; echo $?", "2\n"),
            ("find . $(printf '! %.0s' {1..3000}) -name x 2> /dev/null; echo $?", "1\n"),
            ("touch f; [ -e f ] && echo [ f ]; rm f", "[ f ]\n"),
            ("i=0; while ((i<20000)); do ((i++)); done; echo $i", "20000\n"),
            ("for i in {1..2000}; do x=$(echo $i); done; echo $x", "2000\n"),
            ("for i in {1..200}; do echo $i | cat; done | tail -1", "200\n"),
            ("touch {1..3000}; set -- *; echo $#; set -- *[05]; echo $#; rm *; echo *", "3000\n600\n*\n"),
            ("seq 300000 | { n=0; while read -r l; do n=$((n+1)); [ $n = 3000 ] && break; done; echo $l; }", "3000\n"),
        ] {
            let answer = run(&mut session, script);
            let errors = String::from_utf8_lossy(&answer.stderr).into_owned();
            assert_eq!(String::from_utf8_lossy(&answer.stdout), output, "{script}: {errors:.300}");
        }
    });
}

#[test]
fn what_is_not_text_is_kept_or_refused() {
    let (_directory, mut session) = fresh();
    for (script, output) in [
        ("x=$'a\\xff\\xfeb'; echo ${#x}; printf %s \"$x\" | wc -c; [[ $x == a??b ]] && echo m", "4\n4\nm\n"),
        ("printf 'a\\0b' > f; x=$(cat f); echo ${#x}; wc -c < f", "2\n3\n"),
        (
            "printf '\\xff\\n' | while read -r l; do printf %s \"$l\" | od_() { wc -c; }; printf %s \"$l\" | wc -c; done",
            "1\n",
        ),
        ("printf 'x\\0y\\n' | tr -d '\\0'; printf '\\xe4\\n' | sed 's/^/a/' | wc -c", "xy\n3\n"),
    ] {
        let answer = run(&mut session, script);
        assert_eq!(String::from_utf8_lossy(&answer.stdout), output, "{script}: {answer:?}");
    }
    // The text of the script itself is UTF-8, but may hold anything that is.
    for script in [
        "echo a\0b",
        "\0",
        "echo \u{feff}",
        "\r\n",
        "echo x\r",
        "&",
        ";;",
        "|",
        "<",
        "a=(",
        "echo ${",
        "'",
        "\"",
        "`",
        "cat <<",
        "<<",
        "if",
        "}",
        ")",
        "case",
        "for",
        "((",
        "[[",
        "$(",
        "function",
    ] {
        let answer = run(&mut session, script);
        assert!((0..=255).contains(&answer.exit_status), "{script:?}");
    }
    assert_eq!(run(&mut session, "cat <<E\nno end").stdout, b"no end\n");
    let open = format!("cat {}", "<<E ".repeat(10_000));
    assert_eq!(run(&mut session, &open).exit_status, 0);
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
    for script in [
        "while :; do :; done",
        "until false; do true | true; done",
        "for ((;;)); do x=$(echo); done",
        "f() { while f2; do :; done; }; f2() { :; }; f",
        "yes > /dev/null",
        "cat /dev/zero | cat > /dev/null",
        "seq 1 99999999999999 | tail -1",
        "sleep 100",
        "while :; do sleep 1; done & wait",
        "while read x; do :; done < <(while :; do echo; done | head -c 1000000); while :; do :; done",
        "awk 'BEGIN { while (1) i++ }'",
        "yes | sed 's/y/x/' | grep -v y | sort -u -m - /dev/null | awk 1 > /dev/null",
    ] {
        let answer = run(&mut session, &format!("cd /; timeout 0.1 bash -c {}; echo $?", quoted(script)));
        assert_eq!(String::from_utf8_lossy(&answer.stdout), "124\n", "{script}: {answer:?}");
    }
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
