//! One client over a pair of byte streams, from its first message to its last.

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

/// Serves the client that writes to `read` and reads from `write`, until it closes its end, or `until` ends. Guests of calls that still
/// run are stopped then: at once, or half a second after the client closed its end.
///
/// Must be called inside a tokio runtime with its timer and its drivers enabled.
pub async fn serve<R, W>(server: &Server, read: R, write: W, until: impl Future<Output = ()>) -> End
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let session = server.session();
    let (life, stop) = (session.life.clone(), CancellationToken::new());
    let transport = LineTransport::new(read, write, *server.settings(), life.clone());
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
    end
}
