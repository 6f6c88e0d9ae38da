//! Status lines and headers: malformed, without end, or not what was asked for.

use super::super::Script;
use super::Ends::{Bounded, Malformed, TooLarge, Usable};
use super::{Case, answers, with};

/// How many headers a flood has.
const FLOOD: u64 = 100_000;

pub(super) const CASES: &[Case] = &[
    answers("header-flood", TooLarge, "100,000 headers", || {
        Script::new().send("HTTP/1.1 200 OK\r\n").repeat("x-flood: 1\r\n", FLOOD).send("content-length: 2\r\n\r\nok")
    }),
    answers("header-endless", TooLarge, "headers without end", || {
        Script::new().send("HTTP/1.1 200 OK\r\n").forever("x-flood: 1\r\n")
    }),
    answers("header-line-1-mib", TooLarge, "one header of 1 MiB", || {
        let line = format!("x-long: {}\r\ncontent-length: 2\r\n", "a".repeat(1 << 20));
        with(&line, "ok")
    }),
    answers("header-line-endless", TooLarge, "one header without end", || {
        Script::new().send("HTTP/1.1 200 OK\r\nx-long: ").forever("a")
    }),
    answers("status-line-endless", TooLarge, "a reason without end", || {
        Script::new().send("HTTP/1.1 200 ").forever("a")
    }),
    answers("status-garbage", Malformed, "no status line", || {
        Script::new().send("\x01\x02\x03\x7f garbage\r\n\r\n").close()
    }),
    answers("status-other-protocol", Malformed, "the greeting of another protocol", || {
        Script::new().send("SSH-2.0-OpenSSH_9.9\r\n").close()
    }),
    answers("status-0-9", Malformed, "HTTP/0.9: a body without a head", || {
        Script::new().send("<html>smuggled-by-the-lab</html>\n").close()
    }),
    answers("status-version", Malformed, "a version that does not exist", || {
        Script::new().send("HTTP/9.9 200 OK\r\ncontent-length: 2\r\n\r\nok").close()
    }),
    answers("status-two-digits", Malformed, "a status of two digits", || {
        Script::new().send("HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nok").close()
    }),
    answers("status-four-digits", Malformed, "a status of four digits", || {
        Script::new().send("HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok").close()
    }),
    answers("status-negative", Malformed, "a negative status", || {
        Script::new().send("HTTP/1.1 -200 OK\r\ncontent-length: 2\r\n\r\nok").close()
    }),
    answers("status-empty", Malformed, "an end before the first byte", || Script::new().close()),
    answers("informational-flood", Bounded, "100 Continue without end", || {
        Script::new().forever("HTTP/1.1 100 Continue\r\n\r\n")
    }),
    answers("early-hints-flood", Bounded, "103 with headers without end", || {
        Script::new().forever("HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n")
    }),
    answers(
        "upgrade-unasked",
        Usable,
        "101 to a client that asked for no other protocol: what follows is no response",
        || {
            Script::new()
                .send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: lab\r\n\r\n")
                .send("smuggled-by-the-lab")
                .close()
        },
    ),
    answers("header-folded", Usable, "a folded header: refused, or its lines are one value", || {
        with("x-fold: one\r\n two\r\ncontent-length: 2\r\n", "ok")
    }),
    answers("header-nul", Malformed, "NUL in a value", || with("x-nul: a\0b\r\ncontent-length: 2\r\n", "ok")),
    answers("header-name-nul", Malformed, "NUL in a name", || with("x\0nul: a\r\ncontent-length: 2\r\n", "ok")),
    answers("header-bare-cr", Malformed, "CR in a value, behind which a header hides", || {
        with("x-cr: a\rx-evil: smuggled-by-the-lab\r\ncontent-length: 2\r\n", "ok")
    }),
    answers("header-bare-lf", Usable, "lines that end with LF alone", || {
        Script::new().send("HTTP/1.1 200 OK\ncontent-length: 2\n\nok")
    }),
    answers("header-no-colon", Malformed, "a header line without a colon", || {
        with("x-none\r\ncontent-length: 2\r\n", "ok")
    }),
    answers("header-no-name", Malformed, "a header without a name", || with(": a\r\ncontent-length: 2\r\n", "ok")),
    answers("header-blank-name", Malformed, "a blank before the colon, by which a length is one or is not", || {
        with("content-length : 2\r\n", "ok").close()
    }),
    answers("header-latin-1", Usable, "bytes above ASCII in a value", || {
        Script::new().send(b"HTTP/1.1 200 OK\r\nx-latin: \xe9\xff\r\ncontent-length: 2\r\n\r\nok".to_vec())
    }),
];
