//! One client over a pair of byte streams, from its first message to its last.

use std::sync::Arc;

use rmcp::service::{QuitReason, ServerInitializeError, serve_server_with_ct};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::server::Server;
use crate::transport::LineTransport;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The client closed its end.
    Closed,
    /// It was to end.
    Stopped,
    /// It could not go on.
    Failed,
}

/// Serves the client that writes to `read` and reads from `write`, until `until` ends, nothing can be written any more, or the client
/// has closed its end and is answered all that it has asked. Guests of calls that still run are stopped then at once.
///
/// That nobody reads any more is seen when something is written. A call that writes nothing goes on until one of its limits; who can see
/// earlier that the other end of `write` is closed has `until` end then.
///
/// Must be called inside a tokio runtime with its timer and its drivers enabled.
pub async fn serve<R, W>(server: &Server, read: R, write: W, until: impl Future<Output = ()>) -> End
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let session = server.session();
    let (life, stop) = (session.life.clone(), CancellationToken::new());
    let waiting = Arc::clone(&session.asks.waiting);
    let offered = (*server.settings(), Arc::clone(&session.offered));
    let transport = LineTransport::new(read, write, offered, life.clone());
    let serving = async {
        match serve_server_with_ct(session, transport, stop.clone()).await {
            Ok(running) => match running.waiting().await {
                Ok(QuitReason::Closed) => End::Closed,
                Ok(QuitReason::Cancelled) => End::Stopped,
                Ok(_) | Err(_) => End::Failed,
            },
            Err(ServerInitializeError::ConnectionClosed(_)) => End::Closed,
            Err(ServerInitializeError::Cancelled) => End::Stopped,
            Err(_) => End::Failed,
        }
    };
    let mut serving = std::pin::pin!(serving);
    let end = tokio::select! {
        end = &mut serving => end,
        () = until => {
            life.ending.cancel();
            life.closed.cancel();
            stop.cancel();
            // However it took the news.
            serving.await;
            End::Stopped
        }
    };
    life.closed.cancel();
    waiting.end().await;
    end
}
