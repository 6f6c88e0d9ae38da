//! The connection to NATS. The client connects again by itself; what is here is how an operation learns that its connection is gone,
//! and waits for the next.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::Stream;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use tokio::select;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::stream::{self, StreamSpec};
use crate::server::{Effect, Failure, PAUSE, ServerOptions};
use crate::{Error, OpenError};

/// A time that is never reached.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Line {
    servers: Vec<ServerAddr>,
    login: Login,
    spec: StreamSpec,
    connect: Duration,
    live: Mutex<Option<Arc<Live>>>,
}

/// Who we are to the server. The client takes it apart from the address, which it may log.
enum Login {
    Nobody,
    Token(String),
    User { name: String, password: String },
}

/// A client, and what is known of its connection.
pub(super) struct Live {
    client: Client,
    context: Context,
    link: watch::Receiver<Link>,
    spec: StreamSpec,
    /// Nothing until it was looked at, and again when the server says that it is gone.
    stream: std::sync::Mutex<Option<Stream<()>>>,
}

/// Whether there is a connection, and how many were lost. It is sent by a task of the client; where that is gone, the client is useless.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    is_down: bool,
    lost: u64,
}

/// A client with a connection, and how many it had lost then.
pub(super) struct Up {
    live: Arc<Live>,
    lost: u64,
}

impl Line {
    pub(super) fn new(url: &str, options: &ServerOptions) -> Result<Self, OpenError> {
        let servers = url.split(',').map(address).collect::<Result<Vec<_>, _>>()?;
        let login = servers.iter().map(login).find(|login| !matches!(login, Login::Nobody)).unwrap_or(Login::Nobody);
        let servers = servers.into_iter().map(nameless).collect::<Result<Vec<_>, _>>()?;
        let spec = StreamSpec { namespace: options.namespace.clone(), ttl: options.ttl };
        Ok(Self { servers, login, spec, connect: options.connect, live: Mutex::default() })
    }

    /// Where the servers are, without user and password.
    pub(super) fn address(&self) -> String {
        let one = |server: &ServerAddr| format!("{}:{}", server.host(), server.port());
        self.servers.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// What becomes of an operation. It may already be sent when it is given up.
    pub(super) async fn ask<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        effect: Effect,
        deadline: Instant,
        operation: impl Fn(Arc<Live>) -> F,
    ) -> Result<T, Error> {
        loop {
            let up = self.ready(deadline).await?;
            let failure = match up.watch(operation(Arc::clone(&up.live)), deadline).await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            if let Some(error) = failure.verdict(effect, deadline) {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits for a connection.
    pub(super) async fn ready(&self, deadline: Instant) -> Result<Up, Error> {
        let gone = |why: &str| Error::Unavailable(format!("NATS at {}: {why}", self.address()));
        let Ok(mut kept) = timeout_at(deadline, self.live.lock()).await else {
            return Err(gone("no connection in time"));
        };
        let live = match kept.as_ref().filter(|live| live.link.has_changed().is_ok()) {
            Some(live) => Arc::clone(live),
            None => Arc::clone(kept.insert(Arc::new(self.dial(deadline).await.map_err(|why| gone(&why))?))),
        };
        drop(kept);
        match timeout_at(deadline, live.link_that(|link| !link.is_down)).await {
            Ok(Some(Link { lost, .. })) => Ok(Up { live, lost }),
            Ok(None) => Err(gone("the connection was shut down")),
            Err(_elapsed) => Err(gone("no connection in time")),
        }
    }

    async fn dial(&self, deadline: Instant) -> Result<Live, String> {
        loop {
            let (sender, link) = watch::channel(Link::default());
            let error = match timeout_at(deadline, self.connect_options(sender).connect(&*self.servers)).await {
                Ok(Ok(client)) => {
                    // Operations have deadlines of their own, which are never later than these.
                    let context = ContextBuilder::new().timeout(A_DAY).ack_timeout(A_DAY).build(client.clone());
                    let stream = std::sync::Mutex::default();
                    return Ok(Live { client, context, link, spec: self.spec.clone(), stream });
                }
                Ok(Err(error)) => error,
                Err(_elapsed) => return Err("no connection in time".into()),
            };
            let may_pass = match error.kind() {
                ConnectErrorKind::Dns | ConnectErrorKind::TimedOut => true,
                // A certificate that does not convince.
                ConnectErrorKind::Io => !error.to_string().contains("certificate"),
                _ => false,
            };
            if !may_pass || Instant::now() + PAUSE >= deadline {
                return Err(error.to_string());
            }
            sleep(PAUSE).await;
        }
    }

    fn connect_options(&self, link: watch::Sender<Link>) -> ConnectOptions {
        let options = ConnectOptions::new()
            .name("caplet")
            .connection_timeout(self.connect)
            .request_timeout(None)
            // The addresses that a server tells of others do not say it.
            .require_tls(self.servers.iter().any(ServerAddr::tls_required))
            .reconnect_delay_callback(|tries| if tries <= 1 { Duration::ZERO } else { PAUSE })
            .event_callback(move |event| {
                link.send_if_modified(|link| link.learn(&event));
                ready(())
            });
        match &self.login {
            Login::Nobody => options,
            Login::Token(token) => options.token(token.clone()),
            Login::User { name, password } => options.user_and_password(name.clone(), password.clone()),
        }
    }
}

impl Link {
    /// Whether the event says anything new.
    fn learn(&mut self, event: &Event) -> bool {
        match event {
            Event::Connected => std::mem::replace(&mut self.is_down, false),
            Event::Disconnected | Event::Closed => {
                *self = Self { is_down: true, lost: self.lost + 1 };
                true
            }
            _ => false,
        }
    }
}

impl Up {
    /// Waits for an operation as long as its connection lasts, and no longer than to the deadline.
    async fn watch<T>(
        &self,
        operation: impl Future<Output = Result<T, Failure>>,
        deadline: Instant,
    ) -> Result<T, Failure> {
        select! {
            done = operation => done,
            _changed = self.live.link_that(|link| link.lost != self.lost) => {
                Err(Failure::Lost("the connection to NATS broke".into()))
            }
            () = sleep_until(deadline) => {
                // A connection on which nothing comes may be none any more, and the client would notice minutes later.
                let _unless_stuck = timeout_at(Instant::now() + PAUSE, self.live.client.force_reconnect()).await;
                Err(Failure::Lost("NATS did not answer in time".into()))
            }
        }
    }
}

impl Live {
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    pub(super) fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    /// The stream, made if it is not there and checked when it is seen first.
    pub(super) async fn stream(&self) -> Result<Stream<()>, Failure> {
        let known = self.known_stream().clone();
        if let Some(stream) = known {
            return Ok(stream);
        }
        let stream = stream::ensure(&self.context, &self.spec).await?;
        *self.known_stream() = Some(stream.clone());
        Ok(stream)
    }

    /// Somebody took the stream away, or it is still being made ready.
    pub(super) fn stream_is_gone(&self) -> Failure {
        *self.known_stream() = None;
        Failure::NotYet("NATS has no stream for these keys".into())
    }

    /// The state of the connection once it is such, or nothing if there is no client behind it any more.
    async fn link_that(&self, is: impl Fn(&Link) -> bool) -> Option<Link> {
        self.link.clone().wait_for(is).await.ok().map(|link| *link)
    }

    fn known_stream(&self) -> std::sync::MutexGuard<'_, Option<Stream<()>>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one address.
fn address(text: &str) -> Result<ServerAddr, OpenError> {
    let usable = |server: &ServerAddr| matches!(server.scheme(), "nats" | "tls") && !server.host().is_empty();
    text.trim()
        .parse()
        .ok()
        .filter(usable)
        .ok_or_else(|| OpenError::Address("it is not `nats://HOST` or `tls://HOST`".into()))
}

fn login(server: &ServerAddr) -> Login {
    match (server.username().map(decoded), server.password().map(decoded)) {
        (Some(name), Some(password)) => Login::User { name, password },
        (Some(token), None) => Login::Token(token),
        (None, _) => Login::Nobody,
    }
}

/// The address without user and password.
fn nameless(server: ServerAddr) -> Result<ServerAddr, OpenError> {
    let refused = |()| OpenError::Address("it has a user where none can be".into());
    let mut url = server.into_inner();
    url.set_username("").map_err(refused)?;
    url.set_password(None).map_err(refused)?;
    ServerAddr::from_url(url).map_err(|error| OpenError::Address(error.to_string()))
}

/// What a part of a URL stands for. What is no escape stands for itself.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.split_at_checked(2).filter(|_| *first == b'%');
        let escaped = escaped.and_then(|(digits, after)| {
            let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = escaped.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("address", &self.address()).field("connect", &self.connect).finish_non_exhaustive()
    }
}
