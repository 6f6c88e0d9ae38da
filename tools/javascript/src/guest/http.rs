//! One request over `wasi:http`, in steps that never wait, so that several run together.

use url::Position;

use super::wasi::http::outgoing_handler::handle;
use super::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    Scheme, http_error_code,
};
use super::wasi::io::poll::Pollable;
use super::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::host::{HttpFailure, HttpRequest, HttpResponse};

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
        let message = message(request)?;
        let body = request.body.as_ref().map(|bytes| message.body().map(|body| (body, bytes)));
        let body = body.transpose().map_err(|()| HttpFailure::BadRequest)?;
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
                Err(()) => return Some(Err(HttpFailure::Protocol)),
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
        let body = incoming.consume().map_err(|()| HttpFailure::Protocol)?;
        let stream = body.stream().map_err(|()| HttpFailure::Protocol)?;
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

fn message(request: &HttpRequest) -> Result<OutgoingRequest, HttpFailure> {
    let fields = Fields::new();
    for (name, value) in &request.headers {
        fields.append(name, value.as_bytes()).map_err(|_| HttpFailure::BadRequest)?;
    }
    let message = OutgoingRequest::new(fields);
    let url = &request.url;
    let scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
    let bad = |()| HttpFailure::BadRequest;
    message.set_method(&method(&request.method)).map_err(bad)?;
    message.set_scheme(Some(&scheme)).map_err(bad)?;
    message.set_authority(Some(url.authority())).map_err(bad)?;
    message.set_path_with_query(Some(&url[Position::BeforePath..Position::AfterQuery])).map_err(bad)?;
    Ok(message)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn failure(code: ErrorCode) -> HttpFailure {
    match code {
        ErrorCode::HttpRequestDenied => HttpFailure::Denied,
        ErrorCode::DestinationIpProhibited => HttpFailure::AddressProhibited,
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => HttpFailure::NoAddress,
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable | ErrorCode::ConnectionRefused => {
            HttpFailure::Unreachable
        }
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => HttpFailure::Timeout,
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete | ErrorCode::InternalError(_) => {
            HttpFailure::Broken
        }
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_) => {
            HttpFailure::Tls
        }
        ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => HttpFailure::TooLarge,
        ErrorCode::ConnectionLimitReached => HttpFailure::TooMany,
        ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError
        | ErrorCode::LoopDetected
        | ErrorCode::ConfigurationError => HttpFailure::Protocol,
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => HttpFailure::BadRequest,
    }
}
