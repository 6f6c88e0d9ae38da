//! Connections: accepted in bounded number, each with bounds on what its client may send and on how long it may take.
//!
//! What always holds: no connection outlives the server's end, and none is kept for a client that neither sends nor takes anything.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::limits::Limits;
use crate::patience::Patient;
use crate::places::{Place, Places};
use crate::tls;

/// Streams of one HTTP/2 connection at one time: as many answers as one session may wait for.
const H2_STREAMS: u32 = 256;

/// How often HTTP/2 asks whether a silent client is still there.
const H2_PING: Duration = Duration::from_secs(30);

/// How long to leave a listener alone that cannot accept, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a request came here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Where the connection came to.
    pub(crate) local: SocketAddr,
    /// Who is at its other end.
    pub(crate) peer: SocketAddr,
    /// Whether it is encrypted.
    pub(crate) is_tls: bool,
}

impl Arrival {
    pub(crate) fn scheme(self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

/// Serves connections, one task each.
#[derive(Clone)]
struct Connections {
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: Arc<Limits>,
    http: Builder<TokioExecutor>,
}

/// Serves `router` on `listener` until `drain` is cancelled. Then nothing more is accepted, what is in flight gets the time that the limits
/// give it, `end` is cancelled, and what is left is cut off.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: Arc<Limits>,
    (drain, end): (CancellationToken, CancellationToken),
) {
    let connections = Connections { router, tls, http: http(&limits), limits: Arc::clone(&limits) };
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let places = Places::new(limits.connections);
    while let Some((stream, peer, place)) = drain.run_until_cancelled(accept(&listener, &places)).await {
        while tasks.try_join_next().is_some() {}
        tasks.spawn(connections.clone().connection(stream, peer, place, graceful.watcher()));
    }
    drop(listener);
    // Only one of the two ends the wait; either way nothing is left in the end.
    let _ = timeout(limits.drain, graceful.shutdown()).await;
    end.cancel();
    let _ = timeout(LAST_WORDS, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
}

/// How long a client has to take the end of an answer that was cancelled.
const LAST_WORDS: Duration = Duration::from_millis(500);

async fn accept(listener: &TcpListener, places: &Arc<Places>) -> (TcpStream, SocketAddr, Place) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, places.take(peer.ip()).await),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn http(limits: &Limits) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_headers(limits.headers)
        .max_buf_size(limits.header_bytes as usize);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(limits.header_bytes)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(limits.write_time);
    http
}

/// Returns after `time` if there was no request on the connection by then.
async fn is_late(place: &Place, time: Duration) {
    sleep(time).await;
    if place.has_asked() {
        std::future::pending().await
    }
}

impl Connections {
    async fn connection(self, stream: TcpStream, peer: SocketAddr, place: Place, watcher: Watcher) {
        let (place, first) = (Arc::new(place), self.limits.first_request_time);
        tokio::select! {
            () = self.converse(stream, peer, &place, watcher) => {}
            () = place.lost() => tracing::debug!(%peer, "a connection without a request made room for another"),
            () = is_late(&place, first) => tracing::debug!(%peer, "a connection without a request was closed"),
        }
    }

    async fn converse(self, stream: TcpStream, peer: SocketAddr, place: &Arc<Place>, watcher: Watcher) {
        // Answers are small and are waited for: to delay them for a fuller packet helps nobody.
        let Ok(local) = stream.set_nodelay(true).and_then(|()| stream.local_addr()) else { return };
        let arrival = Arrival { local, peer, is_tls: self.tls.is_some() };
        let stream = Patient::new(stream, self.limits.write_time);
        match self.tls.clone() {
            None => self.speak(stream, false, arrival, place, watcher).await,
            Some(acceptor) => {
                let Ok(Ok(stream)) = timeout(self.limits.header_time, acceptor.accept(stream)).await else { return };
                let is_h2 = tls::is_h2(stream.get_ref().1.alpn_protocol());
                self.speak(stream, is_h2, arrival, place, watcher).await;
            }
        }
    }

    async fn speak<S>(self, stream: S, is_h2: bool, arrival: Arrival, place: &Arc<Place>, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (router, place) = (self.router, Arc::clone(place));
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(arrival);
            let (router, in_flight) = (router.clone(), place.in_flight());
            async move {
                let response = router.oneshot(request).await?;
                // Until the last of the answer is sent, or nobody is there to take it.
                let held = move |frame| {
                    let _ = &in_flight;
                    frame
                };
                Ok::<_, Infallible>(response.map(|body| Body::new(body.map_frame(held))))
            }
        });
        let http = if is_h2 { self.http.http2_only() } else { self.http.http1_only() };
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, peer = %arrival.peer, "a connection ended early");
        }
    }
}
