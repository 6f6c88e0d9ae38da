//! Requests over `wasi:http`: why one got no response, in the same words for every tool; and, in a guest, the way to send one and wait.
//!
//! Nothing here decides what is permitted, follows a redirect or adds a header of its own.

#[cfg(target_family = "wasm")]
mod guest;

#[cfg(target_family = "wasm")]
pub use guest::{Body, Response, send};

/// Why a request got no response, or a response no end: the error codes of `wasi:http` by what can be done about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No grant covers the request.
    Denied,
    /// The address is of a class that is never connected to without a grant for just that.
    AddressProhibited,
    /// The host has no address.
    NoAddress,
    /// Nothing answers there.
    Unreachable,
    /// The server took too long.
    Timeout,
    /// The connection ended too early.
    Broken,
    /// No encrypted connection was made.
    Tls(String),
    /// The response is larger than the host's limit.
    BodyTooLarge,
    /// The response's headers are larger than the host's limit.
    HeadersTooLarge,
    /// The request is larger than the host or the server takes.
    RequestTooLarge,
    /// The host takes no such URL.
    BadUrl,
    /// The host takes no such method.
    BadMethod,
    /// The host takes no such header.
    BadHeader(String),
    /// The call has sent as many requests as it may.
    TooManyRequests,
    /// The server does not speak HTTP as it should.
    Protocol(String),
    /// All else.
    Other(String),
}

/// A request that is ready to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, as it goes out.
    pub method: &'a str,
    /// Over TLS or without.
    pub is_https: bool,
    /// Host and port.
    pub authority: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// The headers, in order.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: Option<&'a [u8]>,
}

/// Makes `message`, `method` and `failure` for the bindings of `wasi:http` whose `types` are in scope: a tool that needs more of the
/// interface than waiting for one response has bindings of its own, and these are types of their own.
#[macro_export]
macro_rules! wasi_http {
    ($types:path) => {
        use $types as wasi_http_types;

        /// The request as the interface has it, without its body.
        fn message(
            request: &$crate::http::Request<'_>,
        ) -> Result<wasi_http_types::OutgoingRequest, $crate::http::Failure> {
            use $crate::http::Failure;
            let fields = wasi_http_types::Fields::new();
            for (name, value) in request.headers {
                let appended = fields.append(name, &value.as_bytes().to_vec());
                appended.map_err(|_| Failure::BadHeader(name.clone()))?;
            }
            let message = wasi_http_types::OutgoingRequest::new(fields);
            let scheme = if request.is_https { wasi_http_types::Scheme::Https } else { wasi_http_types::Scheme::Http };
            message.set_method(&method(request.method)).map_err(|()| Failure::BadMethod)?;
            message.set_scheme(Some(&scheme)).map_err(|()| Failure::BadUrl)?;
            message.set_authority(Some(request.authority)).map_err(|()| Failure::BadUrl)?;
            message.set_path_with_query(Some(request.target)).map_err(|()| Failure::BadUrl)?;
            Ok(message)
        }

        fn method(name: &str) -> wasi_http_types::Method {
            use wasi_http_types::Method;
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

        fn failure(code: wasi_http_types::ErrorCode) -> $crate::http::Failure {
            use wasi_http_types::ErrorCode;
            use $crate::http::Failure;
            let tls = |reason: &str| Failure::Tls(reason.to_owned());
            let protocol = |reason: &str| Failure::Protocol(reason.to_owned());
            match code {
                ErrorCode::HttpRequestDenied => Failure::Denied,
                ErrorCode::DestinationIpProhibited => Failure::AddressProhibited,
                ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => Failure::NoAddress,
                ErrorCode::DestinationUnavailable
                | ErrorCode::DestinationIpUnroutable
                | ErrorCode::ConnectionRefused => Failure::Unreachable,
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
                ErrorCode::InternalError(reason) => {
                    Failure::Other(reason.unwrap_or_else(|| "the host failed".to_owned()))
                }
            }
        }
    };
}
