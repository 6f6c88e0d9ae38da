//! Frames without end, each of them cheap for the server.

use super::super::frame::{self, block, frame};
use super::Ends::{Bounded, Broken, TooLarge};
use super::{Attack, Script, asked, headers, ok};

pub(in super::super) const ATTACKS: &[Attack] = &[
    asked("empty-data-flood", Bounded, "DATA without a byte: no window stops it (RUSTSEC-2026-0258)", |stream| {
        Script::new().send(ok(stream)).forever(frame(frame::DATA, 0, stream, &[]))
    }),
    asked("continuation-flood", TooLarge, "a header block without end", |stream| {
        Script::new().send(frame(frame::HEADERS, 0, stream, &block(&[(b":status", b"200")]))).forever(frame(
            frame::CONTINUATION,
            0,
            stream,
            &block(&[(b"x-flood", b"1")]),
        ))
    }),
    asked("empty-continuation-flood", Bounded, "a header block without end that never grows", |stream| {
        Script::new().send(frame(frame::HEADERS, 0, stream, &block(&[(b":status", b"200")]))).forever(frame(
            frame::CONTINUATION,
            0,
            stream,
            &[],
        ))
    }),
    asked(
        "header-bomb",
        TooLarge,
        "60 MiB of headers from 20 KiB, by pointing at one entry again and again",
        |stream| {
            let mut bomb = block(&[(b":status", b"200")]);
            // A value of 4,000 bytes that is put into the table, then pointed at.
            bomb.extend([0x40, 3, b'x', b'-', b'b', 0x7f, 0xa1, 0x1e]);
            bomb.extend([b'a'; 4_000]);
            let more = frame(frame::CONTINUATION, 0, stream, &[0xbe; 1_000]);
            Script::new().send(frame(frame::HEADERS, 0, stream, &bomb)).repeat(more, 15).send(frame(
                frame::CONTINUATION,
                frame::END_HEADERS,
                stream,
                &[],
            ))
        },
    ),
    asked("settings-flood", Bounded, "SETTINGS, each of which must be acknowledged", |_| {
        Script::new().forever(frame::settings(&[(frame::INITIAL_WINDOW, 65_535)]))
    }),
    asked("empty-settings-flood", Bounded, "SETTINGS without any, each of which must be acknowledged", |_| {
        Script::new().forever(frame::settings(&[]))
    }),
    asked("ping-flood", Bounded, "PING, each of which must be answered, to a server that does not read", |_| {
        Script::new().forever(frame(frame::PING, 0, 0, b"caplet!!"))
    }),
    asked("reset-flood", Broken, "RST_STREAM of the request's stream again and again", |stream| {
        Script::new().forever(frame(frame::RESET, 0, stream, &8_u32.to_be_bytes()))
    }),
    asked("window-flood", Bounded, "WINDOW_UPDATE by one", |_| {
        Script::new().forever(frame(frame::WINDOW, 0, 0, &1_u32.to_be_bytes()))
    }),
    asked("priority-flood", Bounded, "PRIORITY of streams that are not", |stream| {
        Script::new().forever(frame(frame::PRIORITY, 0, stream + 2, &[0, 0, 0, 0, 16]))
    }),
    asked("unknown-frame-flood", Bounded, "frames of a kind that does not exist, which are to be ignored", |_| {
        Script::new().forever(frame(0xfa, 0, 0, b"caplet"))
    }),
    asked("informational-flood", Bounded, "103 responses without end", |stream| {
        Script::new().forever(headers(stream, 0, &[(b":status", b"103"), (b"link", b"</a>; rel=preload")]))
    }),
    asked("goaway-flood", Bounded, "GOAWAY again and again, and no response", |stream| {
        let last = [stream.to_be_bytes(), 0_u32.to_be_bytes()].concat();
        Script::new().forever(frame(frame::GOAWAY, 0, 0, &last))
    }),
];
