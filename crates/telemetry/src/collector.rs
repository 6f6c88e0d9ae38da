//! How batches of spans get to a collector: one request over a connection of its own.
//!
//! What always holds: it ends in time, whatever the collector does; what is read of an answer is bounded; redirects are not followed, so
//! that what the headers hold goes nowhere else; that it fails is told once, until it works again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HOST;
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::settings::Settings;

/// The longest answer that is read. It says little more than that the spans are there.
const LONGEST_ANSWER: usize = 64 * 1024;

/// A collector that is sent to from a thread of the library's own.
pub(crate) struct Collector {
    timeout: Duration,
    tls: Option<TlsConnector>,
    tell: fn(&str),
    is_failing: AtomicBool,
}

impl Collector {
    pub(crate) fn new(settings: &Settings, tell: fn(&str)) -> Result<Self, String> {
        let is_tls = settings.endpoint.scheme() == Some(&Scheme::HTTPS);
        let tls = if is_tls { Some(connector()?) } else { None };
        Ok(Self { timeout: settings.timeout, tls, tell, is_failing: AtomicBool::new(false) })
    }

    /// Sends `request`, and blocks until it is answered or the time is over.
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let exchange = async { tokio::time::timeout(self.timeout, exchange(request, self.tls.as_ref())).await };
        let answer = runtime.block_on(exchange);
        // A name that is still being looked up is not waited for.
        runtime.shutdown_background();
        answer.unwrap_or_else(|_| Err("it does not answer in time".to_owned()))
    }

    fn note(&self, answer: &Result<Response<Bytes>, String>) {
        let reason = match answer {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status())),
            Err(reason) => Some(reason.clone()),
        };
        let was_failing = self.is_failing.swap(reason.is_some(), Ordering::Relaxed);
        if let Some(reason) = reason.filter(|_| !was_failing) {
            (self.tell)(&format!("traces do not reach the collector: {reason}"));
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    // The library drives it on a thread that does nothing else, without a runtime: to block there is what it expects.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.send(request);
        self.note(&answer);
        answer.map_err(HttpError::from)
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// TLS that trusts whom the system trusts.
pub(crate) fn connector() -> Result<TlsConnector, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()).into())
}

/// Sends `request` over a connection of its own. Who calls bounds the time.
pub(crate) async fn exchange(request: Request<Bytes>, tls: Option<&TlsConnector>) -> Result<Response<Bytes>, String> {
    let host = request.uri().host().ok_or("it has no host")?.to_owned();
    let bare = host.trim_matches(['[', ']']);
    let port = request.uri().port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
    let stream = TcpStream::connect((bare, port)).await.map_err(|error| error.to_string())?;
    match tls {
        None => speak(request, stream).await,
        Some(tls) => {
            let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
            let stream = tls.connect(name, stream).await.map_err(|error| error.to_string())?;
            speak(request, stream).await
        }
    }
}

async fn speak<S>(request: Request<Bytes>, stream: S) -> Result<Response<Bytes>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = in_origin_form(request)?;
    let connected = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let response = sender.send_request(request.map(Full::new)).await.map_err(|error| error.to_string())?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|error| error.to_string())?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

/// With the host in a header and only the path in the request's line, as servers want it.
fn in_origin_form(mut request: Request<Bytes>) -> Result<Request<Bytes>, String> {
    let authority = request.uri().authority().map(|authority| authority.as_str()).unwrap_or_default();
    // A user and a password in the address are for nobody: credentials belong in OTEL_EXPORTER_OTLP_HEADERS.
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = HeaderValue::try_from(host).map_err(|error| error.to_string())?;
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = Uri::from(path);
    Ok(request)
}
