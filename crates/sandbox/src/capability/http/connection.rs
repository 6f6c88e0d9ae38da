//! Connections, and which of them are used again.
//!
//! What always holds: a connection serves one policy and one origin (scheme, host and port). Before it is used again, the address
//! that it leads to is decided on once more, for the request at hand. A connection whose response was not read to its end is closed,
//! and so is one that nobody used for [`IDLE`].

use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use caplet_policy::{Host, HttpOp, Permitted, Scheme};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::rt::Executor;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::io::TokioIo;

use super::body::Upload;
use super::outgoing::OnItsWay;
use super::rate::Buckets;
use super::{failure, tls};
use crate::engine::lock;

/// How long a connection is kept that nobody uses. Shorter than what servers usually grant, so that few are found closed.
const IDLE: Duration = Duration::from_secs(15);

/// How many connections are kept for one policy.
const MOST_IDLE: usize = 16;

/// How long a kept connection may take to be ready. One that is sound is ready at once.
const SOUND: Duration = Duration::from_millis(20);

/// The largest header section of a response that is read, in bytes.
const HEADER_BYTES: usize = 64 << 10;

/// The most header fields of a response that are read.
const HEADER_FIELDS: usize = 256;

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
        idle.retain(|kept| kept.since.elapsed() < IDLE && !kept.connection.is_closed());
        let at = idle.iter().rposition(|kept| kept.origin == *origin)?;
        let kept = idle.get_mut(at)?;
        kept.since = Instant::now();
        match kept.connection.share() {
            Some(shared) => Some(shared),
            None => Some(idle.swap_remove(at).connection),
        }
    }

    /// Keeps a connection for the next request to `origin`.
    pub(super) fn keep(self: &Arc<Self>, origin: &Origin, connection: Connection) {
        let mut idle = lock(&self.idle);
        if connection.is_closed() || idle.kept.len() >= MOST_IDLE {
            return;
        }
        idle.kept.push(Idle { origin: origin.clone(), connection, since: Instant::now() });
        if idle.sweeper.as_ref().is_none_or(AbortHandle::is_finished) {
            idle.sweeper = Some(tokio::spawn(sweep(Arc::downgrade(self))).abort_handle());
        }
    }

    /// Closes a connection that failed a request as soon as nobody uses it: one on which nothing comes any more looks like any
    /// other, and would fail the next request too.
    pub(super) fn forget(&self, connection: &Connection) {
        lock(&self.idle).kept.retain(|kept| !Arc::ptr_eq(&kept.connection.driver, &connection.driver));
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

/// Closes what nobody uses, until there is nothing left.
async fn sweep(connections: Weak<Connections>) {
    loop {
        sleep(IDLE).await;
        let Some(connections) = connections.upgrade() else { return };
        let mut idle = lock(&connections.idle);
        idle.kept.retain(|kept| kept.since.elapsed() < IDLE && !kept.connection.is_closed());
        if idle.kept.is_empty() {
            idle.sweeper = None;
            return;
        }
    }
}

/// One connection.
pub(super) struct Connection {
    address: IpAddr,
    sender: Sender,
    driver: Arc<Driver>,
}

enum Sender {
    Http1(http1::SendRequest<Upload>),
    Http2(http2::SendRequest<Upload>),
}

/// What moves the bytes. All of it ends with the last handle to the connection, also if the server does not take a farewell.
struct Driver(Tasks);

impl Drop for Driver {
    fn drop(&mut self) {
        drop(lock(&self.0.0).take());
    }
}

/// The tasks of one connection; nothing once they have ended.
#[derive(Clone)]
struct Tasks(Arc<Mutex<Option<JoinSet<()>>>>);

impl Tasks {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(JoinSet::new()))))
    }

    fn driving(self, driver: impl Future<Output: Send> + Send + 'static) -> Arc<Driver> {
        self.execute(driver);
        Arc::new(Driver(self))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        if let Some(tasks) = lock(&self.0).as_mut() {
            while tasks.try_join_next().is_some() {}
            // What goes wrong is heard of by those who use the connection.
            tasks.spawn(async move { drop(future.await) });
        }
    }
}

/// How a request failed.
pub(super) enum Failed {
    /// Nothing of it was sent; here it is again.
    Unsent(Box<http::Request<Upload>>),
    /// It may have been sent.
    Sent(Error),
}

trait Stream: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static {}

impl<T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static> Stream for T {}

impl Connection {
    async fn http1(stream: impl Stream, address: IpAddr) -> Result<Self, Error> {
        let mut builder = http1::Builder::new();
        builder.max_headers(HEADER_FIELDS).max_header_size(HEADER_BYTES).max_buf_size(2 * HEADER_BYTES);
        let (sender, driver) = builder.handshake(stream).await.map_err(|error| failure::of_hyper(&error))?;
        Ok(Self { address, sender: Sender::Http1(sender), driver: Tasks::new().driving(driver) })
    }

    async fn http2(stream: impl Stream, address: IpAddr) -> Result<Self, Error> {
        let tasks = Tasks::new();
        let mut builder = http2::Builder::new(tasks.clone());
        builder.max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX));
        let (sender, driver) = builder.handshake(stream).await.map_err(|error| failure::of_hyper(&error))?;
        Ok(Self { address, sender: Sender::Http2(sender), driver: tasks.driving(driver) })
    }

    /// Where it leads.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether requests on it carry the whole URL and no `host` header.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Whether another request can be sent; `false` if none ever can.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let ready = match &mut self.sender {
            Sender::Http1(sender) => sender.poll_ready(context),
            Sender::Http2(sender) => sender.poll_ready(context),
        };
        ready.map(|ready| ready.is_ok())
    }

    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Another handle to a connection that carries several requests at once.
    pub(super) fn share(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(Self {
                address: self.address,
                sender: Sender::Http2(sender.clone()),
                driver: Arc::clone(&self.driver),
            }),
        }
    }

    /// Sends `request`, and waits for the head of the response. A connection that was kept may be dead without a word; one that
    /// is not ready in time is given up. A new one has no such bound of its own: its first turn may come late on a busy machine.
    pub(super) async fn send(
        &mut self,
        request: http::Request<Upload>,
        is_kept: bool,
        on_its_way: &OnItsWay,
    ) -> Result<http::Response<Incoming>, Failed> {
        let is_ready = poll_fn(|context| self.poll_ready(context));
        let is_ready = if is_kept { timeout(SOUND, is_ready).await.unwrap_or(false) } else { is_ready.await };
        if !is_ready {
            return Err(Failed::Unsent(Box::new(request)));
        }
        on_its_way.set();
        let sent = match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        };
        sent.map_err(|mut error: TrySendError<http::Request<Upload>>| match error.take_message() {
            Some(request) => Failed::Unsent(Box::new(request)),
            None => Failed::Sent(failure::of_hyper(error.error())),
        })
    }
}
