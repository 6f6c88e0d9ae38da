//! The span around a request to `/mcp`, from when it is known who sends it to the last of the answer.
//!
//! What always holds: requests without a principal make no span, so nobody without one can fill the queue; what a handler finds in
//! `traceparent` is this span, so that calls belong to it.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use caplet_telemetry::{RequestSpan, Traces};
use http_body_util::BodyExt as _;

use crate::connection::Arrival;
use crate::server::ENDPOINT;

/// Begins the span of `request`, and puts it into its headers.
pub(crate) fn begin(traces: &Traces, request: &mut Request) -> RequestSpan {
    let scheme = request.extensions().get::<Arrival>().map_or("http", |arrival| arrival.scheme());
    let span = traces.request(&caplet_telemetry::Request {
        method: request.method(),
        route: ENDPOINT,
        scheme,
        version: request.version(),
        headers: request.headers(),
    });
    span.put_into(request.headers_mut());
    span
}

/// `response`, with which `span` ends: when the last of it is sent, or nobody is there to take it.
pub(crate) fn until_sent(mut span: RequestSpan, response: Response) -> Response {
    span.answered(response.status());
    let held = move |frame| {
        let _ = &span;
        frame
    };
    response.map(|body| Body::new(body.map_frame(held)))
}
