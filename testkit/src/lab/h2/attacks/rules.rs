//! One broken rule each. What follows the breach would be a good response, so a client that does not look finds [`EVIL`].

use std::time::Duration;

use super::super::frame::{self, block, frame};
use super::Ends::{Broken, Ignorable, Malformed, Usable};
use super::{Attack, EVIL, Script, asked, connected, headers, ok, rest};

pub(in super::super) const ATTACKS: &[Attack] = &[
    connected("http-1-instead", Malformed, "the handshake agreed on h2, and the server speaks HTTP/1.1", |_| {
        Script::new().send("HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\nsmuggled-by-the-lab")
    }),
    connected("garbage", Malformed, "bytes that are no frames", |_| Script::new().send([0xff; 256])),
    connected("no-settings", Ignorable, "no SETTINGS, though they are to come first", |_| {
        // The first request of a connection has stream 1.
        Script::new().send(frame(frame::PING, 0, 0, b"caplet!!")).pause(MOMENT).send(rest(1))
    }),
    asked("goaway-in-body", Broken, "GOAWAY in the middle of a body, and the end", |stream| {
        let last = [stream.to_be_bytes(), 2_u32.to_be_bytes()].concat();
        Script::new()
            .send(headers(stream, 0, &[(b":status", b"200"), (b"content-length", b"100")]))
            .send(frame(frame::DATA, 0, stream, b"0123456789"))
            .send(frame(frame::GOAWAY, 0, 0, &last))
            .close()
    }),
    asked("goaway-unprocessed", Broken, "GOAWAY before the request's stream: retries, if any, have a bound", |_| {
        Script::new().send(frame(frame::GOAWAY, 0, 0, &[0; 8])).close()
    }),
    asked("reset-in-body", Broken, "RST_STREAM in the middle of a body", |stream| {
        Script::new().send(ok(stream)).send(frame(frame::DATA, 0, stream, b"0123456789")).send(frame(
            frame::RESET,
            0,
            stream,
            &2_u32.to_be_bytes(),
        ))
    }),
    asked("refused", Broken, "RST_STREAM with REFUSED_STREAM: retries, if any, have a bound", |stream| {
        Script::new().send(frame(frame::RESET, 0, stream, &7_u32.to_be_bytes()))
    }),
    asked("length-short", Malformed, "a body that ends before its length", |stream| {
        Script::new().send(headers(stream, 0, &[(b":status", b"200"), (b"content-length", b"100")])).send(frame(
            frame::DATA,
            frame::END_STREAM,
            stream,
            EVIL.as_bytes(),
        ))
    }),
    asked("length-long", Malformed, "a body that goes on after its length", |stream| {
        Script::new().send(headers(stream, 0, &[(b":status", b"200"), (b"content-length", b"2")])).send(frame(
            frame::DATA,
            frame::END_STREAM,
            stream,
            EVIL.as_bytes(),
        ))
    }),
    asked("header-upper-case", Malformed, "an upper-case name", |stream| {
        breach(stream, &[(b":status", b"200"), (b"X-A", b"b")])
    }),
    asked("header-connection", Usable, "a header that belongs to HTTP/1.1", |stream| {
        Script::new().send(headers(
            stream,
            frame::END_STREAM,
            &[(b":status", b"200"), (b"connection", b"x"), (b"transfer-encoding", b"chunked")],
        ))
    }),
    asked("header-split", Malformed, "CR and LF in a value: as HTTP/1.1 it would be another header", |stream| {
        breach(stream, &[(b":status", b"200"), (b"x-a", b"b\r\nx-evil: smuggled-by-the-lab")])
    }),
    asked("header-nul", Malformed, "NUL in a value", |stream| {
        breach(stream, &[(b":status", b"200"), (b"x-a", b"b\0c")])
    }),
    asked("status-missing", Malformed, "no :status", |stream| breach(stream, &[(b"x-a", b"b")])),
    asked("status-twice", Malformed, ":status twice", |stream| {
        breach(stream, &[(b":status", b"200"), (b":status", b"404")])
    }),
    asked("status-late", Malformed, ":status behind a header", |stream| {
        breach(stream, &[(b"x-a", b"b"), (b":status", b"200")])
    }),
    asked("status-garbage", Malformed, ":status is no number", |stream| breach(stream, &[(b":status", b"2e2")])),
    asked("request-header", Ignorable, "a pseudo-header of requests", |stream| {
        breach(stream, &[(b":status", b"200"), (b":path", b"/")])
    }),
    asked("index-invalid", Malformed, "a header that points nowhere", |stream| {
        Script::new().send(frame(frame::HEADERS, frame::END_HEADERS, stream, &[0x88, 0xff, 0x7f])).send(rest(stream))
    }),
    asked("table-too-large", Malformed, "a table larger than the client lets it be", |stream| {
        Script::new().send(frame(frame::HEADERS, frame::END_HEADERS, stream, &[0x3f, 0xff, 0xff, 0x7f, 0x88]))
    }),
    asked("data-before-headers", Malformed, "a body before the headers", |stream| {
        Script::new().send(frame(frame::DATA, 0, stream, b"early")).send(rest(stream))
    }),
    asked("data-of-nothing", Malformed, "DATA of a stream that nobody opened", |stream| {
        Script::new().send(frame(frame::DATA, 0, stream + 100, b"early")).send(rest(stream))
    }),
    asked("data-of-connection", Malformed, "DATA of stream 0", |stream| {
        Script::new().send(frame(frame::DATA, 0, 0, b"early")).send(rest(stream))
    }),
    asked("data-beyond-window", Malformed, "64 MiB at once, whatever the client's windows are", |stream| {
        Script::new().send(ok(stream)).repeat(frame(frame::DATA, 0, stream, &[b'a'; 16_384]), 4_096)
    }),
    asked("frame-too-large", Malformed, "a frame of 1 MiB, which the client did not allow", |stream| {
        Script::new().send(ok(stream)).send(frame(frame::DATA, frame::END_STREAM, stream, &vec![b'a'; 1 << 20]))
    }),
    asked("padding-too-long", Malformed, "more padding than frame", |stream| {
        Script::new().send(ok(stream)).send(frame(frame::DATA, frame::PADDED | frame::END_STREAM, stream, &[200, 1, 2]))
    }),
    asked("push", Ignorable, "a push: an error if the client said that it takes none, which it should", |stream| {
        let promised = [2_u32.to_be_bytes().to_vec(), block(&[(b":method", b"GET"), (b":path", b"/")])].concat();
        Script::new().send(frame(frame::PUSH, frame::END_HEADERS, stream, &promised)).send(rest(stream))
    }),
    asked("continuation-of-other", Malformed, "a header block that goes on in another stream", |stream| {
        Script::new().send(frame(frame::HEADERS, 0, stream, &block(&[(b":status", b"200")]))).send(frame(
            frame::CONTINUATION,
            frame::END_HEADERS,
            stream + 2,
            &[],
        ))
    }),
    asked("continuation-of-nothing", Malformed, "CONTINUATION without a beginning", |stream| {
        Script::new().send(frame(frame::CONTINUATION, frame::END_HEADERS, stream, &[])).send(rest(stream))
    }),
    asked("settings-length", Malformed, "SETTINGS of seven bytes", |stream| {
        Script::new().send(frame(frame::SETTINGS, 0, 0, &[0; 7])).send(rest(stream))
    }),
    asked("ping-length", Malformed, "PING of seven bytes", |stream| {
        Script::new().send(frame(frame::PING, 0, 0, &[0; 7])).send(rest(stream))
    }),
    asked("window-zero", Malformed, "WINDOW_UPDATE by nothing", |stream| {
        Script::new().send(frame(frame::WINDOW, 0, 0, &[0; 4])).send(rest(stream))
    }),
    asked("window-overflow", Malformed, "WINDOW_UPDATE beyond 2^31", |stream| {
        Script::new().send(frame(frame::WINDOW, 0, 0, &0x7fff_ffff_u32.to_be_bytes())).send(rest(stream))
    }),
];

/// Long enough for a client to send its request.
const MOMENT: Duration = Duration::from_millis(200);

/// Headers that break a rule, with a body behind them.
fn breach(stream: u32, fields: &[(&[u8], &[u8])]) -> Script {
    Script::new().send(headers(stream, 0, fields)).send(frame(frame::DATA, frame::END_STREAM, stream, EVIL.as_bytes()))
}
