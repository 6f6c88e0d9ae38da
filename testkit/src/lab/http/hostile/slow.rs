//! Servers that take their time, or all of the client's.

use std::time::Duration;

use super::super::{Reading, Script};
use super::Ends::Stalled;
use super::{Case, answers, with};

/// What drips does so this often.
const SECOND: Duration = Duration::from_secs(1);

/// Long enough for what was sent to be read before what follows.
pub(super) const MOMENT: Duration = Duration::from_millis(100);

pub(super) const CASES: &[Case] = &[
    Case {
        reading: Reading::Nothing,
        ..answers("silent", Stalled, "accepts, and reads and says nothing", || Script::new().hold())
    },
    answers("silent-after-request", Stalled, "reads the request, and says nothing", || Script::new().hold()),
    Case {
        reading: Reading::Head,
        ..answers("upload-unread", Stalled, "never reads the upload", || Script::new().hold())
    },
    Case {
        reading: Reading::Head,
        ..answers("upload-unread-continued", Stalled, "asks for the upload, and never reads it", || {
            Script::new().send("HTTP/1.1 100 Continue\r\n\r\n").hold()
        })
    },
    answers("head-drips", Stalled, "headers of one byte a second without end: bytes come, and no response", || {
        Script::new().send("HTTP/1.1 200 OK\r\nx-slow: ").drip("a", SECOND)
    }),
    answers("body-drips", Stalled, "a body of one byte a second, as announced", || {
        with("content-length: 1000000\r\n", "").drip("a", SECOND)
    }),
    answers("chunks-drip", Stalled, "chunks of one byte a second without end", || {
        with("transfer-encoding: chunked\r\n", "").drip("1\r\na\r\n", SECOND)
    }),
    answers("informational-drips", Stalled, "100 Continue every second, and no response", || {
        Script::new().drip("HTTP/1.1 100 Continue\r\n\r\n", SECOND)
    }),
    answers("half-a-head", Stalled, "half a head, then nothing", || {
        Script::new().send("HTTP/1.1 200 OK\r\ncontent-le").hold()
    }),
    answers("half-open", Stalled, "half a body, then nothing: to the client the connection is as open as ever", || {
        with("content-length: 100\r\n", "0123456789").hold()
    }),
    answers("chunked-unended", Stalled, "chunks without the last one, and the connection stays open", || {
        with("transfer-encoding: chunked\r\n", "5\r\nhello\r\n").hold()
    }),
];
