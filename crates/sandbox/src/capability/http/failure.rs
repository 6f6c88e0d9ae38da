//! From what went wrong to the error codes of the standard.

use std::error::Error as StdError;
use std::io;

use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::bindings::http::types::{DnsErrorPayload, ErrorCode, TlsAlertReceivedPayload};

/// What a guest hears of `error`, of those that come about here. What broke inside of the host is told to nobody but who runs it.
pub(super) fn code(error: &Error) -> ErrorCode {
    match error {
        Error::DnsTimeout => ErrorCode::DnsTimeout,
        Error::DnsError { rcode, info_code } => {
            ErrorCode::DnsError(DnsErrorPayload { rcode: rcode.clone(), info_code: *info_code })
        }
        Error::DestinationNotFound => ErrorCode::DestinationNotFound,
        Error::DestinationIpProhibited => ErrorCode::DestinationIpProhibited,
        Error::DestinationIpUnroutable => ErrorCode::DestinationIpUnroutable,
        Error::ConnectionRefused => ErrorCode::ConnectionRefused,
        Error::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        Error::ConnectionTimeout => ErrorCode::ConnectionTimeout,
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::ConnectionLimitReached => ErrorCode::ConnectionLimitReached,
        Error::TlsProtocolError => ErrorCode::TlsProtocolError,
        Error::TlsCertificateError => ErrorCode::TlsCertificateError,
        Error::TlsAlertReceived { alert_id, alert_message } => {
            let (alert_id, alert_message) = (*alert_id, alert_message.clone());
            ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload { alert_id, alert_message })
        }
        Error::HttpRequestDenied => ErrorCode::HttpRequestDenied,
        Error::HttpRequestBodySize(size) => ErrorCode::HttpRequestBodySize(*size),
        Error::HttpRequestMethodInvalid => ErrorCode::HttpRequestMethodInvalid,
        Error::HttpRequestUriInvalid => ErrorCode::HttpRequestUriInvalid,
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        Error::HttpResponseHeaderSectionSize(size) => ErrorCode::HttpResponseHeaderSectionSize(*size),
        Error::HttpResponseBodySize(size) => ErrorCode::HttpResponseBodySize(*size),
        Error::HttpResponseTransferCoding(coding) => ErrorCode::HttpResponseTransferCoding(coding.clone()),
        Error::HttpResponseContentCoding(coding) => ErrorCode::HttpResponseContentCoding(coding.clone()),
        Error::LoopDetected => ErrorCode::LoopDetected,
        Error::InternalError(_) => ErrorCode::InternalError(None),
        _ => ErrorCode::HttpProtocolError,
    }
}

/// A connection that did not come about.
pub(super) fn of_connecting(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::ConnectionReset => Error::ConnectionTerminated,
        _ => Error::ConnectionRefused,
    }
}

/// A handshake that failed.
pub(super) fn of_tls(error: &io::Error) -> Error {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            let alert_message = Some(format!("{alert:?}"));
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message }
        }
        Some(_) => Error::TlsProtocolError,
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Error::ConnectionTerminated,
            _ => Error::TlsProtocolError,
        },
    }
}

/// An exchange that failed on its way.
pub(super) fn of_hyper(error: &hyper::Error) -> Error {
    if let Some(found) = behind::<Error>(error) {
        // What the guest's own body ended with.
        return match found {
            Error::HttpRequestBodySize(size) => Error::HttpRequestBodySize(*size),
            _ => Error::HttpProtocolError,
        };
    }
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(None);
    }
    if error.is_parse() {
        return Error::HttpProtocolError;
    }
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    if error.is_closed() || error.is_canceled() {
        return Error::ConnectionTerminated;
    }
    match behind::<io::Error>(error) {
        Some(inner) if inner.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => of_tls(inner),
        Some(inner) => match inner.kind() {
            io::ErrorKind::TimedOut => Error::ConnectionReadTimeout,
            io::ErrorKind::UnexpectedEof => Error::HttpResponseIncomplete,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Error::ConnectionTerminated
            }
            _ => Error::HttpProtocolError,
        },
        None => Error::HttpProtocolError,
    }
}

/// The failure of another kind behind `error`, if there is one.
fn behind<E: StdError + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut next: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
