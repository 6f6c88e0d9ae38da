//! Commands that are given what is made to harm: no end, no bound, no text.
#![expect(clippy::expect_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use shell::{Answer, Request};
use support::{run, session};

fn answer(script: &str) -> Answer {
    let directory = tempfile::tempdir().expect("a directory");
    run(&mut session(directory.path()), script)
}

#[test]
fn endless_programs_end_at_the_timeout() {
    for script in [
        "echo a | sed ':a;ba'",
        "awk 'BEGIN { while (1) x++ }'",
        "awk 'function f() { f() } BEGIN { f(); while (1) ; }'; awk 'BEGIN { for (;;) ; }'",
        "yes | sort",
        "yes > /dev/null",
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let limit = Some(Duration::from_millis(300));
        let request = Request { command: script.to_owned(), timeout: limit, ..Request::default() };
        let start = Instant::now();
        let answer = session(directory.path()).run(&request);
        assert_ne!(answer.exit_status, 0, "{script}");
        assert!(start.elapsed() < Duration::from_secs(30), "{script} took {:?}", start.elapsed());
    }
}

#[test]
fn bytes_that_are_no_text_pass_through() {
    let made = r"printf 'b\xff\0x\na\xfe\n' > f; ";
    for (command, expected) in [
        ("cat f", "b\\xff\\0x\\na\\xfe\\n"),
        ("sort f", "a\\xfe\\nb\\xff\\0x\\n"),
        ("uniq f", "b\\xff\\0x\\na\\xfe\\n"),
        ("cut -b 2- f", "\\xff\\0x\\n\\xfe\\n"),
        ("tr a z < f", "b\\xff\\0x\\nz\\xfe\\n"),
        ("grep -a x f", "b\\xff\\0x\\n"),
        ("tac f", "a\\xfe\\nb\\xff\\0x\\n"),
        ("sed s/x/y/ f", "b\\xff\\0y\\na\\xfe\\n"),
        ("gzip -c f | zcat", "b\\xff\\0x\\na\\xfe\\n"),
        ("tar cf - f | tar xOf - f", "b\\xff\\0x\\na\\xfe\\n"),
    ] {
        let script = format!("{made}printf '{expected}' > want; {command} > got; cmp got want");
        let found = answer(&script);
        assert_eq!((found.exit_status, found.stdout.as_slice()), (0, &b""[..]), "{command}: {found:?}");
    }
}

#[test]
fn a_bomb_is_unpacked_in_pieces_and_an_archive_stays_below_its_directory() {
    let found =
        answer("head -c 100000000 /dev/zero | gzip -9 > b.gz; zcat b.gz | head -c 10 | wc -c; zcat b.gz | wc -c");
    assert_eq!(found.stdout, b"10\n100000000\n", "{found:?}");
    let script = "mkdir in out; echo x > in/f; ln -s ../../escape in/l; tar cf a.tar -C in f l
        sed 's/^f\\x00\\x00\\x00\\x00/..\\/ff/' a.tar > b.tar; tar xf b.tar -C out; echo $?; ls -A . | xargs; cat ../ff 2>/dev/null";
    let found = answer(script);
    assert_eq!(found.stdout, b"2\na.tar b.tar in out\n", "{found:?}");
}

#[test]
fn expressions_match_in_linear_time() {
    let start = Instant::now();
    for script in [
        "head -c 30000 /dev/zero | tr '\\0' a | grep -E '(a+)+b'; echo $?",
        "head -c 30000 /dev/zero | tr '\\0' a | grep -P '(a|aa)+$' | wc -c",
        "head -c 30000 /dev/zero | tr '\\0' a | sed -E 's/(a*)*b/x/' | wc -c",
        "head -c 30000 /dev/zero | tr '\\0' a | awk '/(a?){40}a{40}b/' | wc -c",
    ] {
        let found = answer(script);
        assert_eq!(found.stderr, b"", "{script}");
    }
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn huge_numbers_are_bounded() {
    for script in [
        "printf '%1000000000s' x | wc -c",
        "awk 'BEGIN { printf \"%1000000000s\", 1 }'",
        "seq 1e18 | head -1",
        "head -c 1G /dev/zero | wc -c",
    ] {
        let found = answer(script);
        assert!(found.stdout.len() < 100_000, "{script}");
    }
}
