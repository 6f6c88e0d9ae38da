//! One request over `wasi:http`, in steps that never wait, so that several run together.

use caplet_tool_common::http::Request;
use url::Position;

use super::wasi::http::outgoing_handler::handle;
use super::wasi::http::types::{FutureIncomingResponse, IncomingBody, IncomingResponse, OutgoingBody, http_error_code};
use super::wasi::io::poll::Pollable;
use super::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::host::{HttpFailure, HttpRequest, HttpResponse};

caplet_tool_common::wasi_http!(super::wasi::http::types);

/// Bytes that are read at a time.
const PIECE: u64 = 64 * 1024;

/// A request under way. The fields are dropped in this order: each before what it came from.
pub(super) struct Transfer {
    receiving: Option<Receiving>,
    sending: Option<Sending>,
    future: FutureIncomingResponse,
}

struct Sending {
    stream: OutputStream,
    body: OutgoingBody,
    bytes: Vec<u8>,
    sent: usize,
}

struct Receiving {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
    response: HttpResponse,
}

impl Transfer {
    pub(super) fn begin(request: &HttpRequest) -> Result<Self, HttpFailure> {
        let url = &request.url;
        let message = message(&Request {
            method: &request.method,
            is_https: url.scheme() == "https",
            authority: url.authority(),
            target: &url[Position::BeforePath..Position::AfterQuery],
            headers: &request.headers,
            body: None,
        })?;
        let body = request.body.as_ref().map(|bytes| message.body().map(|body| (body, bytes)));
        let body = body.transpose().map_err(|()| HttpFailure::Other("the body cannot be sent".to_owned()))?;
        let future = handle(message, None).map_err(failure)?;
        let sending = body.and_then(|(body, bytes)| {
            let stream = body.write().ok()?;
            Some(Sending { stream, body, bytes: bytes.clone(), sent: 0 })
        });
        Ok(Self { receiving: None, sending, future })
    }

    /// Goes on as far as it can without waiting.
    pub(super) fn step(&mut self) -> Option<Result<HttpResponse, HttpFailure>> {
        self.sending = self.sending.take().and_then(Sending::step);
        if self.receiving.is_none() {
            match self.future.get()? {
                Ok(Ok(response)) => match Receiving::begin(response) {
                    Ok(receiving) => self.receiving = Some(receiving),
                    Err(failure) => return Some(Err(failure)),
                },
                Ok(Err(code)) => return Some(Err(failure(code))),
                Err(()) => return Some(Err(HttpFailure::Other("the host gave no response".to_owned()))),
            }
        }
        self.receiving.as_mut()?.step()
    }

    /// Ready when a step can go on. A server that answers before it has read all is heard first.
    pub(super) fn subscribe(&self) -> Pollable {
        match (&self.receiving, &self.sending) {
            (Some(receiving), _) => receiving.stream.subscribe(),
            (None, Some(sending)) => sending.stream.subscribe(),
            (None, None) => self.future.subscribe(),
        }
    }
}

impl Sending {
    /// What is left to send; `None` if nothing is, or no more is taken: the response then says why.
    fn step(mut self) -> Option<Self> {
        loop {
            let rest = self.bytes.get(self.sent..)?;
            if rest.is_empty() {
                let flushed = self.stream.flush();
                drop(self.stream);
                if flushed.is_ok() {
                    drop(OutgoingBody::finish(self.body, None));
                }
                return None;
            }
            let room = usize::try_from(self.stream.check_write().ok()?).unwrap_or(usize::MAX);
            if room == 0 {
                return Some(self);
            }
            let piece = rest.get(..room.min(rest.len()))?;
            self.stream.write(piece).ok()?;
            self.sent += piece.len();
        }
    }
}

impl Receiving {
    fn begin(incoming: IncomingResponse) -> Result<Self, HttpFailure> {
        let fields = incoming.headers().entries();
        let text = |(name, value): (String, Vec<u8>)| {
            (name.to_ascii_lowercase(), value.iter().copied().map(char::from).collect::<String>())
        };
        let response = HttpResponse {
            status: incoming.status(),
            headers: fields.into_iter().map(text).collect(),
            body: Vec::new(),
        };
        let broken = |()| HttpFailure::Other("the response has no body".to_owned());
        let body = incoming.consume().map_err(broken)?;
        let stream = body.stream().map_err(broken)?;
        Ok(Self { stream, _body: body, _response: incoming, response })
    }

    fn step(&mut self) -> Option<Result<HttpResponse, HttpFailure>> {
        loop {
            match self.stream.read(PIECE) {
                Ok(piece) if piece.is_empty() => return None,
                Ok(piece) => self.response.body.extend(piece),
                Err(StreamError::Closed) => return Some(Ok(std::mem::take(&mut self.response))),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Some(Err(http_error_code(&error).map_or(HttpFailure::Broken, failure)));
                }
            }
        }
    }
}
