//! `wasi:http`: the one way out of a guest's requests.
//!
//! A request is canonicalised and decided on once ([`HttpGate::begin`]); only the token of that decision gets it further:
//! its host is looked up ([`resolve`]), each address that comes back is decided on, and only an address with a token of its own
//! is dialled ([`dial`]). What goes on the wire is written from the op that was decided on, never from what the guest
//! wrote. Whether a connection is new or used again makes no difference to any decision ([`kept`]).
//!
//! What always holds: a host that no rule permits is never looked up; nothing is taken from the environment of the host (no
//! proxy, no credentials, no certificates but the system's); the guest sees the error codes of the standard, and who decides
//! sees why on record.

mod body;
mod connection;
mod credentials;
mod dial;
mod exchange;
mod failure;
mod kept;
mod network;
mod outgoing;
mod rate;
mod ration;
mod redirect;
mod resolve;
mod taped;
mod tls;
mod wire;

use std::sync::Arc;

use caplet_policy::{Guard, HttpOp, HttpSection, Journal, SecretsSection};
use caplet_secrets::{Masker, SecretSource};
use credentials::Credentials;
use exchange::Exchange;
use http::HeaderName;
use http::header::{TE, TRAILER};
pub use kept::Connections;
use network::Network;
pub use network::NetworkConfig;
use outgoing::{Awaited, OnItsWay, Wanted};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

use crate::asking::Asking;
use crate::counts::{Counted, Counts};
use crate::determinism::NO_REQUESTS;
use crate::error::LimitHit;
use crate::invocation::Invocation;
use crate::recording::Tape;
use crate::state::CallState;

pub(crate) use network::Network as SharedNetwork;

/// The one way out of a guest's HTTP requests.
pub(crate) struct HttpGate {
    guard: Guard<HttpSection>,
    secrets: Guard<SecretsSection>,
    asking: Option<Arc<Asking>>,
    deterministic: bool,
    source: Option<Arc<dyn SecretSource>>,
    journal: Arc<Journal>,
    network: Arc<Network>,
    connections: Option<Arc<Connections>>,
    limits: HttpLimits,
    counts: Arc<Counts>,
    tape: Option<Tape>,
    /// The last request that was understood, as the guest wrote it: many tools ask one address again and again.
    last: Option<(String, HttpOp)>,
    /// What the requests of the call have in common, once there is one.
    exchange: Option<Arc<Exchange>>,
}

/// The limits of a call that are about requests.
#[derive(Clone, Copy, Debug)]
struct HttpLimits {
    at_once: usize,
    body_bytes: u64,
    redirects: u8,
    connect: std::time::Duration,
}

/// What went over the network in a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// Requests that were sent, hops included.
    pub(crate) requests: u64,
    /// Bytes of request bodies.
    pub(crate) sent: u64,
    /// Bytes of response bodies that the guest got.
    pub(crate) received: u64,
}

impl HttpGate {
    pub(crate) fn new(invocation: &Invocation, network: &Arc<Network>, counts: &Arc<Counts>) -> Self {
        let Invocation {
            policy, journal, limits, connections, secrets, redirects, asking, tape, deterministic, ..
        } = invocation;
        let limits = HttpLimits {
            at_once: usize::try_from(limits.http_concurrency).unwrap_or(usize::MAX >> 3),
            body_bytes: limits.http_response,
            redirects: *redirects,
            connect: limits.http_connect,
        };
        Self {
            guard: policy.guard(journal),
            secrets: policy.guard(journal),
            asking: asking.clone(),
            deterministic: deterministic.is_some(),
            source: secrets.clone(),
            journal: Arc::clone(journal),
            network: Arc::clone(network),
            connections: connections.clone(),
            limits,
            counts: Arc::clone(counts),
            tape: tape.clone(),
            last: None,
            exchange: None,
        }
    }

    /// What went over the network so far. Requests of calls that this one made are counted too.
    pub(crate) fn traffic(&self) -> Traffic {
        let requests = self.counts.used(Counted::HttpRequests);
        self.exchange.as_ref().map_or(Traffic { requests, ..Traffic::default() }, |exchange| exchange.traffic())
    }

    /// Lets requests begin again, for the next call of a session, which has its own counts.
    pub(crate) fn renew(&mut self, counts: &Arc<Counts>) {
        self.counts = Arc::clone(counts);
        self.exchange = self.exchange.take().map(|exchange| Arc::new(exchange.renewed(counts)));
    }

    /// Lets no request begin any more, also none that waits for its turn.
    pub(crate) fn close(&self) {
        if let Some(exchange) = &self.exchange {
            exchange.close();
        }
    }

    /// What masks the secrets that were used, if any was.
    pub(crate) fn masker(&self) -> Option<Arc<Masker>> {
        self.exchange.as_ref()?.credentials().masker()
    }

    /// The limit that a request ran into, if one did.
    pub(crate) fn exceeded(&self) -> Option<LimitHit> {
        self.exchange.as_ref()?.exceeded()
    }

    fn exchange(&mut self) -> Arc<Exchange> {
        let exchange = self.exchange.get_or_insert_with(|| {
            let connections = self.connections.clone().unwrap_or_default();
            let asking = self.asking.clone();
            let credentials = Credentials::new(self.secrets.clone(), asking.clone(), self.source.clone());
            let network = Arc::clone(&self.network);
            Arc::new(Exchange::new(
                (self.guard.clone(), asking),
                Arc::new(credentials),
                network,
                connections,
                (self.limits, Arc::clone(&self.counts)),
                self.tape.clone(),
            ))
        });
        Arc::clone(exchange)
    }

    /// Decides on a request, and sends it if it is permitted.
    fn begin(&mut self, request: Wanted, options: Option<RequestOptions>) -> Result<Awaited, Error> {
        let op = self.op(request.method.as_str(), &request.url)?;
        if self.deterministic {
            self.guard.refuse(op, NO_REQUESTS);
            return Err(Error::HttpRequestDenied);
        }
        let on_its_way = OnItsWay::default();
        if self.guard.question(&op).is_some() {
            let sending = self.exchange().ask_and_send(op, request, options, on_its_way.clone());
            return Ok(Awaited::begin(sending, &on_its_way));
        }
        // The decision comes before anything else happens.
        let permitted = self.guard.check(op).map_err(|_| Error::HttpRequestDenied)?;
        let sending = self.exchange().send(permitted, request, options, on_its_way.clone());
        Ok(Awaited::begin(sending, &on_its_way))
    }

    /// The op that a request is.
    fn op(&mut self, method: &str, url: &str) -> Result<HttpOp, Error> {
        let known = self.last.as_ref().filter(|(known, op)| known == url && op.method() == method);
        if let Some((_, op)) = known {
            return Ok(op.clone());
        }
        let op = self.understand(method, url)?;
        self.last = Some((url.to_owned(), op.clone()));
        Ok(op)
    }

    /// The op that a request is, in its one form.
    fn understand(&self, method: &str, url: &str) -> Result<HttpOp, Error> {
        let invalid = |reason: &str| {
            self.journal.refuse("wasi:http", &format!("{method} {url}"), reason);
            Error::HttpRequestUriInvalid
        };
        let op = HttpOp::new(method, url).map_err(|error| invalid(&error.to_string()))?;
        if could_name_a_host(&op) {
            return Err(invalid("its path starts with two slashes, which a server could take for a host"));
        }
        Ok(op)
    }
}

impl std::fmt::Debug for HttpGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpGate").field("guard", &self.guard).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Links `wasi:http`.
///
/// The engine's own `http-error-code` knows nothing of what breaks in the middle of a body (release 48.0.8), so that one is ours.
pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap("http-error-code", error_code)?;
    outgoing::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The engine's version of the standard's types.
const TYPES: &str = "wasi:http/types@0.2.12";

fn error_code(
    store: StoreContextMut<'_, CallState>,
    (error,): (Resource<IoError>,),
) -> wasmtime::Result<(Option<ErrorCode>,)> {
    let error = store.data().table.get(&error)?;
    let known = error.downcast_ref::<ErrorCode>().cloned();
    Ok((known.or_else(|| error.downcast_ref::<Error>().map(failure::code)),))
}

type Sent<T> = Box<dyn Future<Output = Result<T, Error>> + Send>;

impl WasiHttpHooks for HttpGate {
    /// Never called: the one way is [`HttpGate::begin`].
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _written: Sent<()>,
    ) -> Sent<(http::Response<WasiBody>, Sent<()>)> {
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        failure::code(&failure::of_hyper(error))
    }

    fn p2_error_from_connect(&mut self, error: &std::io::Error) -> ErrorCode {
        failure::code(&failure::of_connecting(error))
    }

    fn p2_error_from_tls(&mut self, error: &std::io::Error) -> ErrorCode {
        failure::code(&failure::of_tls(error))
    }
}

/// Whether the path of `op` starts with two slashes: on the wire, `GET //HOST/PATH` could be read as a URL without its scheme.
fn could_name_a_host(op: &HttpOp) -> bool {
    let path = op.url().split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    path.is_some_and(|path| path.starts_with("//"))
}

/// Headers that are about the connection, which is the host's.
fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name) || *name == TE || *name == TRAILER || *name == http::header::EXPECT
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http_gate, table: &mut self.table, ctx: &mut self.http }
    }
}
