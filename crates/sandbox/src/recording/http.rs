//! Requests and what came back, as notes.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use caplet_vfs::recording::Unknown;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use wasmtime_wasi_http::Error;

use super::recorder::{NOTE_BYTES, Recorder, hex};

/// A request, and what became of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchanged {
    method: String,
    url: String,
    /// SHA-256 of the body that was sent, where there was one and it was sent to its end.
    sent: Option<String>,
    /// The addresses that were decided on, in order.
    addresses: Vec<IpAddr>,
    head: Option<Head>,
    chunks: Vec<Piece>,
    trailers: Option<Fields>,
    end: End,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    status: u16,
    headers: Fields,
}

/// Fields with the bytes of their values as characters.
type Fields = Vec<(String, String)>;

/// A part of a body as the guest got it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    #[serde(skip)]
    bytes: Vec<u8>,
}

/// How it ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum End {
    /// Not as long as the guest cared.
    Open,
    /// To its end.
    Over,
    Failed(Failure),
}

/// An error that a guest can tell from others, with what is told of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    kind: String,
    number: Option<u64>,
    text: Option<String>,
}

impl Exchanged {
    pub(super) fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            sent: None,
            addresses: Vec::new(),
            head: None,
            chunks: Vec::new(),
            trailers: None,
            end: End::Open,
        }
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.url)
    }

    pub(super) fn is(&self, method: &str, url: &str) -> bool {
        self.method == method && self.url == url
    }

    pub(super) fn contents(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        self.chunks.iter_mut().map(|piece| &mut piece.bytes)
    }
}

/// Notes one request.
#[derive(Clone, Debug)]
pub(crate) struct Noting {
    recorder: Arc<Recorder>,
    /// Nothing where there is no room any more.
    number: Option<usize>,
}

/// The digest of a body that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent(String);

impl Sent {
    pub(crate) fn new(digest: &[u8]) -> Self {
        Self(hex(digest))
    }
}

impl Noting {
    pub(super) fn new(recorder: Arc<Recorder>, number: Option<usize>) -> Self {
        Self { recorder, number }
    }

    pub(crate) fn address(&self, address: IpAddr) {
        self.recorder.exchanged(self.number, NOTE_BYTES, |seen| seen.addresses.push(address));
    }

    pub(crate) fn sent(&self, sent: Sent) {
        self.recorder.exchanged(self.number, NOTE_BYTES, |seen| seen.sent = Some(sent.0));
    }

    pub(crate) fn head(&self, status: StatusCode, headers: &HeaderMap) {
        let head = Head { status: status.as_u16(), headers: fields(headers) };
        let bytes = head.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() + NOTE_BYTES;
        self.recorder.exchanged(self.number, bytes, |seen| seen.head = Some(head));
    }

    pub(crate) fn chunk(&self, bytes: &Bytes) {
        let piece = Piece { bytes: bytes.to_vec() };
        self.recorder.exchanged(self.number, NOTE_BYTES + bytes.len(), |seen| seen.chunks.push(piece));
    }

    pub(crate) fn trailers(&self, trailers: &HeaderMap) {
        let trailers = fields(trailers);
        self.recorder.exchanged(self.number, NOTE_BYTES, |seen| seen.trailers = Some(trailers));
    }

    pub(crate) fn over(&self) {
        self.recorder.exchanged(self.number, 0, |seen| seen.end = End::Over);
    }

    pub(crate) fn failed(&self, error: &Error) {
        let failure = Failure::from(error);
        self.recorder.exchanged(self.number, NOTE_BYTES, |seen| seen.end = End::Failed(failure));
    }
}

/// What the recorded call heard of a request.
#[derive(Debug)]
pub(crate) struct Heard {
    seen: Exchanged,
    unknown: Arc<Unknown>,
}

/// What comes next of a body.
pub(crate) enum Chunk {
    Data(Bytes),
    Trailers(HeaderMap),
    Failed(Error),
    End,
}

impl Heard {
    pub(super) fn new(seen: Exchanged, unknown: Arc<Unknown>) -> Self {
        Self { seen, unknown }
    }

    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.seen.addresses.clone()
    }

    /// Whether a body was sent to its end.
    pub(crate) fn has_sent(&self) -> bool {
        self.seen.sent.is_some()
    }

    /// Compares the body that was sent now.
    pub(crate) fn compare(&self, sent: Option<&Sent>) {
        if let (Some(then), Some(now)) = (&self.seen.sent, sent)
            && *then != now.0
        {
            self.unknown.note(format!("request {} with another body", self.seen.name()));
        }
    }

    /// The head of the response; how it failed before there was one; or nothing, where it did not come before the call ended.
    pub(crate) fn head(&self) -> Option<Result<(StatusCode, HeaderMap), Error>> {
        match (&self.seen.head, &self.seen.end) {
            (Some(head), _) => {
                let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::OK);
                Some(Ok((status, header_map(&head.headers))))
            }
            (None, End::Failed(failure)) => Some(Err(failure.error())),
            (None, _) => None,
        }
    }

    /// The body.
    pub(crate) fn body(self) -> VecDeque<Chunk> {
        let Exchanged { chunks, trailers, end, .. } = self.seen;
        let mut body: VecDeque<Chunk> = chunks.into_iter().map(|piece| Chunk::Data(piece.bytes.into())).collect();
        body.extend(trailers.map(|trailers| Chunk::Trailers(header_map(&trailers))));
        match end {
            End::Over => body.push_back(Chunk::End),
            End::Failed(failure) => body.push_back(Chunk::Failed(failure.error())),
            // The guest did not care for the rest then. If it does now, it hears that there is none.
            End::Open => body.push_back(Chunk::Failed(Error::HttpResponseIncomplete)),
        }
        body
    }
}

fn fields(headers: &HeaderMap) -> Fields {
    let value = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    headers.iter().map(|(name, text)| (name.as_str().to_owned(), value(text))).collect()
}

fn header_map(fields: &Fields) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&bytes?).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().filter_map(field) {
        headers.append(name, value);
    }
    headers
}

/// The name of an error with nothing more to it, and the error.
type Plain = (&'static str, fn() -> Error);

/// Errors with nothing more to them.
const PLAIN: &[Plain] = &[
    ("dns-timeout", || Error::DnsTimeout),
    ("destination-not-found", || Error::DestinationNotFound),
    ("destination-ip-prohibited", || Error::DestinationIpProhibited),
    ("destination-ip-unroutable", || Error::DestinationIpUnroutable),
    ("connection-refused", || Error::ConnectionRefused),
    ("connection-terminated", || Error::ConnectionTerminated),
    ("connection-timeout", || Error::ConnectionTimeout),
    ("connection-read-timeout", || Error::ConnectionReadTimeout),
    ("connection-limit-reached", || Error::ConnectionLimitReached),
    ("tls-protocol-error", || Error::TlsProtocolError),
    ("tls-certificate-error", || Error::TlsCertificateError),
    ("http-request-denied", || Error::HttpRequestDenied),
    ("http-request-method-invalid", || Error::HttpRequestMethodInvalid),
    ("http-request-uri-invalid", || Error::HttpRequestUriInvalid),
    ("http-response-incomplete", || Error::HttpResponseIncomplete),
    ("loop-detected", || Error::LoopDetected),
];

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let with = |kind: &str, number: Option<u64>, text: Option<&String>| Self {
            kind: kind.to_owned(),
            number,
            text: text.cloned(),
        };
        match error {
            Error::DnsError { rcode, info_code } => with("dns-error", info_code.map(u64::from), rcode.as_ref()),
            Error::TlsAlertReceived { alert_id, alert_message } => {
                with("tls-alert-received", alert_id.map(u64::from), alert_message.as_ref())
            }
            Error::HttpRequestBodySize(size) => with("http-request-body-size", *size, None),
            Error::HttpResponseBodySize(size) => with("http-response-body-size", *size, None),
            Error::HttpResponseHeaderSectionSize(size) => {
                with("http-response-header-section-size", size.map(u64::from), None)
            }
            Error::HttpResponseTransferCoding(coding) => with("http-response-transfer-coding", None, coding.as_ref()),
            Error::HttpResponseContentCoding(coding) => with("http-response-content-coding", None, coding.as_ref()),
            // What broke inside of the host is told to no guest.
            Error::InternalError(_) => with("internal-error", None, None),
            other => {
                let kind = std::mem::discriminant(other);
                let same = |known: &&Plain| std::mem::discriminant(&known.1()) == kind;
                with(PLAIN.iter().find(same).map_or("http-protocol-error", |(kind, _)| kind), None, None)
            }
        }
    }
}

impl Failure {
    fn error(&self) -> Error {
        let Self { kind, number, text } = self;
        let small = number.and_then(|number| u32::try_from(number).ok());
        let code = number.and_then(|number| u16::try_from(number).ok());
        match kind.as_str() {
            "dns-error" => Error::DnsError { rcode: text.clone(), info_code: code },
            "tls-alert-received" => Error::TlsAlertReceived {
                alert_id: number.and_then(|number| u8::try_from(number).ok()),
                alert_message: text.clone(),
            },
            "http-request-body-size" => Error::HttpRequestBodySize(*number),
            "http-response-body-size" => Error::HttpResponseBodySize(*number),
            "http-response-header-section-size" => Error::HttpResponseHeaderSectionSize(small),
            "http-response-transfer-coding" => Error::HttpResponseTransferCoding(text.clone()),
            "http-response-content-coding" => Error::HttpResponseContentCoding(text.clone()),
            "internal-error" => Error::InternalError(None),
            plain => PLAIN.iter().find(|known| known.0 == plain).map_or(Error::HttpProtocolError, |(_, error)| error()),
        }
    }
}
