//! One request and its response, and what all requests of a call have in common.
//!
//! What always holds: [`Exchange::send`] starts from the token of a decision on the request; each address is decided on before it is
//! dialled, and before a kept connection to it is used; the request on the wire is the op that was decided on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use caplet_audit::ErrorKind;
use caplet_policy::{Guard, HttpOp, HttpSection, Permitted, Scheme};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{Download, Upload};
use super::connection::{Connection, Connections, Failed, Origin};
use super::network::Network;
use super::{HttpLimits, Traffic, dial, resolve};
use crate::error::LimitHit;

/// How long a server may be silent, before its response and in the middle of it, unless the guest has less patience. The call's
/// own deadline holds besides.
const SILENCE: Duration = Duration::from_secs(60);

/// The least patience that a guest can ask for.
const LEAST: Duration = Duration::from_millis(1);

/// What the requests of one call have in common.
pub(super) struct Exchange {
    guard: Guard<HttpSection>,
    network: Arc<Network>,
    connections: Arc<Connections>,
    limits: HttpLimits,
    at_once: Arc<Semaphore>,
    requests: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    exceeded: OnceLock<LimitHit>,
}

/// How long each step may take.
#[derive(Clone, Copy)]
struct Patience {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
}

impl Patience {
    fn new(options: Option<RequestOptions>, connect: Duration) -> Self {
        let options = options.unwrap_or_default();
        let at_most = |asked: Option<Duration>, most: Duration| asked.map_or(most, |asked| asked.min(most)).max(LEAST);
        Self {
            connect: at_most(options.connect_timeout, connect),
            first_byte: at_most(options.first_byte_timeout, SILENCE),
            between_bytes: at_most(options.between_bytes_timeout, SILENCE),
        }
    }
}

/// The head of a request as the guest gave it, without where it goes.
struct Head {
    method: Method,
    headers: HeaderMap,
}

impl Exchange {
    pub(super) fn new(
        guard: Guard<HttpSection>,
        network: Arc<Network>,
        connections: Arc<Connections>,
        limits: HttpLimits,
    ) -> Self {
        Self {
            guard,
            network,
            connections,
            at_once: Arc::new(Semaphore::new(limits.at_once.min(Semaphore::MAX_PERMITS))),
            limits,
            requests: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            exceeded: OnceLock::new(),
        }
    }

    /// Sends what `request` permits, with the head and body that the guest gave.
    pub(super) async fn send(
        self: Arc<Self>,
        request: Permitted<HttpOp>,
        from_guest: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<http::Response<WasiBody>, Error> {
        self.count()?;
        let place = Arc::clone(&self.at_once).acquire_owned().await;
        let place = place.map_err(|_closed| Error::ConnectionLimitReached)?;
        let patience = Patience::new(options, self.limits.connect);
        let (parts, body) = from_guest.into_parts();
        let head = Head { method: parts.method, headers: parts.headers };
        let origin = Origin::of(&request);
        let body = Upload::new(body, &self);
        let answered = self.ask(&request, &origin, &head, body, patience).await;
        let (response, connection) = answered?;
        // Nobody asked for another protocol.
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::HttpProtocolError);
        }
        let between_bytes = patience.between_bytes;
        Ok(response
            .map(|incoming| Download::new(incoming, &self, (origin, connection), between_bytes, place).boxed_unsync()))
    }

    async fn ask(
        &self,
        request: &Permitted<HttpOp>,
        origin: &Origin,
        head: &Head,
        mut body: Upload,
        patience: Patience,
    ) -> Result<(http::Response<Incoming>, Connection), Error> {
        while let Some(mut kept) = self.connections.take(origin) {
            if self.guard.connect(request, kept.address()).is_err() {
                continue;
            }
            match answer(&mut kept, request, head, body, patience).await {
                Ok(response) => return Ok((response, kept)),
                Err(Failed::Unsent(unsent)) => body = unsent.into_body(),
                Err(Failed::Sent(error)) => return Err(error),
            }
        }
        let mut opened = self.connect(request, origin, patience.connect).await?;
        match answer(&mut opened, request, head, body, patience).await {
            Ok(response) => Ok((response, opened)),
            Err(Failed::Unsent(_)) => Err(Error::ConnectionTerminated),
            Err(Failed::Sent(error)) => Err(error),
        }
    }

    /// Looks the host up, decides on each address, and connects to one that is permitted.
    async fn connect(
        &self,
        request: &Permitted<HttpOp>,
        origin: &Origin,
        within: Duration,
    ) -> Result<Connection, Error> {
        let until = Instant::now() + within;
        let found = resolve::addresses(request, within).await?;
        if found.is_empty() {
            return Err(Error::DestinationNotFound);
        }
        let permitted: Vec<_> =
            found.into_iter().filter_map(|address| self.guard.connect(request, address).ok()).collect();
        if permitted.is_empty() {
            return Err(Error::DestinationIpProhibited);
        }
        let tls = match origin.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(self.network.tls().map_err(|reason| Error::InternalError(Some(reason.to_owned())))?),
        };
        let (stream, address) = dial::dial(permitted, until).await?;
        let opened = timeout_at(until, self.connections.open(origin, stream, address, tls)).await;
        opened.map_err(|_elapsed| Error::ConnectionTimeout)?.inspect(|opened| {
            if let Some(shared) = opened.share() {
                self.connections.keep(origin, shared);
            }
        })
    }

    fn count(&self) -> Result<(), Error> {
        let most = self.limits.requests;
        let next = |sent: u64| (sent < most).then_some(sent + 1);
        if self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok() {
            return Ok(());
        }
        let message = format!("the tool sent more than {most} HTTP requests");
        self.exceed(LimitHit::new(ErrorKind::Quota, message, "http-requests"));
        Err(Error::ConnectionLimitReached)
    }

    fn exceed(&self, hit: LimitHit) {
        // The first one is what the call ends with.
        let _ = self.exceeded.set(hit);
    }

    /// The most bytes that a body may have.
    pub(super) fn body_bytes(&self) -> u64 {
        self.limits.body_bytes
    }

    /// Notes that the body of a request or response was longer than that.
    pub(super) fn body_too_large(&self, of: &str) {
        let message = format!("the body of an HTTP {of} was longer than {} bytes", self.limits.body_bytes);
        self.exceed(LimitHit::new(ErrorKind::Quota, message, "http-response"));
    }

    /// Counts bytes of a request's body.
    pub(super) fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes of a response's body.
    pub(super) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Keeps a connection whose one request is over. One that carries several was kept when it was opened.
    pub(super) fn keep(&self, origin: &Origin, connection: Connection) {
        if !connection.is_http2() {
            self.connections.keep(origin, connection);
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Traffic { requests: read(&self.requests), sent: read(&self.sent), received: read(&self.received) }
    }

    pub(super) fn exceeded(&self) -> Option<LimitHit> {
        self.exceeded.get().cloned()
    }
}

async fn answer(
    connection: &mut Connection,
    request: &Permitted<HttpOp>,
    head: &Head,
    body: Upload,
    patience: Patience,
) -> Result<http::Response<Incoming>, Failed> {
    let request = on_the_wire(request, head, body, connection.is_http2()).map_err(Failed::Sent)?;
    let answered = timeout(patience.first_byte, connection.send(request)).await;
    answered.map_err(|_elapsed| Failed::Sent(Error::ConnectionReadTimeout))?
}

/// The request as it is sent: the method and target of the op, in the form that the protocol wants.
fn on_the_wire(
    request: &Permitted<HttpOp>,
    head: &Head,
    body: Upload,
    whole: bool,
) -> Result<http::Request<Upload>, Error> {
    let invalid = |_| Error::HttpRequestUriInvalid;
    let url: Uri = request.op().url().parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    let authority = url.authority().ok_or(Error::HttpRequestUriInvalid)?.clone();
    let target = url.path_and_query().ok_or(Error::HttpRequestUriInvalid)?.clone();
    let mut headers = head.headers.clone();
    let uri = if whole {
        url
    } else {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Error::HttpRequestUriInvalid)?;
        headers.insert(header::HOST, host);
        Uri::builder().path_and_query(target).build().map_err(invalid)?
    };
    let mut request = http::Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}
