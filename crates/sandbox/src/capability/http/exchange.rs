//! One request and its response, and what all requests of a call have in common.
//!
//! What always holds: [`Exchange::send`] starts from the token of a decision on the request; each address is decided on before it is
//! dialled, and before a kept connection to it is used; the request on the wire is the op that was decided on.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use caplet_audit::ErrorKind;
use caplet_policy::{ConnectOp, Denied, Guard, HttpOp, HttpSection, Permitted, Scheme};
use http::{HeaderMap, Method, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{Download, Upload};
use super::connection::{Connection, Failed};
use super::credentials::{self, Credentials};
use super::kept::{Connections, Origin};
use super::network::Network;
use super::outgoing::{OnItsWay, Wanted};
use super::redirect::Hop;
use super::taped::{Answer, NotedBody};
use super::wire::Wire;
use super::{HttpLimits, Traffic, dial, resolve};
use crate::asking::{Asking, permit};
use crate::counts::{Counted, Counts};
use crate::error::LimitHit;
use crate::recording::{Noting, Tape};

/// How long a server may be silent, before its response and in the middle of it, unless the guest has less patience. The call's
/// own deadline holds besides.
const SILENCE: Duration = Duration::from_secs(60);

/// The least patience that a guest can ask for.
const LEAST: Duration = Duration::from_millis(1);

/// What the requests of one call have in common.
pub(super) struct Exchange {
    guard: Guard<HttpSection>,
    asking: Option<Arc<Asking>>,
    credentials: Arc<Credentials>,
    network: Arc<Network>,
    connections: Arc<Connections>,
    limits: HttpLimits,
    at_once: Arc<Semaphore>,
    counts: Arc<Counts>,
    pub(super) tape: Option<Tape>,
    sent: AtomicU64,
    received: AtomicU64,
    exceeded: OnceLock<LimitHit>,
}

/// How long each step may take.
#[derive(Clone, Copy)]
pub(super) struct Patience {
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

/// A request as the guest gave it, without where it goes.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: WasiBody,
    /// How many redirects may follow.
    redirects: u8,
    /// Whether it went out, it or what a redirect made of it.
    pub(super) on_its_way: OnItsWay,
    /// Where the request at hand is noted, if it is.
    pub(super) noting: Option<Noting>,
}

/// A response whose body has yet to come, and what it comes on.
pub(super) struct Answered {
    pub(super) response: http::Response<Incoming>,
    connection: Connection,
    origin: Origin,
    place: OwnedSemaphorePermit,
    /// Whether the request had no body.
    is_asked_in_full: bool,
}

impl Exchange {
    pub(super) fn new(
        (guard, asking): (Guard<HttpSection>, Option<Arc<Asking>>),
        credentials: Arc<Credentials>,
        network: Arc<Network>,
        connections: Arc<Connections>,
        (limits, counts): (HttpLimits, Arc<Counts>),
        tape: Option<Tape>,
    ) -> Self {
        Self {
            counts,
            tape,
            guard,
            asking,
            credentials,
            network,
            connections,
            at_once: Arc::new(Semaphore::new(limits.at_once.min(Semaphore::MAX_PERMITS))),
            limits,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            exceeded: OnceLock::new(),
        }
    }

    /// What the requests of another call have in common that the same instance makes. It may still know of a secret that was used.
    pub(super) fn renewed(&self, counts: &Arc<Counts>) -> Self {
        let (credentials, network) = (Arc::clone(&self.credentials), Arc::clone(&self.network));
        Self::new(
            (self.guard.clone(), self.asking.clone()),
            credentials,
            network,
            Arc::clone(&self.connections),
            (self.limits, Arc::clone(counts)),
            self.tape.clone(),
        )
    }

    /// Sends `op` if it is permitted, after what has to be asked. As [`Exchange::send`] in all else.
    pub(super) async fn ask_and_send(
        self: Arc<Self>,
        op: HttpOp,
        wanted: Wanted,
        options: Option<RequestOptions>,
        on_its_way: OnItsWay,
    ) -> Result<http::Response<WasiBody>, Error> {
        let permitted = self.permit(op).await?;
        self.send(permitted, wanted, options, on_its_way).await
    }

    /// Decides on a request, after what has to be asked.
    async fn permit(&self, op: HttpOp) -> Result<Permitted<HttpOp>, Error> {
        permit(&self.guard, self.asking.as_deref(), op).await.map_err(|_| Error::HttpRequestDenied)
    }

    /// Decides on an address, after what has to be asked.
    pub(super) async fn permit_address(
        &self,
        request: &Permitted<HttpOp>,
        address: IpAddr,
    ) -> Result<Permitted<ConnectOp>, Denied> {
        if let (Some(asking), Some(question)) = (&self.asking, self.guard.connect_question(request, address)) {
            asking.settle(question).await;
        }
        self.guard.connect(request, address)
    }

    /// Sends what `request` permits, with the head and body that the guest gave, and follows redirects if that was asked for.
    pub(super) async fn send(
        self: Arc<Self>,
        mut request: Permitted<HttpOp>,
        wanted: Wanted,
        options: Option<RequestOptions>,
        on_its_way: OnItsWay,
    ) -> Result<http::Response<WasiBody>, Error> {
        let patience = Patience::new(options, self.limits.connect);
        let Wanted { method, url: _, headers, body } = wanted;
        let mut asked = Asked { method, headers, body, redirects: self.limits.redirects, on_its_way, noting: None };
        loop {
            let body_has_ended = asked.body.is_end_stream();
            let answer = self.answer(&request, &mut asked, patience).await?;
            let (status, headers) = answer.head();
            let hop = match self.limits.redirects {
                0 => None,
                _ => Hop::of(request.op(), &asked.method, status, headers)?,
            };
            match hop {
                // A body is sent once: who wants it sent again, sends it again.
                Some(hop) if !hop.with_body || body_has_ended => {
                    if let Some(noting) = asked.noting.take() {
                        self.note_hop(&noting, status, headers.clone());
                    }
                    request = self.follow(hop, &mut asked).await?;
                }
                _ => return self.receive(answer, patience.between_bytes, asked.noting),
            }
        }
    }

    /// The secrets of the call.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A place among the requests that are under way at once.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let place = Arc::clone(&self.at_once).acquire_owned().await;
        place.map_err(|_closed| Error::ConnectionLimitReached)
    }

    /// Decides on a hop.
    async fn follow(&self, hop: Hop, asked: &mut Asked) -> Result<Permitted<HttpOp>, Error> {
        asked.redirects = asked.redirects.checked_sub(1).ok_or(Error::LoopDetected)?;
        let op = HttpOp::new(hop.method.as_str(), &hop.url).map_err(|_| Error::HttpProtocolError)?;
        let permitted = self.permit(op).await?;
        hop.narrow(&mut asked.headers);
        asked.method = hop.method;
        asked.body = empty();
        Ok(permitted)
    }

    /// What the guest gets.
    fn receive(
        self: &Arc<Self>,
        answer: Answer,
        between_bytes: Duration,
        noting: Option<Noting>,
    ) -> Result<http::Response<WasiBody>, Error> {
        let Answered { response, connection, origin, place, is_asked_in_full } = match answer {
            Answer::Came(answered) => answered,
            Answer::Noted(response) => return Ok(response),
        };
        let (mut parts, incoming) = response.into_parts();
        let masker = self.credentials.masker();
        if let Some(masker) = &masker {
            let masked = credentials::mask_head(masker, &mut parts.headers);
            masked.inspect_err(|error| noting.iter().for_each(|noting| noting.failed(error)))?;
        }
        let body = Download::new(incoming, self, (origin, connection, is_asked_in_full), between_bytes, place, masker);
        let body = match noting {
            None => body.boxed_unsync(),
            Some(noting) => {
                noting.head(parts.status, &parts.headers);
                NotedBody::new(body, noting).boxed_unsync()
            }
        };
        Ok(http::Response::from_parts(parts, body))
    }

    /// Sends one request, and waits for the head of the response.
    pub(super) async fn ask(
        self: &Arc<Self>,
        request: &Permitted<HttpOp>,
        asked: &mut Asked,
        patience: Patience,
    ) -> Result<Answered, Error> {
        self.count()?;
        let place = self.place().await?;
        self.connections.buckets().pace(&self.guard, request).await;
        let origin = Origin::of(request);
        let mut wire = Wire::new(request, &asked.method, &asked.headers)?;
        let is_asked_in_full = asked.body.is_end_stream();
        let is_repeatable = asked.method.is_safe() && is_asked_in_full;
        let mut body = Upload::new(std::mem::replace(&mut asked.body, empty()), &wire.headers, self);
        let mut is_complete = false;
        loop {
            let noting = asked.noting.as_ref();
            let (mut connection, is_kept) = self.connection(request, &origin, patience.connect, noting).await?;
            if !is_complete {
                self.credentials.add(request, &mut wire).await?;
                is_complete = true;
            }
            let sending = connection.send(wire.request(body, connection.is_http2())?, is_kept, &asked.on_its_way);
            let failed = match timeout(patience.first_byte, sending).await {
                Ok(Ok(response)) => {
                    check_framing(&response)?;
                    return Ok(Answered { response, connection, origin, place, is_asked_in_full });
                }
                Ok(Err(failed)) => failed,
                Err(_elapsed) => Failed::Sent(Error::ConnectionReadTimeout),
            };
            self.forget(&connection);
            match failed {
                Failed::Unsent(unsent) if is_kept => body = unsent.into_body(),
                Failed::Unsent(_) => return Err(Error::ConnectionTerminated),
                // A server may close what was kept just as the request is on its way (RFC 9112, section 9.3.1).
                Failed::Sent(Error::ConnectionTerminated | Error::HttpResponseIncomplete)
                    if is_kept && is_repeatable =>
                {
                    body = Upload::new(empty(), &wire.headers, self);
                }
                Failed::Sent(error) => return Err(error),
            }
        }
    }

    /// A connection for `request`, and whether it is one that was kept.
    async fn connection(
        &self,
        request: &Permitted<HttpOp>,
        origin: &Origin,
        within: Duration,
        noting: Option<&Noting>,
    ) -> Result<(Connection, bool), Error> {
        while let Some(kept) = self.connections.take(origin) {
            noting.inspect(|noting| noting.address(kept.address()));
            if self.permit_address(request, kept.address()).await.is_ok() {
                return Ok((kept, true));
            }
        }
        Ok((self.connect(request, origin, within, noting).await?, false))
    }

    /// Looks the host up, decides on each address, and connects to one that is permitted.
    async fn connect(
        &self,
        request: &Permitted<HttpOp>,
        origin: &Origin,
        within: Duration,
        noting: Option<&Noting>,
    ) -> Result<Connection, Error> {
        let until = Instant::now() + within;
        let found = resolve::addresses(request, within).await?;
        if found.is_empty() {
            return Err(Error::DestinationNotFound);
        }
        let decided = Instant::now();
        let mut permitted = Vec::with_capacity(found.len());
        for address in found {
            noting.inspect(|noting| noting.address(address));
            permitted.extend(self.permit_address(request, address).await.ok());
        }
        // Who is asked takes nothing of the time to connect.
        let until = until + decided.elapsed();
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

    pub(super) fn count(&self) -> Result<(), Error> {
        let Err(full) = self.counts.take(Counted::HttpRequests) else { return Ok(()) };
        let message = format!("{} sent more than {} HTTP requests", full.who(), full.most);
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

    /// Lets no request begin any more.
    pub(super) fn close(&self) {
        self.at_once.close();
    }

    /// Uses a connection no more on which a request or its response failed.
    pub(super) fn forget(&self, connection: &Connection) {
        self.connections.forget(connection);
    }

    pub(super) fn traffic(&self) -> Traffic {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let requests = self.counts.used(Counted::HttpRequests);
        Traffic { requests, sent: read(&self.sent), received: read(&self.received) }
    }

    pub(super) fn exceeded(&self) -> Option<LimitHit> {
        self.exceeded.get().cloned()
    }
}

/// Refuses a response whose framing two readers could read in two ways (RFC 9112, section 6.3).
fn check_framing(response: &http::Response<Incoming>) -> Result<(), Error> {
    // Nobody asked for another protocol.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::HttpProtocolError);
    }
    let headers = response.headers();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(_), _) if headers.contains_key(header::CONTENT_LENGTH) => Err(Error::HttpProtocolError),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(coding), _) => Err(Error::HttpResponseTransferCoding(coding.to_str().ok().map(str::to_owned))),
    }
}

/// No body.
pub(super) fn empty() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
