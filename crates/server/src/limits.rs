//! How much of everything a client may have. No default is "none".

use std::num::NonZeroU32;
use std::time::Duration;

/// How much of everything a client may have.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at one time. Beyond it, one without a request in flight makes room for a new one; while there is none, new ones wait.
    pub connections: usize,
    /// Bytes of a request's line and headers together; `431` beyond it.
    pub header_bytes: u32,
    /// Headers of a request; `431` beyond it.
    pub headers: usize,
    /// Time to send the headers of the first request, from when the connection was made.
    pub first_request_time: Duration,
    /// Time to send a request's headers, also for the next request on a connection that is kept open, and to shake hands for TLS.
    pub header_time: Duration,
    /// Bytes of a request's body; `413` beyond it. 4 MiB, as for the arguments of a call.
    pub body_bytes: usize,
    /// Time to send a request's body.
    pub body_time: Duration,
    /// Time in which a client must take some of what is sent to it, before it counts as gone.
    pub write_time: Duration,
    /// Sessions in all. For one more, the one that was idle for longest is ended; `503` if none is.
    pub sessions: usize,
    /// Sessions of one principal. For one more, its own that was idle for longest is ended; `503` if none is.
    pub sessions_per_principal: usize,
    /// Time after which a session that nobody uses is ended.
    pub session_idle: Duration,
    /// Answers that one session may be waiting for at one time; `503` beyond it. Two hundred parallel calls must fit.
    pub streams_per_session: usize,
    /// Requests to `/mcp` that are being answered at one time, streams that are open among them, of all clients; `503` beyond it. More
    /// than there are connections: over HTTP/2, one connection has many.
    pub in_flight: usize,
    /// The same of one principal; `429` beyond it. Two hundred parallel calls must fit, with the streams of some sessions; and it is a
    /// small enough part of the connections that one principal, who can have one for each, leaves room for others.
    pub in_flight_per_principal: usize,
    /// Requests in a second, of one principal and from one address; `429` beyond it. As many may come at once.
    pub requests_per_second: NonZeroU32,
    /// Time in which a client whose connection broke may ask for the rest of an answer. After it, the call is cancelled.
    pub resume: Duration,
    /// Time that calls in flight get when the server ends.
    pub drain: Duration,
}

impl Limits {
    /// A tenth of what a machine can do at most: on 127.0.0.1 it is there to end a runaway, not to share between people.
    const LOCAL_RATE: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

    /// Several hundred calls at once, which is what agents that work in parallel come to, and no more than that for long.
    const SHARED_RATE: NonZeroU32 = NonZeroU32::new(500).unwrap();

    /// For a server that only its own machine reaches and that asks nobody who they are.
    #[must_use]
    pub fn local() -> Self {
        Self {
            requests_per_second: Self::LOCAL_RATE,
            sessions_per_principal: 1_024,
            in_flight_per_principal: 4_096,
            ..Self::shared()
        }
    }

    /// For a server with authentication.
    #[must_use]
    pub fn shared() -> Self {
        Self {
            connections: 1_024,
            header_bytes: 32 * 1024,
            headers: 64,
            first_request_time: Duration::from_secs(10),
            header_time: Duration::from_secs(30),
            body_bytes: 4 * 1024 * 1024,
            body_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            sessions: 1_024,
            sessions_per_principal: 128,
            session_idle: Duration::from_secs(30 * 60),
            streams_per_session: 256,
            in_flight: 4_096,
            in_flight_per_principal: 256,
            requests_per_second: Self::SHARED_RATE,
            resume: Duration::from_millis(750),
            drain: Duration::from_secs(10),
        }
    }
}
