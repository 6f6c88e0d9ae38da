//! The component's side: WIT in, [`crate::fetch`], WIT out; and `wasi:http` behind [`Client`].
#![expect(unsafe_code, reason = "generated bindings")]

wit_bindgen::generate!({ path: "wit", world: "web-fetch", generate_all });

use exports::caplet::web_fetch::tool::{Encoding, Format, Guest, Header, Hop, Page};
use url::{Position, Url};
use wasi::http::outgoing_handler::handle;
use wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, HeaderError, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, Scheme, http_error_code,
};
use wasi::io::streams::{InputStream, StreamError};

use crate::client::{Body, Client, Incoming, Outgoing};
use crate::failure::Failure;

struct Tool;

impl Guest for Tool {
    fn fetch(
        url: String,
        method: Option<String>,
        headers: Option<Vec<Header>>,
        body: Option<String>,
        format: Option<Format>,
        main_content: Option<bool>,
        max_chars: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Page, String> {
        let headers = headers.unwrap_or_default().into_iter().map(|header| (header.name, header.value)).collect();
        let request = crate::Request {
            url,
            method,
            headers,
            body,
            format: match format {
                None | Some(Format::Markdown) => crate::Format::Markdown,
                Some(Format::Text) => crate::Format::Text,
                Some(Format::Raw) => crate::Format::Raw,
            },
            main_content: main_content.unwrap_or(false),
            max_chars,
            cursor,
        };
        let page = crate::fetch(&mut Host, &request)?;
        let header = |(name, value)| Header { name, value };
        let hop = |hop: crate::Hop| Hop { url: hop.url, status: hop.status, method: hop.method };
        Ok(Page {
            status: page.status,
            final_url: page.final_url,
            title: page.title,
            media_type: page.media_type,
            content: page.content,
            encoding: match page.encoding {
                crate::Encoding::Text => Encoding::Text,
                crate::Encoding::Base64 => Encoding::Base64,
            },
            next_cursor: page.next_cursor,
            notice: page.notice,
            headers: page.headers.into_iter().map(header).collect(),
            hops: page.hops.into_iter().map(hop).collect(),
        })
    }
}

export!(Tool);

/// The host's `wasi:http`.
struct Host;

impl Client for Host {
    fn send(&mut self, request: &Outgoing<'_>) -> Result<Incoming, Failure> {
        let message = message(request)?;
        let body = match request.body {
            Some(bytes) => {
                Some((message.body().map_err(|()| Failure::Other("the body cannot be sent".to_owned()))?, bytes))
            }
            None => None,
        };
        let future = handle(message, None).map_err(failure)?;
        if let Some((body, bytes)) = body {
            // Whatever goes wrong here shows in the response, which may also come before all is sent.
            write(body, bytes);
        }
        receive(&future)
    }
}

fn message(request: &Outgoing<'_>) -> Result<OutgoingRequest, Failure> {
    let fields = Fields::new();
    for (name, value) in request.headers {
        fields.append(name, &value.as_bytes().to_vec()).map_err(|error| match error {
            HeaderError::InvalidSyntax | HeaderError::Forbidden | HeaderError::Immutable => {
                Failure::BadHeader(name.clone())
            }
        })?;
    }
    let message = OutgoingRequest::new(fields);
    let url: &Url = request.url;
    let scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
    let target = &url[Position::BeforePath..Position::AfterQuery];
    message.set_method(&method(request.method)).map_err(|()| Failure::BadMethod)?;
    message.set_scheme(Some(&scheme)).map_err(|()| Failure::BadUrl)?;
    message.set_authority(Some(url.authority())).map_err(|()| Failure::BadUrl)?;
    message.set_path_with_query(Some(target)).map_err(|()| Failure::BadUrl)?;
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

fn write(body: OutgoingBody, bytes: &[u8]) {
    let Ok(stream) = body.write() else { return };
    // The interface takes 4096 bytes at a time.
    if bytes.chunks(4096).all(|piece| stream.blocking_write_and_flush(piece).is_ok()) {
        drop(stream);
        drop(OutgoingBody::finish(body, None));
    }
}

fn receive(future: &FutureIncomingResponse) -> Result<Incoming, Failure> {
    future.subscribe().block();
    let response = match future.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(code))) => return Err(failure(code)),
        Some(Err(())) | None => return Err(Failure::Other("the host gave no response".to_owned())),
    };
    let broken = |()| Failure::Other("the response has no body".to_owned());
    let headers = response.headers().entries();
    let body = response.consume().map_err(broken)?;
    let stream = body.stream().map_err(broken)?;
    let status = response.status();
    Ok(Incoming { status, headers, body: Box::new(Stream { stream, _body: body, _response: response }) })
}

/// A body. The fields are dropped in this order, each before what it came from.
struct Stream {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
}

impl Body for Stream {
    fn read(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match self.stream.blocking_read(64 * 1024) {
            Ok(piece) => Ok(Some(piece)),
            Err(StreamError::Closed) => Ok(None),
            Err(StreamError::LastOperationFailed(error)) => {
                Err(http_error_code(&error).map_or(Failure::Broken, failure))
            }
        }
    }
}

fn failure(code: ErrorCode) -> Failure {
    let tls = |reason: &str| Failure::Tls(reason.to_owned());
    let protocol = |reason: &str| Failure::Protocol(reason.to_owned());
    match code {
        ErrorCode::HttpRequestDenied => Failure::Denied,
        ErrorCode::DestinationIpProhibited => Failure::AddressProhibited,
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => Failure::NoAddress,
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable | ErrorCode::ConnectionRefused => {
            Failure::Unreachable
        }
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Failure::Timeout,
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => Failure::Broken,
        ErrorCode::TlsProtocolError => tls("its TLS could not be agreed on"),
        ErrorCode::TlsCertificateError => tls("its certificate is not valid for this host"),
        ErrorCode::TlsAlertReceived(_) => tls("it refused the connection"),
        ErrorCode::HttpResponseBodySize(_) => Failure::BodyTooLarge,
        ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => Failure::HeadersTooLarge,
        ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => Failure::RequestTooLarge,
        ErrorCode::HttpRequestMethodInvalid => Failure::BadMethod,
        ErrorCode::HttpRequestUriInvalid => Failure::BadUrl,
        ErrorCode::ConnectionLimitReached => Failure::TooManyRequests,
        ErrorCode::HttpResponseTransferCoding(_) => protocol("its transfer coding is not known"),
        ErrorCode::HttpResponseContentCoding(_) => protocol("its content coding is not known"),
        ErrorCode::HttpUpgradeFailed => protocol("it wants another protocol"),
        ErrorCode::HttpProtocolError => protocol("its answer is not valid"),
        ErrorCode::LoopDetected => protocol("it leads back to itself"),
        ErrorCode::HttpRequestLengthRequired => protocol("it wants to know the length of the body"),
        ErrorCode::ConfigurationError => Failure::Other("the host is not set up for it".to_owned()),
        ErrorCode::InternalError(reason) => Failure::Other(reason.unwrap_or_else(|| "the host failed".to_owned())),
    }
}
