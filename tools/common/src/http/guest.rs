//! One request, one response, and waiting in between.

wit_bindgen::generate!({ path: "wit", world: "http", generate_all });

use wasi::http::outgoing_handler::handle;
use wasi::http::types::{IncomingBody, IncomingResponse, OutgoingBody, http_error_code};
use wasi::io::streams::{InputStream, StreamError};

use super::{Failure, Request};

crate::wasi_http!(wasi::http::types);

/// What the interface takes of a body at a time, in bytes.
const SENT_AT_ONCE: usize = 4096;

/// Bytes of a body that are read at a time.
const READ_AT_ONCE: u64 = 64 * 1024;

/// A response, its body not read yet.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Body,
}

/// A body that is read piece by piece. The fields are dropped in this order, each before what it came from.
#[derive(Debug)]
pub struct Body {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
}

/// Sends a request and waits for the head of its response.
///
/// # Errors
/// The host refused it, or there was no response.
pub fn send(request: &Request<'_>) -> Result<Response, Failure> {
    let other = |reason: &str| Failure::Other(reason.to_owned());
    let message = message(request)?;
    let body = match request.body {
        Some(bytes) => Some((message.body().map_err(|()| other("the body cannot be sent"))?, bytes)),
        None => None,
    };
    let future = handle(message, None).map_err(failure)?;
    if let Some((body, bytes)) = body {
        // Whatever goes wrong here shows in the response, which may also come before all is sent.
        write(body, bytes);
    }
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(response))) => Response::new(response),
        Some(Ok(Err(code))) => Err(failure(code)),
        Some(Err(())) | None => Err(other("the host gave no response")),
    }
}

fn write(body: OutgoingBody, bytes: &[u8]) {
    let Ok(stream) = body.write() else { return };
    if bytes.chunks(SENT_AT_ONCE).all(|piece| stream.blocking_write_and_flush(piece).is_ok()) {
        drop(stream);
        drop(OutgoingBody::finish(body, None));
    }
}

impl Response {
    fn new(response: IncomingResponse) -> Result<Self, Failure> {
        let broken = |()| Failure::Other("the response has no body".to_owned());
        let headers = response.headers().entries();
        let body = response.consume().map_err(broken)?;
        let stream = body.stream().map_err(broken)?;
        let status = response.status();
        Ok(Self { status, headers, body: Body { stream, _body: body, _response: response } })
    }
}

impl Body {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The connection broke, or a limit was reached.
    pub fn read(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match self.stream.blocking_read(READ_AT_ONCE) {
            Ok(piece) => Ok(Some(piece)),
            Err(StreamError::Closed) => Ok(None),
            Err(StreamError::LastOperationFailed(error)) => {
                Err(http_error_code(&error).map_or(Failure::Broken, failure))
            }
        }
    }
}
