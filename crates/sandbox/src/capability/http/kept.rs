//! Connections that are used again.
//!
//! What always holds: a connection serves one policy and one origin (scheme, host and port). Before it is used again, the address
//! that it leads to is decided on once more, for the request at hand. A connection whose response was not read to its end is closed,
//! and so is one that nobody used for [`IDLE`].

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use caplet_policy::{Host, HttpOp, Permitted, Scheme};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::io::TokioIo;

use super::connection::Connection;
use super::rate::Buckets;
use super::{failure, tls};
use crate::engine::lock;

/// How long a connection is kept that nobody uses. Shorter than what servers usually grant, so that few are found closed.
const IDLE: Duration = Duration::from_secs(15);

/// How many connections are kept for one policy.
const MOST_IDLE: usize = 16;

/// What the calls under one policy share on the network: connections that they may use again, TLS sessions that they may resume, and
/// how much is left of the rates that rules set.
///
/// Never share it between policies: what one may reach must not be known to another.
#[derive(Default)]
pub struct Connections {
    tls: OnceLock<Arc<ClientConfig>>,
    buckets: Buckets,
    idle: Mutex<IdleSet>,
}

/// Connections that nobody uses now.
#[derive(Default)]
struct IdleSet {
    kept: Vec<Idle>,
    /// What closes those that nobody wants any more. A runtime takes it along when it ends.
    sweeper: Option<AbortHandle>,
}

struct Idle {
    origin: Origin,
    /// Where it was opened: on another runtime nothing would tell of what comes.
    runtime: Option<runtime::Id>,
    connection: Connection,
    since: Instant,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("idle", &lock(&self.idle).kept.len()).finish_non_exhaustive()
    }
}

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Origin {
    pub(super) fn of(request: &Permitted<HttpOp>) -> Self {
        let op = request.op();
        Self { scheme: op.scheme(), host: op.host().clone(), port: op.port() }
    }
}

impl Connections {
    /// What is left of the policy's rates.
    pub(super) fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// A kept connection to `origin`, if there is one.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let idle = &mut lock(&self.idle).kept;
        idle.retain_mut(|kept| kept.since.elapsed() < IDLE && !kept.connection.is_closed());
        let here = this_runtime();
        let at = idle.iter().rposition(|kept| kept.origin == *origin && kept.runtime == here)?;
        let kept = idle.get_mut(at)?;
        kept.since = Instant::now();
        match kept.connection.share() {
            Some(shared) => Some(shared),
            None => Some(idle.swap_remove(at).connection),
        }
    }

    /// Keeps a connection for the next request to `origin`. One that has closed is found out when it is taken.
    pub(super) fn keep(self: &Arc<Self>, origin: &Origin, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.kept.len() >= MOST_IDLE {
            return;
        }
        idle.kept.push(Idle { origin: origin.clone(), runtime: this_runtime(), connection, since: Instant::now() });
        if idle.sweeper.as_ref().is_none_or(AbortHandle::is_finished) {
            idle.sweeper = Some(tokio::spawn(sweep(Arc::downgrade(self))).abort_handle());
        }
    }

    /// Closes a connection that failed a request as soon as nobody uses it: one on which nothing comes any more looks like any
    /// other, and would fail the next request too.
    pub(super) fn forget(&self, connection: &Connection) {
        lock(&self.idle).kept.retain(|kept| !kept.connection.is_same(connection));
    }

    /// Connects to `origin` over `stream`, which leads to `address`.
    pub(super) async fn open(
        &self,
        origin: &Origin,
        stream: TcpStream,
        address: IpAddr,
        tls: Option<&ClientConfig>,
    ) -> Result<Connection, Error> {
        let Some(tls) = tls else { return Connection::http1(TokioIo::new(stream), address).await };
        let tls = self.tls.get_or_init(|| tls::of_its_own(tls));
        let name: ServerName<'static> = tls::server_name(&origin.host).ok_or(Error::TlsCertificateError)?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        let stream = stream.map_err(|error| failure::of_tls(&error))?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let stream = TokioIo::new(stream);
        if is_http2 { Connection::http2(stream, address).await } else { Connection::http1(stream, address).await }
    }
}

fn this_runtime() -> Option<runtime::Id> {
    runtime::Handle::try_current().ok().map(|here| here.id())
}

/// Closes what nobody uses, until there is nothing left.
async fn sweep(connections: Weak<Connections>) {
    loop {
        sleep(IDLE).await;
        let Some(connections) = connections.upgrade() else { return };
        let mut idle = lock(&connections.idle);
        idle.kept.retain_mut(|kept| kept.since.elapsed() < IDLE && !kept.connection.is_closed());
        if idle.kept.is_empty() {
            idle.sweeper = None;
            return;
        }
    }
}
