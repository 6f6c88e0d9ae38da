//! From addresses that were decided on to a connection.
//!
//! What always holds: only an address with a token is dialled, and on the port of its token. Attempts overlap (RFC 8305), so
//! that one dead address does not hold up the others; the first that answers wins and the rest are given up.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use caplet_policy::{ConnectOp, Permitted};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::Error;

use super::failure;

/// How long one address may be silent before the next one is tried as well (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Dials the addresses until one answers; that one comes back with the connection.
pub(super) async fn dial(addresses: Vec<Permitted<ConnectOp>>, until: Instant) -> Result<(TcpStream, IpAddr), Error> {
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut last = Error::DestinationNotFound;
    loop {
        if let Some(permitted) = waiting.next() {
            attempts.spawn(connect(permitted));
        } else if attempts.is_empty() {
            return Err(last);
        }
        let patience = if waiting.len() == 0 { until } else { until.min(Instant::now() + HEAD_START) };
        match timeout_at(patience, attempts.join_next()).await {
            Ok(Some(Ok(Ok(connected)))) => return Ok(connected),
            Ok(Some(Ok(Err(error)))) => last = failure::of_connecting(&error),
            Ok(Some(Err(_)) | None) => {}
            Err(_elapsed) if Instant::now() >= until => return Err(Error::ConnectionTimeout),
            Err(_elapsed) => {}
        }
    }
}

async fn connect(permitted: Permitted<ConnectOp>) -> std::io::Result<(TcpStream, IpAddr)> {
    let op = permitted.into_op();
    let stream = TcpStream::connect(SocketAddr::new(op.address(), op.port())).await?;
    stream.set_nodelay(true)?;
    Ok((stream, op.address()))
}
