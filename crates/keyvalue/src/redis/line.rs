//! The connection to Redis: made when it is first needed, and made anew when it is gone.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisError,
    ServerErrorKind, Value,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use crate::server::{Effect, Failure, PAUSE, after};
use crate::{Error, OpenError};

pub(super) struct Line {
    client: Client,
    connect: Duration,
    live: Mutex<Option<Live>>,
}

/// A connection, and whether it still is one.
#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    is_up: Arc<AtomicBool>,
}

/// Lives as long as the task that drives a connection: that task ends with the connection, or with the runtime that it was made on.
struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Line {
    pub(super) fn new(url: &str, connect: Duration) -> Result<Self, OpenError> {
        let info = url.into_connection_info().map_err(|error| OpenError::Address(error.category().to_owned()))?;
        if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
            return Err(OpenError::Address("TLS without checking the server is not offered".into()));
        }
        // The version of the protocol in which a connection can say that it is gone.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings));
        let client = client.map_err(|error| OpenError::Address(error.category().to_owned()))?;
        Ok(Self { client, connect, live: Mutex::default() })
    }

    /// Where the server is, without user and password.
    pub(super) fn address(&self) -> String {
        let info = self.client.get_connection_info();
        match info.redis_settings().db() {
            0 => info.addr().to_string(),
            database => format!("{}/{database}", info.addr()),
        }
    }

    /// What the server answers.
    pub(super) async fn ask(&self, effect: Effect, command: &Cmd, time: Duration) -> Result<Value, Error> {
        let mut live = self.live(after(self.connect)).await?;
        let deadline = after(time);
        loop {
            let failure = match live.ask(command, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if let Some(error) = failure.verdict(effect, deadline) {
                return Err(error);
            }
            sleep(PAUSE).await;
            live = self.live(deadline).await?;
        }
    }

    /// The connection that there is, or a new one. Whoever comes meanwhile waits for the same one.
    async fn live(&self, deadline: Instant) -> Result<Live, Error> {
        let gone = |why: &str| Error::Unavailable(format!("Redis at {}: {why}", self.address()));
        let Ok(mut kept) = timeout_at(deadline, self.live.lock()).await else {
            return Err(gone("no connection in time"));
        };
        if let Some(live) = kept.as_ref().filter(|live| live.is_up.load(Ordering::Acquire)) {
            return Ok(live.clone());
        }
        *kept = None;
        loop {
            let error = match timeout_at(deadline, self.dial()).await {
                Ok(Ok(live)) => return Ok(kept.insert(live).clone()),
                Ok(Err(error)) => error,
                Err(_elapsed) => return Err(gone("no connection in time")),
            };
            if !may_pass(&error) || Instant::now() + PAUSE >= deadline {
                return Err(gone(&error.to_string()));
            }
            sleep(PAUSE).await;
        }
    }

    async fn dial(&self) -> Result<Live, RedisError> {
        let is_up = Arc::new(AtomicBool::new(true));
        let guard = Guard(Arc::clone(&is_up));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(move |_push| {
                // It has to be in here for as long as the connection is.
                let _kept = &guard;
                Ok::<(), Infallible>(())
            });
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Live { connection, is_up })
    }
}

impl Live {
    async fn ask(&mut self, command: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        let failure = match timeout_at(deadline, command.query_async(&mut self.connection)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => failure(&error),
            Err(_elapsed) => Failure::Lost("Redis did not answer in time".into()),
        };
        if let Failure::Lost(_) = failure {
            // Also where only this answer was late: the next operation should not wait behind it.
            self.is_up.store(false, Ordering::Release);
        }
        Err(failure)
    }
}

/// What an error that came instead of an answer, or as one, says about the command.
fn failure(error: &RedisError) -> Failure {
    let text = || format!("Redis: {error}");
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::TryAgain | ServerErrorKind::MasterDown) => {
            Failure::NotYet(text())
        }
        ErrorKind::Server(_) | ErrorKind::Extension => match error.code() {
            Some("OOM") => Failure::Refused(Error::Full),
            Some("BUSY") => Failure::NotYet(text()),
            _ if detail.contains("not an integer") || detail.contains("overflow") => {
                Failure::Refused(Error::NotANumber)
            }
            _ => Failure::Refused(Error::Unavailable(text())),
        },
        _ => Failure::Lost(text()),
    }
}

/// Whether a connection that failed so may be made a moment later.
fn may_pass(error: &RedisError) -> bool {
    match error.kind() {
        // A certificate that does not convince.
        ErrorKind::Io => !error.to_string().contains("certificate"),
        ErrorKind::Server(kind) => kind == ServerErrorKind::BusyLoading,
        _ => false,
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("address", &self.address()).field("connect", &self.connect).finish_non_exhaustive()
    }
}
