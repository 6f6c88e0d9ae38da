//! The server: what it is made of, its routes, and its end.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use caplet_telemetry::Traces;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use rmcp::ServerHandler;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::DEFAULT_PROFILE;
use crate::auth::{Authentication, METADATA_PATH, Principal, Unauthorized};
use crate::connection::{self, Arrival};
use crate::endpoint::Endpoint;
use crate::error::ServerError;
use crate::host::{AllowedHost, AllowedOrigin, Names};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::rate::{Rates, network};
use crate::refusal::{JSON, Refusal};
use crate::room::Room;
use crate::session::Sessions;
use crate::{tls, traced};

/// The path that messages of MCP are sent to.
pub const ENDPOINT: &str = "/mcp";

/// The port that is listened on unless another is said: none that the registry of ports has for anything.
const PORT: u16 = 8_473;

/// The text format of Prometheus and OpenMetrics.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Makes a handler: one for each session, and one for each request of a client that has none. It must be cheap.
pub type Factory<H> = Arc<dyn Fn() -> H + Send + Sync>;

/// What makes handlers, by profile.
pub type Profiles<H> = HashMap<String, Factory<H>>;

/// What a server is made of.
pub struct Builder<H> {
    profiles: Profiles<H>,
    address: SocketAddr,
    authentication: Authentication,
    names: Names,
    tls: Option<(PathBuf, PathBuf)>,
    limits: Option<Limits>,
    metrics: Metrics,
    traces: Option<Traces>,
}

/// A server that listens.
pub struct Server<H> {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<tokio_rustls::TlsAcceptor>,
    shared: Arc<Shared<H>>,
}

/// What all requests share.
struct Shared<H> {
    endpoint: Endpoint<H>,
    authentication: Authentication,
    names: Names,
    addresses: Rates<IpAddr>,
    principals: Rates<Principal>,
    metrics: Metrics,
    traces: Option<Traces>,
    drain: CancellationToken,
}

impl<H: ServerHandler + Send + 'static> Server<H> {
    /// A server of the handlers that `profiles` makes. By default it listens on 127.0.0.1, asks nobody who they are, serves everyone the
    /// profile [`DEFAULT_PROFILE`], and takes requests from no web page but its own.
    #[must_use]
    pub fn builder(profiles: Profiles<H>) -> Builder<H> {
        Builder {
            profiles,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            authentication: Authentication::none(),
            names: Names::default(),
            tls: None,
            limits: None,
            metrics: Metrics::new(),
            traces: None,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients on this machine have to be told.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{ENDPOINT}", self.address)
    }

    /// Serves until `shutdown` ends. Calls that are in flight then get some time to end by themselves, and are cancelled.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        let Self { listener, address: _, tls, shared } = self;
        let (drain, end) = (shared.drain.clone(), shared.endpoint.end.clone());
        let limits = Arc::clone(&shared.endpoint.limits);
        let sweeper = tokio::spawn(Arc::clone(&shared).sweep(end.clone()));
        let told = drain.clone();
        let watcher = tokio::spawn(async move {
            shutdown.await;
            told.cancel();
        });
        let drained = limits.drain;
        connection::serve(listener, Arc::clone(&shared).router(), tls, limits, (drain, end)).await;
        watcher.abort();
        shared.endpoint.sessions.end_of(|_| true);
        // The sweeper ends with the token; if it failed, there is nothing left to sweep.
        let _ = timeout(drained, sweeper).await;
    }
}

impl<H: ServerHandler + Send + 'static> Builder<H> {
    /// Listens on `address`. One that others can reach needs authentication.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// How those who send requests are known.
    #[must_use]
    pub fn authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// Also takes requests that name these hosts.
    #[must_use]
    pub fn allow_hosts(mut self, hosts: impl IntoIterator<Item = AllowedHost>) -> Self {
        self.names.hosts.extend(hosts);
        self
    }

    /// Also takes requests of pages of these origins.
    #[must_use]
    pub fn allow_origins(mut self, origins: impl IntoIterator<Item = AllowedOrigin>) -> Self {
        self.names.origins.extend(origins);
        self
    }

    /// Speaks TLS, with a certificate chain and its key in PEM files.
    #[must_use]
    pub fn tls(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some((certificate.into(), key.into()));
        self
    }

    /// How much a client may have. By default [`Limits::shared`] with authentication, and [`Limits::local`] without.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Tells what is counted in `metrics`.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Makes a span of each request to [`ENDPOINT`] that somebody known sends.
    #[must_use]
    pub fn traces(mut self, traces: Option<Traces>) -> Self {
        self.traces = traces;
        self
    }

    /// Listens.
    ///
    /// # Errors
    ///
    /// When others could reach it without authentication, a file of its cannot be used, a profile is missing, or the address is taken.
    pub async fn bind(self) -> Result<Server<H>, ServerError> {
        let Self { profiles, address, authentication, names, tls, limits, metrics, traces } = self;
        let asks = authentication.is_required();
        if !address.ip().to_canonical().is_loopback() && !asks {
            return Err(ServerError::NoAuthentication(address));
        }
        let named = authentication.profiles();
        let unknown = named.into_iter().find(|(_, profile)| !profiles.contains_key(profile));
        if let Some((by, profile)) = unknown {
            return Err(ServerError::UnknownProfile { by, profile });
        }
        let tls = tls.map(|(certificate, key)| tls::acceptor(&certificate, &key)).transpose()?;
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let limits = Arc::new(limits.unwrap_or_else(|| if asks { Limits::shared() } else { Limits::local() }));
        let (drain, end) = (CancellationToken::new(), CancellationToken::new());
        let sessions = Arc::new(Sessions::new(Arc::clone(&limits), drain.clone()));
        let (addresses, principals) = (Rates::new(&limits), Rates::new(&limits));
        let room = Room::new(Arc::clone(&limits));
        let endpoint = Endpoint { profiles, sessions, limits, room, end };
        let shared = Shared { endpoint, authentication, names, addresses, principals, metrics, traces, drain };
        Ok(Server { listener, address, tls, shared: Arc::new(shared) })
    }
}

impl<H> fmt::Debug for Builder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("address", &self.address).finish_non_exhaustive()
    }
}

impl<H> fmt::Debug for Server<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl<H: ServerHandler + Send + 'static> Shared<H> {
    fn router(self: Arc<Self>) -> Router {
        let mut router = Router::new()
            .route(ENDPOINT, any(mcp::<H>))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/metrics", get(metrics::<H>));
        if let Some(oauth) = self.authentication.resource() {
            let own = oauth.metadata_path();
            let metadata = oauth.metadata().to_string();
            let route = get(move || async { ([(CONTENT_TYPE, JSON)], metadata) });
            router = router.route(METADATA_PATH, route.clone());
            if own != METADATA_PATH {
                router = router.route(&own, route);
            }
        }
        router
            .fallback(|| async { Refusal::not_found("there is nothing here: MCP is at /mcp") })
            .method_not_allowed_fallback(|| async {
                Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "only GET is taken here")
            })
            .layer(middleware::from_fn_with_state(Arc::clone(&self), gate::<H>))
            .with_state(self)
    }

    /// What every request passes, whatever it is for.
    fn admit(&self, request: Request) -> Result<Request, Refusal> {
        let arrival = *request.extensions().get::<Arrival>().ok_or_else(|| Refusal::forbidden("no connection"))?;
        let (parts, body) = request.into_parts();
        self.names.check(&parts, arrival)?;
        self.addresses.check(&network(arrival.peer.ip()))?;
        Ok(Request::from_parts(parts, body))
    }

    /// Who sends a request with `headers`, if it is not too much of them.
    async fn principal(&self, headers: &HeaderMap) -> Result<Principal, Refusal> {
        let principal = if self.authentication.is_required() {
            self.authentication.principal(headers).await.map_err(|why| {
                self.metrics.unauthorized(match why {
                    Unauthorized::Missing => "missing",
                    Unauthorized::Invalid => "invalid",
                    Unauthorized::Scope => "scope",
                });
                self.authentication.refusal(&why)
            })?
        } else {
            Principal::anyone(DEFAULT_PROFILE)
        };
        self.principals.check(&principal)?;
        Ok(principal)
    }

    /// Ends sessions that are over.
    async fn sweep(self: Arc<Self>, end: CancellationToken) {
        let sessions = &self.endpoint.sessions;
        sessions.sweep_until(&end, |principal| self.authentication.is_gone(principal)).await;
        sessions.all_ended().await;
    }
}

/// The way in, for every route.
async fn gate<H: ServerHandler + Send + 'static>(
    State(shared): State<Arc<Shared<H>>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match shared.admit(request) {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    shared.metrics.request(response.status());
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn mcp<H: ServerHandler + Send + 'static>(
    State(shared): State<Arc<Shared<H>>>,
    mut request: Request,
) -> Response {
    let principal = match shared.principal(request.headers()).await {
        Ok(principal) => principal,
        Err(refusal) => return refusal.into_response(),
    };
    let span = shared.traces.as_ref().map(|traces| traced::begin(traces, &mut request));
    let response = shared.endpoint.answer(principal, request).await;
    match span {
        Some(span) => traced::until_sent(span, response),
        None => response,
    }
}

async fn metrics<H: ServerHandler + Send + 'static>(
    State(shared): State<Arc<Shared<H>>>,
    request: Request,
) -> Response {
    match shared.principal(request.headers()).await {
        Ok(principal) if principal.may_read_metrics() => {
            let mut response = Response::new(Body::from(shared.metrics.text(shared.endpoint.sessions.len())));
            response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
            response
        }
        Ok(_) => Refusal::forbidden("this token may not read metrics").into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
