//! Where a body ends: lengths and chunks that disagree, overflow or lie.

use super::super::Script;
use super::Ends::{Broken, Ignorable, Malformed, Usable};
use super::{Case, answers, with};

pub(super) const CASES: &[Case] = &[
    answers("two-lengths", Malformed, "two content-lengths that differ", || {
        with("content-length: 2\r\ncontent-length: 21\r\n", "ok smuggled-by-the-lab")
    }),
    answers("length-list", Malformed, "two content-lengths that differ, in one line", || {
        with("content-length: 2, 21\r\n", "ok smuggled-by-the-lab")
    }),
    answers(
        "length-and-chunked",
        Usable,
        "content-length and chunked: either refused, or the length does not count",
        || {
            with(
                "content-length: 9\r\ntransfer-encoding: chunked\r\n",
                "2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\nsmuggled-by-the-lab",
            )
        },
    ),
    answers("length-negative", Malformed, "a negative length", || with("content-length: -1\r\n", "ok")),
    answers("length-plus", Malformed, "a length with a sign", || with("content-length: +2\r\n", "ok")),
    answers("length-hex", Malformed, "a length in hexadecimal", || with("content-length: 0x2\r\n", "ok")),
    answers("length-blank", Malformed, "a length of two numbers", || with("content-length: 2 2\r\n", "ok")),
    answers("length-empty", Malformed, "a length that is empty", || with("content-length:\r\n", "ok")),
    answers("length-2-64", Malformed, "a length of 2^64, which is 0 where it overflows", || {
        with("content-length: 18446744073709551616\r\n", "ok").close()
    }),
    answers("length-2-63", Broken, "a length of 2^63-1 and two bytes: no memory may be taken on its word", || {
        with("content-length: 9223372036854775807\r\n", "ok").close()
    }),
    answers("length-short", Broken, "an end 90 bytes before the length", || {
        with("content-length: 100\r\n", "0123456789").close()
    }),
    answers("length-cut", Broken, "the same, without a word of TLS", || {
        with("content-length: 100\r\n", "0123456789").cut()
    }),
    answers("reset-in-body", Broken, "a reset in the middle of the body", || {
        with("content-length: 100\r\n", "0123456789").pause(super::slow::MOMENT).reset()
    }),
    answers("chunked-cut", Broken, "chunks without the last one", || {
        with("transfer-encoding: chunked\r\n", "5\r\nhello\r\n").close()
    }),
    answers("chunk-cut", Broken, "an end inside a chunk", || {
        with("transfer-encoding: chunked\r\n", "ff\r\nhello").close()
    }),
    answers("chunk-size-2-64", Malformed, "a chunk of 2^64 + 2 bytes, which is 2 where it overflows", || {
        with("transfer-encoding: chunked\r\n", "10000000000000002\r\nok\r\n0\r\n\r\n").close()
    }),
    answers("chunk-size-negative", Malformed, "a chunk of negative size", || {
        with("transfer-encoding: chunked\r\n", "-2\r\nok\r\n0\r\n\r\n").close()
    }),
    answers("chunk-size-prefix", Malformed, "a chunk size with 0x", || {
        with("transfer-encoding: chunked\r\n", "0x2\r\nok\r\n0\r\n\r\n").close()
    }),
    answers("chunk-size-empty", Malformed, "a chunk without a size", || {
        with("transfer-encoding: chunked\r\n", "\r\nok\r\n0\r\n\r\n").close()
    }),
    answers("chunk-overrun", Malformed, "more bytes in a chunk than its size", || {
        with("transfer-encoding: chunked\r\n", "2\r\nok smuggled-by-the-lab\r\n0\r\n\r\n").close()
    }),
    answers(
        "chunk-extension-flood",
        Malformed,
        "64 MiB of chunk extension: it is counted, though it is no body",
        || with("transfer-encoding: chunked\r\n", "2;x=").repeat(vec![b'a'; 65_536], 1_024).send("\r\nok\r\n0\r\n\r\n"),
    ),
    answers("chunked-twice", Ignorable, "chunked, chunked, and chunked only once", || {
        with("transfer-encoding: chunked, chunked\r\n", "2\r\nok\r\n0\r\n\r\n").close()
    }),
    answers(
        "chunked-not-last",
        Usable,
        "a coding after chunked, so that only the end of the connection ends the body",
        || with("transfer-encoding: chunked, identity\r\n", "2\r\nok\r\n0\r\n\r\n").close(),
    ),
    answers("chunked-unknown", Usable, "a coding that does not exist: no chunks, and no length", || {
        with("transfer-encoding: xchunked\r\ncontent-length: 2\r\n", "ok").close()
    }),
    answers("response-split", Usable, "a second response behind the first: no later request may get it", || {
        with("content-length: 2\r\n", "okHTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\nsmuggled-by-the-lab")
    }),
    answers("body-after-204", Usable, "a body where there is none: no later request may get it", || {
        Script::new().send("HTTP/1.1 204 No Content\r\ncontent-length: 19\r\n\r\nsmuggled-by-the-lab")
    }),
    answers("body-after-304", Usable, "a body where there is none: no later request may get it", || {
        Script::new().send("HTTP/1.1 304 Not Modified\r\ncontent-length: 19\r\n\r\nsmuggled-by-the-lab")
    }),
    answers("body-after-head", Usable, "for a HEAD request: a body where there is none", || {
        with("content-length: 19\r\n", "smuggled-by-the-lab")
    }),
];
