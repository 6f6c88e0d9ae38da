//! Servers that take their time, or all of the client's.

use std::time::Duration;

use super::super::frame::{self, block, frame};
use super::Ends::Stalled;
use super::{Attack, Script, When, asked, connected, ok};

const SECOND: Duration = Duration::from_secs(1);

pub(in super::super) const ATTACKS: &[Attack] = &[
    connected("silent", Stalled, "accepts, and reads and says nothing", |_| Script::new().hold()),
    connected("no-streams", Stalled, "no request is allowed to begin", |_| {
        Script::new().send(frame::settings(&[(frame::MAX_CONCURRENT, 0)]))
    }),
    asked("silent-after-request", Stalled, "reads the request, and says nothing", |_| Script::new().hold()),
    Attack {
        when: When::Asked(&[(frame::INITIAL_WINDOW, 0)]),
        ..asked("no-window", Stalled, "no upload is allowed to begin", |_| Script::new())
    },
    asked("half-a-frame", Stalled, "a frame that does not end", |stream| {
        let whole = ok(stream);
        Script::new().send(whole.get(..whole.len() / 2).unwrap_or_default()).hold()
    }),
    asked("headers-drip", Stalled, "one CONTINUATION a second without end", |stream| {
        Script::new()
            .send(frame(frame::HEADERS, 0, stream, &block(&[(b":status", b"200")])))
            .drip(frame(frame::CONTINUATION, 0, stream, &[]), SECOND)
    }),
    asked("body-drips", Stalled, "a body of one byte a second without end", |stream| {
        Script::new().send(ok(stream)).drip(frame(frame::DATA, 0, stream, b"a"), SECOND)
    }),
    asked("empty-body-drips", Stalled, "DATA without a byte every second: frames come, and no bytes", |stream| {
        Script::new().send(ok(stream)).drip(frame(frame::DATA, 0, stream, &[]), SECOND)
    }),
    asked(
        "pings-drip",
        Stalled,
        "PING every second, and no response: the connection lives, the request does not",
        |_| Script::new().drip(frame(frame::PING, 0, 0, b"caplet!!"), SECOND),
    ),
    asked("half-open", Stalled, "half a body, then nothing", |stream| {
        Script::new().send(ok(stream)).send(frame(frame::DATA, 0, stream, b"0123456789")).hold()
    }),
];
